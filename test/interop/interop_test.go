// Package interop_test sends with the program and the library to real mail
// servers and compares what arrived, octet for octet, with what was sent. It
// writes what it found into docs/interop.md. It also goes through real proxies, over
// a UNIX socket, resumes TLS sessions of servers that use OpenSSL and Node.js, and
// takes the first of two servers away while mail goes out.
//
// The servers run on the loopback interface, those of Debian each in a root
// folder of its own, made of its packages alone: nothing is installed, and the
// machine's own mail system is not touched. That needs root, apt, Node.js and
// npm; "make interop" sees to them.
//
// INTEROP=short sends less and writes no table. INTEROP_RELEASE names the Debian
// whose servers are tried, whatever the machine's own is. KEEP=1 keeps the folder with
// settings, logs and mail.
package interop_test

import (
	"os"
	"testing"
)

// product is a mail server that can be had with other limits.
type product struct {
	name  string
	start func(t *testing.T, w *workshop, l limits) *instance
}

var products = []product{
	{"Postfix", startPostfix},
	{"Exim", startExim},
	{"OpenSMTPD", startOpenSMTPD},
	{"smtp-server", startNodemailer},
	{"go-smtp", startGoSMTP},
}

// TestServers sends everything to every server, in every way.
func TestServers(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	r := newReport()
	t.Run("server", func(t *testing.T) {
		for _, p := range products {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				checkProduct(t, w, r, p)
			})
		}
	})
	r.conclude(t, w)
}

func checkProduct(t *testing.T, w *workshop, r *report, p product) {
	in := p.start(t, w, limits{})
	r.introduce(t, w, p.name, in)
	one := r.of(p.name)
	checkLevels(t, w, one, in)
	checkLogins(t, w, one, in)
	checkRefusals(t, w, one, in)
	t.Run(quietLog, func(t *testing.T) {
		defer one.result(t, quietLog, "")
		in.retire(t)
	})
	checkLimits(t, w, one, p)
}

func short() bool { return os.Getenv("INTEROP") == "short" }
