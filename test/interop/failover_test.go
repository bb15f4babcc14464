package interop_test

import (
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
	name   string
	queued bool                                                // by way of a queue, not by Send
	second func(t *testing.T, w *workshop, l limits) *instance // the server that stands in
	fail   func(first *instance, t *testing.T)                 // what happens
	mend   func(first *instance, t *testing.T)                 // how it comes back
	within time.Duration                                       // until the second server has accepted a message
	breaks bool                                                // connections break, so that some outcomes may be unknown
}

var mishaps = []mishap{
	{"stopped", false, startPostfix, (*instance).shutDown, (*instance).startAgain, 2 * time.Second, true},
	{"killed", true, startPostfix, (*instance).kill, (*instance).startAgain, 2 * time.Second, true},
	{"frozen", false, startOpenSMTPD, (*instance).freeze, (*instance).thaw, dialTime, false},
	{"killed, sent directly", false, startOpenSMTPD, (*instance).kill, (*instance).startAgain, 2 * time.Second, true},
	{"frozen, from a queue", true, startPostfix, (*instance).freeze, (*instance).thaw, dialTime, false},
}

// TestFailover takes the first of an account's two servers away while messages go
// out, and gives it back. How long it takes until the other one serves is measured
// in the mailboxes; so this has the machine to itself, and is not parallel.
func TestFailover(t *testing.T) {
	w := newWorkshop(t)
	some := mishaps
	if short() {
		some = mishaps[1:2]
	}
	for _, m := range some {
		t.Run(m.name, func(t *testing.T) { checkFailover(t, w, m) })
	}
}

func checkFailover(t *testing.T, w *workshop, m mishap) {
	first, second := startPostfix(t, w.apart(), limits{}), m.second(t, w.apart(), limits{})
	both := []*instance{first, second}
	for _, in := range both {
		starttls.offers(t, w, in) // it is up
	}
	sockets := watchSockets(t, first.plain, second.plain)
	l := startLoad(t, twoServers(w, first, second), m.queued)
	l.until(t, 30*time.Second, "1000 messages at the first server", func() bool { return l.acceptedBy(first) >= 1000 })

	failed := time.Now()
	m.fail(first, t)
	l.until(t, 30*time.Second, "the second server accepts", func() bool { return l.lastBy(second).After(failed) })
	<-time.After(time.Until(failed.Add(outage())))
	mended := time.Now()
	m.mend(first, t)
	l.until(t, 75*time.Second, "the first server is used, and alone", func() bool {
		return time.Since(l.lastBy(first)) < time.Second && time.Since(l.lastBy(second)) > 3*time.Second
	})
	l.stop(t)
	most, err := sockets.stop()
	must(t, err)

	letters := collectArrivals(t, both)
	l.reconcile(t, letters)
	gap, back := letters.firstAt(second).Sub(failed), letters.lastAt(second).Sub(mended)
	t.Logf("%s, %s and %s, %d messages: the second server accepted one %v after the failure; it was used until %v after the first was back",
		m.name, first.version, second.version, l.given(), gap.Round(time.Millisecond), back.Round(time.Millisecond))
	t.Logf("connections at most: %d to the first, %d to the second", most[first.plain], most[second.plain])
	if gap > m.within {
		t.Errorf("the second server took over after %v, not within %v", gap, m.within)
	}
	if back > time.Minute {
		t.Errorf("the first server was used alone after %v, not within a minute", back)
	}
	checkMost(t, most, first, second, m)
	for _, in := range both {
		in.stop(t)
	}
}

// checkMost: beside the connections on which a silent server has not answered, one
// may ask it.
func checkMost(t *testing.T, most map[string]int, first, second *instance, m mishap) {
	t.Helper()
	allowed := perConn
	if !m.breaks {
		allowed++
	}
	if n := most[first.plain]; n > allowed {
		t.Errorf("%d connections to the first server, at most %d are allowed", n, allowed)
	}
	if n := most[second.plain]; n > perConn {
		t.Errorf("%d connections to the second server, at most %d are allowed", n, perConn)
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
