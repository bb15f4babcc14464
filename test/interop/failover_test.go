package interop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

const (
	dialTime = 4 * time.Second // Timeouts.Connect here: silence has to be noticed in that time
	perConn  = 5               // connections an account may have, to each server
)

// mishap is what becomes of the first server while messages go out.
type mishap struct {
	fail, mend func(first *instance, t *testing.T)
	silent     bool // it only falls silent: nothing breaks, nothing is refused
}

var (
	stopped = mishap{(*instance).shutDown, (*instance).startAgain, false}
	killed  = mishap{(*instance).kill, (*instance).startAgain, false}
	frozen  = mishap{(*instance).freeze, (*instance).thaw, true}
)

// within is how long it may take until the second server has accepted a message.
func (m mishap) within() time.Duration {
	if m.silent {
		return dialTime
	}
	return 2 * time.Second
}

// failover is a mishap, with the server that stands in.
type failover struct {
	name   string
	mishap mishap
	second func(t *testing.T, w *workshop, l limits) *instance
	queued bool // messages go by way of a queue, not by Send
}

var failovers = []failover{
	{"stopped, Postfix stands in", stopped, startPostfix, false},
	{"killed, Postfix stands in, from a queue", killed, startPostfix, true},
	{"killed, OpenSMTPD stands in", killed, startOpenSMTPD, false},
	{"frozen, Postfix stands in, from a queue", frozen, startPostfix, true},
	{"frozen, OpenSMTPD stands in", frozen, startOpenSMTPD, false},
}

// TestFailover takes the first of an account's two servers away while messages go
// out, and gives it back. How long it takes until the other one serves is measured
// in the mailboxes, and by what the servers say; so this has the machine to itself, and is not parallel.
func TestFailover(t *testing.T) {
	w := newWorkshop(t)
	some := failovers
	if short() {
		some = failovers[1:2]
	}
	for _, f := range some {
		t.Run(f.name, func(t *testing.T) { checkFailover(t, w, f) })
	}
}

func checkFailover(t *testing.T, w *workshop, f failover) {
	first, second := startPostfix(t, w.apart(), limits{}), f.second(t, w.apart(), limits{})
	both := []*instance{first, second}
	for _, in := range both {
		starttls.offers(t, w, in) // it is up
	}
	sockets := watchSockets(t, first.plain, second.plain)
	l := startLoad(t, twoServers(w, first, second), f.queued)
	l.until(t, 30*time.Second, "1000 messages at the first server", func() bool { return l.acceptedBy(first) >= 1000 })

	failed := time.Now()
	f.mishap.fail(first, t)
	l.until(t, 30*time.Second, "the second server accepts", func() bool { return l.lastBy(second).After(failed) })
	<-time.After(time.Until(failed.Add(outage())))
	mended := time.Now()
	f.mishap.mend(first, t)
	l.until(t, 75*time.Second, "the first server is used, and alone", func() bool {
		return time.Since(l.lastBy(first)) < time.Second && time.Since(l.lastBy(second)) > 3*time.Second
	})
	l.stop(t)
	most, err := sockets.stop()
	must(t, err)

	letters := collectArrivals(t, both)
	l.reconcile(t, letters)
	gap, back := letters.firstAt(second).Sub(failed), letters.lastTaken(second).Sub(mended)
	t.Logf("the second server accepted one %v after the failure; it was used until at most %v after the first was back",
		gap.Round(time.Millisecond), back.Round(time.Millisecond))
	t.Logf("failed at %s, mended at %s; the client said:\n%s", failed.Format(clock), mended.Format(clock), strings.Join(l.health, "\n"))
	t.Logf("connections at most: %v to the first, %v to the second", most[first.plain], most[second.plain])
	if gap < 0 || gap > f.mishap.within() {
		t.Errorf("the second server took over %v after the failure, not within %v", gap, f.mishap.within())
	}
	if back > time.Minute {
		t.Errorf("the first server was used alone after %v, not within a minute", back)
	}
	checkMost(t, most, first, second, f.mishap)
	for _, in := range both {
		in.stop(t)
	}
}

// checkMost: beside the connections on which a silent server has not answered, one
// may ask it.
func checkMost(t *testing.T, most map[string]peak, first, second *instance, m mishap) {
	t.Helper()
	allowed := perConn
	if m.silent {
		allowed++
	}
	if n := most[first.plain]; n.connections > allowed {
		t.Errorf("%v connections to the first server, at most %d are allowed", n, allowed)
	}
	if n := most[second.plain]; n.connections > perConn {
		t.Errorf("%v connections to the second server, at most %d are allowed", n, perConn)
	}
}

// outage is how long the first server is away.
func outage() time.Duration { return time.Duration(amount(20, 6)) * time.Second }

func twoServers(w *workshop, first, second *instance) kaizen.Account {
	a := session{starttls, true}.account(w, first, smtp.LevelAuto)
	a.Name = "pair"
	other := starttls.account(w, second)
	a.Servers = []kaizen.Server{{Host: other.Host, Port: other.Port, TLS: other.TLS, Priority: 10}}
	a.Timeouts.Connect = dialTime
	a.Limits.Connections = perConn
	return a
}
