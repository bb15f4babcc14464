package interop_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// arrival is a message in a mailbox.
type arrival struct {
	in     *instance
	id     string // its field Copy
	called string // by the server
	at     time.Time
}

type arrivals []arrival

// collectArrivals waits until nothing has come to bob for three seconds, and reads
// all that came.
func collectArrivals(t *testing.T, servers []*instance) (all arrivals) {
	t.Helper()
	before, since := -1, time.Now()
	eventually(t, "nothing comes any more", func() bool {
		n := 0
		for _, in := range servers {
			n += in.count("bob")
		}
		if n != before {
			before, since = n, time.Now()
		}
		return time.Since(since) > 3*time.Second
	})
	for _, in := range servers {
		for name, content := range in.arrived(t, "bob") {
			all = append(all, arrivalOf(t, in, name, content))
		}
	}
	return all
}

// calledField is the number in the uppermost Received field, the server's own.
var calledField = regexp.MustCompile(`(?s)\bReceived:.*?\sid ([^\s;]+)`)

func arrivalOf(t *testing.T, in *instance, name string, content []byte) arrival {
	t.Helper()
	file, err := os.Stat(name)
	must(t, err)
	id, called := copyField.FindSubmatch(content), calledField.FindSubmatch(content)
	if id == nil || called == nil {
		t.Fatalf("%s: no Copy or no Received field: %.500s", filepath.Base(name), content)
	}
	return arrival{in, string(id[1]), string(called[1]), file.ModTime()}
}

// once leaves out what a server has put into the mailbox twice: one that is killed
// may have to, as it does not know any more that it has. It had the message once.
func (all arrivals) once() (of map[string]int, repeated int) {
	type copy struct {
		in         *instance
		id, called string
	}
	seen, of := map[copy]bool{}, map[string]int{}
	for _, a := range all {
		c := copy{a.in, a.id, a.called}
		if seen[c] {
			repeated++
			continue
		}
		seen[c] = true
		of[a.id]++
	}
	return of, repeated
}

// reconcile compares what arrived with what the sender was told: what was accepted
// has arrived, and once, but for as many more as nobody knows of.
func (l *load) reconcile(t *testing.T, all arrivals) {
	t.Helper()
	of, repeated := all.once()
	accepted, unknown, arrived := 0, 0, 0
	for id, v := range l.told {
		least := 0
		if v.accepted {
			least = 1
			accepted++
		}
		unknown += v.unknown
		arrived += of[id] - least
		if of[id] < least {
			t.Errorf("%s was accepted and is lost", id)
		}
		if of[id] > least+v.unknown {
			t.Errorf("%s arrived %d times, told: %+v", id, of[id], *v)
		}
		delete(of, id)
	}
	for id := range of {
		t.Errorf("%s was never sent", id)
	}
	t.Logf("%d messages: %d accepted; %d tries with unknown outcome, of which %d arrived; the servers themselves repeated %d", len(l.told), accepted, unknown, arrived, repeated)
}

func (all arrivals) firstAt(in *instance) (first time.Time) {
	for _, a := range all {
		if a.in == in && (first.IsZero() || a.at.Before(first)) {
			first = a.at
		}
	}
	return first
}

func (all arrivals) lastAt(in *instance) (last time.Time) {
	for _, a := range all {
		if a.in == in && a.at.After(last) {
			last = a.at
		}
	}
	return last
}
