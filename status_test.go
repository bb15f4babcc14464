package kaizen_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// oneStatus reads what a folder tells of the only account.
func oneStatus(t *testing.T, dir string) kaizen.Status {
	t.Helper()
	all, err := kaizen.ReadStatus(dir)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}

// How fast a process sends can be seen by looking once.
func TestStatusTellsThePace(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name = "work"
		a.Limits.Rates = []kaizen.Rate{{Count: 4, Per: time.Second}}
		client := stateful(t, dir)
		began := time.Now()
		sendAll(t, client, a, 40)
		time.Sleep(1500 * time.Millisecond)
		p := oneStatus(t, dir).Processes[0]
		if p.PerSecond < 3 || p.PerSecond > 4.5 || p.PID != os.Getpid() || p.Started.Sub(began).Abs() > time.Second {
			t.Errorf("%+v", p)
		}
		time.Sleep(paceSpan)
		if p = oneStatus(t, dir).Processes[0]; p.PerSecond != 0 || p.Stats.Accepted != 40 {
			t.Errorf("it rests, and is said to send %v per second: %+v", p.PerSecond, p)
		}
		closeAll(t, client)
	})
}

const paceSpan = 10 * time.Second // more than what the pace is counted over

// Of several processes the worst counts, and what the others know is not lost.
func TestStatusOfSeveralProcesses(t *testing.T) {
	bubble(t, smtptest.Config{Limits: smtptest.Limits{Connections: 2}, Latency: 20 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name = "work"
		well := stateful(t, dir)
		sendAll(t, well, a, 100)
		accepted := time.Now()
		time.Sleep(time.Hour)
		cut := a
		cut.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route to host") }
		unwell := stateful(t, dir)
		if _, err := unwell.Send(t.Context(), cut, note("x")); !errors.Is(err, kaizen.ErrConnect) {
			t.Errorf("%v", err)
		}
		time.Sleep(2 * time.Second)
		status := oneStatus(t, dir)
		h := status.Health
		if len(status.Processes) != 2 || h.Condition != kaizen.Down || h.Cause != kaizen.CauseOutage {
			t.Errorf("%+v", status)
		}
		if len(h.Learned) != 1 || h.Learned[0].Value != "2" || accepted.Sub(h.LastAccepted) > time.Minute || h.LastAccepted.IsZero() {
			t.Errorf("%+v", h)
		}
		closeAll(t, well, unwell)
		synctest.Wait()
	})
}

// What is no longer believed is no longer shown.
func TestStatusForgets(t *testing.T) {
	bubble(t, smtptest.Config{Limits: smtptest.Limits{Connections: 2}, Latency: 20 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name = "work"
		client := stateful(t, dir)
		sendAll(t, client, a, 100)
		closeAll(t, client)
		if h := oneStatus(t, dir).Health; len(h.Learned) != 1 || h.Server == "" || h.Condition != kaizen.Healthy {
			t.Errorf("%+v", h)
		}
		time.Sleep(25 * time.Hour)
		if h := oneStatus(t, dir).Health; len(h.Learned) != 0 {
			t.Errorf("%+v", h)
		}
	})
}

// A stop is told with the server's words, whoever is alive.
func TestStatusOfAStop(t *testing.T) {
	bubble(t, smtptest.Config{Auth: &smtptest.Auth{AnySecret: true, Verdict: (&fickle{refuses: true}).verdict}}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name, a.Username, a.Password = "work", "ann", password
		client := stateful(t, dir)
		_, _ = client.Send(t.Context(), a, note("x"))
		since := time.Now()
		time.Sleep(2 * time.Second)
		alive := oneStatus(t, dir)
		closeAll(t, client)
		dead := oneStatus(t, dir)
		if len(alive.Processes) != 1 || len(dead.Processes) != 0 {
			t.Errorf("%d processes, then %d", len(alive.Processes), len(dead.Processes))
		}
		for _, h := range []kaizen.Health{alive.Health, dead.Health} {
			if !h.Stopped() || h.Condition != kaizen.Down || h.Since.Sub(since).Abs() > time.Second || h.Server == "" || h.Reason == "" {
				t.Errorf("%+v", h)
			}
		}
		if files, err := filepath.Glob(filepath.Join(dir, "processes", "*")); err != nil || len(files) != 0 {
			t.Errorf("left behind: %v, %v", files, err)
		}
	})
}

// A stop that was lifted is over, though a process has not noticed yet since it
// has nothing to send.
func TestStatusOfALiftedStop(t *testing.T) {
	bubble(t, smtptest.Config{Auth: &smtptest.Auth{AnySecret: true, Verdict: (&fickle{refuses: true}).verdict}}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name, a.Username, a.Password = "work", "ann", password
		client, other := stateful(t, dir), stateful(t, dir)
		_, _ = client.Send(t.Context(), a, note("x"))
		time.Sleep(10 * time.Second)
		if h := oneStatus(t, dir).Health; !h.Stopped() {
			t.Errorf("%+v", h)
		}
		if err := other.Resume(t.Context(), a); err != nil {
			t.Error(err)
		}
		status := oneStatus(t, dir)
		if status.Health.Condition != kaizen.Healthy || status.Health.Cause != kaizen.CauseNone || len(status.Processes) == 0 || status.Processes[0].Health.Stopped() {
			t.Errorf("%+v", status)
		}
		closeAll(t, client, other)
	})
}
