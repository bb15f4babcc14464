package interop_test

import (
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// arrival is a message in a mailbox.
type arrival struct {
	in     *instance
	id     string    // its field Copy
	called string    // by the server
	taken  time.Time // when the server was sent it, as it says, in whole seconds
	at     time.Time // when it was in the mailbox: under load much later
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

// receivedField has the number and the time in the uppermost Received field, the
// server's own.
var receivedField = regexp.MustCompile(`(?s)\bReceived:.*?\sid ([^\s;]+).*?;\s+(\w{3}, [^\n(]*[+-]\d{4})`)

func arrivalOf(t *testing.T, in *instance, name string, content []byte) arrival {
	t.Helper()
	file, err := os.Stat(name)
	must(t, err)
	id, received := copyField.FindSubmatch(content), receivedField.FindSubmatch(content)
	if id == nil || received == nil {
		t.Fatalf("%s: no Copy or no Received field: %.500s", filepath.Base(name), content)
	}
	taken, err := mail.ParseDate(string(received[2]))
	must(t, err)
	return arrival{in, string(id[1]), string(received[1]), taken, file.ModTime()}
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

// firstAt is when the first was in the mailbox of a server.
func (all arrivals) firstAt(in *instance) (first time.Time) {
	for _, a := range all {
		if a.in == in && (first.IsZero() || a.at.Before(first)) {
			first = a.at
		}
	}
	return first
}

// lastTaken is when the server was sent its last one, at the latest.
func (all arrivals) lastTaken(in *instance) (last time.Time) {
	for _, a := range all {
		if end := a.taken.Add(time.Second); a.in == in && end.After(last) {
			last = end
		}
	}
	return last
}
