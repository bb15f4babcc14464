package matrix_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// Through a Client with one connection at a time, the senders are told what is
// written down, what can be repeated without danger is, nothing else is, and the
// accounts of the server and of the pool agree.
func TestMatrixThroughTheClient(t *testing.T) {
	t.Parallel()
	for _, c := range cells(t) {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { throughTheClient(t, c) })
		})
	}
}

// mailing is a client with its senders, each of which waits for its message.
type mailing struct {
	t       *testing.T
	cell    cell
	client  *kaizen.Client
	account kaizen.Account
	senders sync.WaitGroup

	mu       sync.Mutex
	verdicts map[int]string
}

func throughTheClient(t *testing.T, c cell) {
	s := c.server(t)
	defer s.Close()
	m := &mailing{t: t, cell: c, client: kaizen.New(kaizen.Config{}), account: c.account(s), verdicts: map[int]string{}}
	m.send(1, c.split())
	if c.split() < messages {
		m.senders.Wait()
		time.Sleep(resting)
		m.send(c.split()+1, messages)
	}
	m.senders.Wait()
	if err := m.client.Close(); err != nil {
		t.Error(err)
	}
	time.Sleep(2 * time.Second) // the server has swallowed what was on its way
	m.check(s)
	m.checkStats(s)
}

func (c cell) account(s *smtptest.Server) kaizen.Account {
	a := kaizen.Account{Host: "localhost", Port: 25, TLS: smtp.TLSNone, LocalName: "client.test", MaxLevel: c.maxLevel(),
		DialContext: s.DialContext, Limits: kaizen.Limits{Connections: 1, Rates: kaizen.NoRate()}}
	switch c.place {
	case "starttls":
		a.TLS, a.TLSConfig = smtp.TLSStartTLS, s.ClientTLS()
	case "tls":
		a.TLS, a.TLSConfig = smtp.TLSImplicit, s.ClientTLS()
	case "auth":
		a.Auth = &smtp.Auth{Username: "ann", Password: "secret", Mechanisms: []string{"PLAIN"}}
	}
	return a
}

// send puts messages into the line in their order: the link takes longer.
func (m *mailing) send(from, to int) {
	for n := from; n <= to; n++ {
		m.senders.Go(func() {
			_, err := m.client.Send(context.Background(), m.account, &kaizen.Prepared{Envelope: m.cell.envelope(n),
				Content: m.cell.content(n), Chunking: m.cell.chunked(n), MessageID: messageID(n)})
			m.mu.Lock()
			defer m.mu.Unlock()
			m.verdicts[n] = verdictOf(err)
		})
		synctest.Wait()
	}
}

func verdictOf(err error) string {
	var e *kaizen.Error
	switch {
	case err == nil:
		return "accepted"
	case !errors.As(err, &e):
		return err.Error()
	}
	return e.Outcome.String() + " " + e.Class.String()
}

// told is what the senders of the messages but the struck one and the next must
// be told.
func (m *mailing) told(n int, after string) string {
	switch {
	case n == m.cell.struckNumber()-1:
		return m.cell.told()
	case settingUp[m.cell.place]: // those behind share the fate of the next one
		return after
	}
	return "accepted"
}

func (m *mailing) check(s *smtptest.Server) {
	t, c := m.t, m.cell
	struck, after, _ := c.throughClient(t)
	_, _, kept := expectation(c.struck)
	for n := 1; n <= messages; n++ {
		want, more := m.told(n, after), 0
		switch n {
		case c.struckNumber():
			want = struck
			if kept {
				more = 1
			}
		case c.struckNumber() + 1:
			want = after
		}
		if m.verdicts[n] != want {
			t.Errorf("message %d: %q, want %q: %s", n, m.verdicts[n], want, c.why)
		}
		checkArrivals(t, s, n, m.verdicts[n], more)
	}
}

// checkStats holds the pool's own accounts against what was told.
func (m *mailing) checkStats(s *smtptest.Server) {
	t := m.t
	st := m.client.Stats()[0]
	for outcome, counted := range map[smtp.Outcome]int64{smtp.Accepted: st.Accepted, smtp.Rejected: st.Rejected,
		smtp.NotSent: st.NotSent, smtp.Unknown: st.Unknown} {
		var told int64
		for _, verdict := range m.verdicts {
			if strings.HasPrefix(verdict, outcome.String()) {
				told++
			}
		}
		if told != counted {
			t.Errorf("%d senders were told %v, the pool counts %d", told, outcome, counted)
		}
	}
	if _, _, repeats := m.cell.throughClient(t); st.Repeated != int64(repeats) {
		t.Errorf("%d repeats, want %d", st.Repeated, repeats)
	}
	var closed int64
	for _, n := range st.Closed {
		closed += n
	}
	if st.Waiting+st.InFlight+st.Open > 0 || closed != st.Dialled {
		t.Errorf("something is left: %+v", st)
	}
	if m.cell.open && st.Dialled != 1 {
		t.Errorf("%d connections, want one that goes on", st.Dialled)
	}
	if peak := s.Stats().Peak; peak > 1 {
		t.Errorf("%d connections at once", peak)
	}
}
