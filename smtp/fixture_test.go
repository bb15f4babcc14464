package smtp_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// rig is a server in memory and how to reach it.
type rig struct {
	t      *testing.T
	server *smtptest.Server
	config smtp.Config

	mu    sync.Mutex
	wires []*wire
	// sever tells after how many octets of a write the connection breaks, -1 for not.
	sever func(written string) int
}

func newRig(t *testing.T, config smtptest.Config) *rig {
	t.Helper()
	config.Network = smtptest.Memory
	r := &rig{t: t, server: smtptest.NewServer(config)}
	t.Cleanup(func() {
		r.server.Close()
		if err := r.server.Err(); err != nil {
			t.Error(err)
		}
	})
	r.config = smtp.Config{Host: "localhost", Port: 25, TLS: smtp.TLSNone, LocalName: "client.test", Memory: new(smtp.Memory), DialContext: r.dialWire, LMTP: config.LMTP}
	return r
}

// scripted is a rig with a server that plays scripts behind EHLO.
func scripted(t *testing.T, scripts ...string) *rig {
	t.Helper()
	var config smtptest.Config
	for _, s := range scripts {
		config.Scripts = append(config.Scripts, smtptest.Dialogue("S: 220 x\nC~ ^EHLO\nS: 250-x\nS: 250-CHUNKING\nS: 250 PIPELINING\n"+s))
	}
	return newRig(t, config)
}

func (r *rig) dialWire(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := r.server.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{PipeConn: conn.(*smtptest.PipeConn), sever: r.sever}
	r.mu.Lock()
	r.wires = append(r.wires, w)
	r.mu.Unlock()
	return w, nil
}

