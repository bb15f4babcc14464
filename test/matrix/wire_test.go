package matrix_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// On one connection, each fault at each place and level has the outcome that is
// written down, and the server's accounts agree. What hangs, or leaves a
// goroutine behind, shows as a deadlock of the bubble.
func TestMatrixOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range cells(t) {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newSession(t, c).play() })
		})
	}
}

// session is one connection and what was told about it.
type session struct {
	t        *testing.T
	cell     cell
	server   *smtptest.Server
	conn     *smtp.Conn
	verdicts map[int]string // by message
	aside    string         // what became of the dial, login, NOOP or QUIT
	handed   int
}

func newSession(t *testing.T, c cell) *session {
	return &session{t: t, cell: c, server: c.server(t), verdicts: map[int]string{}}
}

func (s *session) play() {
	defer s.server.Close()
	s.send()
	if s.conn != nil {
		defer s.conn.Close()
	}
	synctest.Wait()
	time.Sleep(2 * time.Second) // the server has swallowed what was on its way
	s.check()
}

// send goes through the session until something ends it.
func (s *session) send() {
	var err error
	if s.conn, err = smtp.Dial(s.t.Context(), s.config()); err != nil {
		s.aside = "dial " + classOf(err)
		return
	}
	if err := s.stream(s.cell.split()); err != nil {
		return
	}
	switch s.cell.place {
	case "noop":
		if s.note("noop", s.conn.Noop(s.t.Context())) != nil {
			return
		}
		s.stream(messages)
	case "idle":
		time.Sleep(resting)
		s.stream(messages)
	case "quit":
		s.note("quit", s.conn.Quit(s.t.Context()))
	}
}

func (s *session) config() smtp.Config {
	config := smtp.Config{Host: "localhost", Port: 25, TLS: smtp.TLSNone, LocalName: "client.test",
		MaxLevel: s.cell.maxLevel(), DialContext: s.server.DialContext}
	switch s.cell.place {
	case "starttls":
		config.TLS, config.TLSConfig = smtp.TLSStartTLS, s.server.ClientTLS()
	case "tls":
		config.TLS, config.TLSConfig = smtp.TLSImplicit, s.server.ClientTLS()
	case "auth":
		config.Auth = &smtp.Auth{Username: "ann", Password: "secret", Mechanisms: []string{"PLAIN"}}
	}
	return config
}

// stream sends the messages up to a number, all of them waiting from the start.
func (s *session) stream(upTo int) error {
	handed := s.handed
	err := s.conn.Stream(s.t.Context(), func(bool) *smtp.Transaction {
		if s.handed == upTo {
			return nil
		}
		s.handed++
		n := s.handed
		return &smtp.Transaction{Envelope: s.cell.envelope(n), Content: s.cell.content(n), Chunking: s.cell.chunked(n),
			Done: func(r *smtp.Result) { s.told(n, r) }}
	})
	if err != nil && s.handed == handed {
		s.aside = "login " + classOf(err)
	}
	return err
}

func (s *session) told(n int, r *smtp.Result) {
	if s.verdicts[n] != "" {
		s.t.Errorf("message %d was told twice", n)
	}
	verdict := r.Outcome.String()
	if r.Err != nil {
		verdict += " " + r.Err.Class.String()
	}
	if r.Repeatable {
		verdict += " again"
	}
	s.verdicts[n] = verdict
}

func (s *session) note(what string, err error) error {
	s.aside = what
	if err != nil {
		s.aside += " " + classOf(err)
	}
	return err
}

func classOf(err error) string {
	var e *smtp.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return e.Class.String()
}

// check compares the session with the cell's expectation.
func (s *session) check() {
	t, c := s.t, s.cell
	k := c.struckNumber()
	struck, after := s.verdicts[k], s.verdicts[k+1]
	before := s.verdicts[k-1]
	switch {
	case c.place == "quit":
		before, struck, after = s.verdicts[messages], s.aside, ""
	case c.place == "noop":
		struck, after = s.aside, s.verdicts[k]
	case s.aside != "":
		struck = s.aside
	}
	wantStruck, _, kept := expectation(c.struck)
	if before != c.told() || struck != wantStruck || after != c.after {
		t.Errorf("%q, %q, %q\nwant %q, %q, %q: %s", before, struck, after, c.told(), wantStruck, c.after, c.why)
	}
	if open := s.conn != nil && s.conn.Alive() && c.place != "quit"; open != c.open {
		t.Errorf("the connection is open: %t, want %t", open, c.open)
	}
	if c.open && s.handed != messages {
		t.Errorf("%d messages were handed over, want all", s.handed)
	}
	for n := 1; n <= s.handed; n++ {
		more := 0
		if kept && n == k {
			more = 1
		}
		if s.verdicts[n] == "" {
			t.Errorf("message %d was told nothing", n)
		}
		checkArrivals(t, s.server, n, s.verdicts[n], more)
	}
}