func (r *rig) dial() *smtp.Conn {
	r.t.Helper()
	c, err := smtp.Dial(r.t.Context(), r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// trust lets the server's memory earn look-ahead: three clean groups.
func (r *rig) trust() {
	r.t.Helper()
	c := r.dial()
	for i := range 3 {
		m := letter(-1 - i)
		if err := r.stream(c, m); err != nil || m.verdict() != "accepted" {
			r.t.Fatal(err, m.verdict())
		}
	}
	if c.Level() != smtp.LevelLookAhead {
		r.t.Fatalf("level %v after three clean groups", c.Level())
	}
	c.Quit(r.t.Context())
}

// wire remembers what was written on a connection, write by write.
type wire struct {
	*smtptest.PipeConn
	sever func(string) int

	mu     sync.Mutex
	writes []string
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.writes = append(w.writes, string(p))
	w.mu.Unlock()
	if w.sever != nil {
		if n := w.sever(string(p)); n >= 0 {
			w.PipeConn.Write(p[:n])
			w.PipeConn.CloseWrite()
			return n, syscall.EPIPE
		}
	}
	return w.PipeConn.Write(p)
}

// flights are what was written on the connection dialled last, EHLO left out.
func (r *rig) flights() []string {
	r.mu.Lock()
	w := r.wires[len(r.wires)-1]
	r.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.writes[1:]...)
}

// verbs shows flights by the first word of each line: contents as "~".
func verbs(flights []string) string {
	var shown []string
	for _, f := range flights {
		line := ""
		for part := range strings.SplitSeq(strings.TrimSuffix(f, "\r\n"), "\r\n") {
			word, _, _ := strings.Cut(part, " ")
			switch word {
			case "RSET", "MAIL", "RCPT", "DATA", "BDAT", "QUIT", ".":
			default:
				word = "~"
			}
			if word == "~" && strings.HasSuffix(line, "~ ") {
				continue
			}
			line += word + " "
		}
		shown = append(shown, strings.TrimSpace(line))
	}
	return strings.Join(shown, " | ")
}

// parcel is a transaction with what it was told.
type parcel struct {
	*smtp.Transaction
	id       string
	result   *smtp.Result
	done     int
	counted  int // calls of MailReplied
	trips    int // round trips when it was told
	late     bool
	pulled   bool
	progress []int64
}

// letter is a small message; without recipients it is for one.
func letter(n int, to ...string) *parcel {
	return letterOf(n, smtp.Bytes([]byte(letterText(n))), to...)
}

func letterText(n int) string {
	return fmt.Sprintf("Message-ID: %s\r\n\r\nHello\r\n", letterID(n))
}

func letterID(n int) string { return fmt.Sprintf("<%d@a.test>", n) }

func letterOf(n int, content *smtp.Content, to ...string) *parcel {
	if to == nil {
		to = []string{fmt.Sprintf("r%d@b.test", n)}
	}
	m := &parcel{id: letterID(n)}
	m.Transaction = &smtp.Transaction{
		Envelope: smtp.Envelope{From: fmt.Sprintf("s%d@a.test", n), To: smtp.To(to...)},
		Content:  content,
		Progress: func(octets int64) { m.progress = append(m.progress, octets) },
		MailReplied: func() {
			m.counted++
			m.late = m.late || m.done > 0
		},
		Done: func(r *smtp.Result) { m.done++; m.result, m.trips = r, r.RoundTrips },
	}
	return m
}

// verdict is the result in short: outcome, class of the error, "again" if repeatable.
func (m *parcel) verdict() string {
	if m.result == nil {
		return "untold"
	}
	s := m.result.Outcome.String()
	if m.result.Err != nil {
		s += " " + m.result.Err.Class.String()
	}
	if m.result.Repeatable {
		s += " again"
	}
	return s
}

func verdicts(mails []*parcel) string {
	var all []string
	for _, m := range mails {
		all = append(all, m.verdict())
	}
	return strings.Join(all, ", ")
}

// recipients shows the outcome and the reply of each recipient.
func (m *parcel) recipients() string {
	var all []string
	for _, to := range m.result.Recipients {
		all = append(all, fmt.Sprintf("%v %d", to.Outcome, to.Reply.Code))
	}
	return strings.Join(all, ", ")
}

func queue(mails []*parcel) func(bool) *smtp.Transaction {
	return func(bool) *smtp.Transaction {
		if len(mails) == 0 {
			return nil
		}
		m := mails[0]
		mails = mails[1:]
		m.pulled = true
		return m.Transaction
	}
}

// stream sends the mails on c and checks what holds whatever happens.
func (r *rig) stream(c *smtp.Conn, mails ...*parcel) error {
	r.t.Helper()
	err := c.Stream(r.t.Context(), queue(mails))
	for _, m := range mails {
		r.check(m)
	}
	return err
}

// check holds the result against the server's own accounts.
func (r *rig) check(m *parcel) {
	r.t.Helper()
	switch {
	case !m.pulled && m.done == 0:
		return
	case !m.pulled || m.done != 1:
		r.t.Errorf("%s: told %d times", m.id, m.done)
		return
	case m.counted > 1 || m.late:
		r.t.Errorf("%s: MailReplied %d times, after Done: %v", m.id, m.counted, m.late)
	case m.result.RoundTrips != m.trips:
		r.t.Errorf("%s: the result was changed after it was told", m.id)
	case (m.result.Err == nil) != m.allAccepted():
		r.t.Errorf("%s: error %v with recipients %s", m.id, m.result.Err, m.recipients())
	}
	synctest.Wait()
	r.compare(m)
}

func (m *parcel) allAccepted() bool {
	for _, to := range m.result.Recipients {
		if to.Outcome != smtp.Accepted {
			return false
		}
	}
	return true
}

func (r *rig) compare(m *parcel) {
	r.t.Helper()
	tally := r.server.Accepted()[m.id]
	got := map[string]int{}
	for _, to := range tally.Recipients {
		got[to]++
	}
	scripted := r.server.Stats().Commands == 0
	for _, to := range m.result.Recipients {
		n := got[to.Address]
		wrong := n > 1 || n == 1 && (to.Outcome == smtp.NotSent || to.Outcome == smtp.Rejected) ||
			n == 0 && to.Outcome == smtp.Accepted
		if wrong && !scripted {
			r.t.Errorf("%s: %s was told %v, the server took it %d times", m.id, to.Address, to.Outcome, n)
		}
	}
}

// bubble runs a test on its own time.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
