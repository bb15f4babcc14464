package interop_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// mailServer is a server of the mailboxes bob, eve and full, reached by LMTP.
type mailServer struct {
	version string
	account kaizen.Account
	arrived func(who string) int
}

// TestLMTP sends to real servers of mailboxes, in every way there is to them:
// each recipient must be told what became of its own copy.
func TestLMTP(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	if !short() {
		t.Run("go-smtp", func(t *testing.T) {
			t.Parallel()
			checkLMTP(t, startGoLMTP(t))
		})
	}
	d := startDovecot(t, w)
	t.Log("Dovecot", d.version)
	eventually(t, "Dovecot listens", func() bool {
		conn, err := net.Dial("unix", d.socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	for name, a := range d.accounts(w) {
		t.Run("Dovecot, "+name, func(t *testing.T) { checkLMTP(t, mailServer{d.version, a, d.arrived}) })
	}
	in := instance{logs: []string{d.root.path("var/log/dovecot.log"), d.process.log}, complaints: `(?i)panic|fatal`}
	d.process.stop(t)
	for _, line := range in.complained(t) {
		t.Error("the server's log:", line)
	}
}

// accounts are the ways to Dovecot.
func (d *dovecot) accounts(w *workshop) map[string]kaizen.Account {
	host, port, _ := net.SplitHostPort(d.address)
	number, _ := strconv.Atoi(port)
	plain := kaizen.Account{Host: host, Port: number, LMTP: true, Limits: kaizen.Limits{Rates: kaizen.NoRate()}}
	secure, local := plain, plain
	secure.TLS, secure.TLSConfig = smtp.TLSStartTLS, &tls.Config{RootCAs: w.roots, MinVersion: tls.VersionTLS12}
	local.Host, local.Port, local.Socket = "", 0, d.socket
	return map[string]kaizen.Account{"TCP": plain, "STARTTLS": secure, "UNIX socket": local}
}

func checkLMTP(t *testing.T, s mailServer) {
	for _, level := range []smtp.Level{smtp.LevelLockStep, smtp.LevelGroup, smtp.LevelLookAhead} {
		for _, chunking := range []bool{false, true} {
			a := s.account
			a.MaxLevel = level
			t.Run(fmt.Sprintf("%v, BDAT %t", level, chunking), func(t *testing.T) { checkMailboxes(t, s, a, chunking) })
		}
	}
}

// checkMailboxes sends to good mailboxes, one that is full and one that is not
// there, in bursts, over one connection.
func checkMailboxes(t *testing.T, s mailServer, a kaizen.Account, chunking bool) {
	a.Limits.Connections = 1
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	fillMailbox(t, client, a, s)
	bob, eve, full := s.arrived("bob"), s.arrived("eve"), s.arrived("full")
	const n = 6
	// burst sends n letters at once, and counts those that took one round trip.
	burst := func(check func(*kaizen.Receipt, error), to ...string) (single int64) {
		var senders sync.WaitGroup
		var count atomic.Int64
		for i := range n {
			senders.Go(func() {
				r, err := client.Send(t.Context(), a, lmtpLetter(i, 100, chunking, to...))
				check(r, err)
				if r != nil && r.RoundTrips() == 1 {
					count.Add(1)
				}
			})
		}
		senders.Wait()
		return count.Load()
	}
	several := burst(func(r *kaizen.Receipt, err error) { checkVerdicts(t, r, err) }, "bob", "nobody", "eve", "full", "bob+x")
	alone := burst(func(_ *kaizen.Receipt, err error) {
		if err != nil {
			t.Error(err)
		}
	}, "bob")
	// Nothing rides behind a content for several recipients.
	if ahead := a.MaxLevel == smtp.LevelLookAhead; several > 0 || ahead != (alone > 0) {
		t.Errorf("%d messages for several and %d for one took one round trip", several, alone)
	}
	if got := s.arrived("bob") - bob; got != 3*n {
		t.Errorf("%d copies arrived for bob, want %d", got, 3*n)
	}
	if got := s.arrived("eve") - eve; got != n {
		t.Errorf("%d copies arrived for eve, want %d", got, n)
	}
	if got := s.arrived("full") - full; got != 0 {
		t.Errorf("%d copies arrived in the full mailbox", got)
	}
}

// checkVerdicts wants bob, eve and bob+x served, and the others refused, each by
// the reply to its own.
func checkVerdicts(t *testing.T, r *kaizen.Receipt, err error) {
	t.Helper()
	var e *kaizen.Error
	if !errors.As(err, &e) || len(e.Recipients) != 2 || !e.SafeToRetry() || r == nil || len(r.Transactions) != 1 {
		t.Errorf("%v", err)
		return
	}
	for i, want := range []smtp.Outcome{smtp.Accepted, smtp.Rejected, smtp.Accepted, smtp.Rejected, smtp.Accepted} {
		to := r.Recipients[i]
		if to.Outcome != want || to.Class != smtp.ClassNone && to.Class != smtp.ClassRecipient {
			t.Errorf("%s: %v, %v, %v", to.Address, to.Outcome, to.Class, to.Reply)
		}
	}
	if no := r.Recipients[1]; no.Phase != smtp.PhaseRcpt || no.Reply.Code != 550 {
		t.Errorf("%+v", no)
	}
	if full := r.Recipients[3]; full.Phase != smtp.PhaseFinal || full.Reply.Code/100 != 5 && full.Reply.Code/100 != 4 {
		t.Errorf("%+v", full)
	}
	if yes := r.Recipients[0]; strings.Contains(yes.Reply.Text, "Saved") && yes.QueueID == "" {
		t.Errorf("no queue ID in %q", yes.Reply.Text)
	}
}

// fillMailbox leaves no room in a mailbox.
func fillMailbox(t *testing.T, client *kaizen.Client, a kaizen.Account, s mailServer) {
	t.Helper()
	for i := range 10 {
		_, err := client.Send(t.Context(), a, lmtpLetter(i, quotaOctets*2/5, false, "full"))
		if err == nil {
			continue
		}
		if errors.Is(err, kaizen.ErrRecipient) {
			_, err = client.Send(t.Context(), a, lmtpLetter(i, 100, false, "full"))
		}
		for ; err == nil; _, err = client.Send(t.Context(), a, lmtpLetter(i, 10_000, false, "full")) {
		}
		for err = nil; err == nil; _, err = client.Send(t.Context(), a, lmtpLetter(i, 100, false, "full")) {
		}
		return
	}
	t.Fatal("the mailbox takes more and more")
}

func lmtpLetter(n, size int, chunking bool, mailboxes ...string) *kaizen.Prepared {
	to := make([]string, len(mailboxes))
	for i, mailbox := range mailboxes {
		to[i] = mailbox + "@" + domain
	}
	text := fmt.Sprintf("Message-ID: <%d.%d@example.com>\r\nFrom: %s\r\nSubject: LMTP\r\n\r\n", n, time.Now().UnixNano(), sender) +
		strings.Repeat(".A line that begins with a dot.\r\n", 1+size/33)
	return &kaizen.Prepared{Envelope: kaizen.Envelope{From: sender, To: smtp.To(to...)}, Content: smtp.Bytes([]byte(text)), Chunking: chunking}
}

// startGoLMTP is go-smtp's server, in this process.
func startGoLMTP(t *testing.T) mailServer {
	box := &maildir{t.TempDir()}
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) {
		return &lmtpSession{box: box}, nil
	}))
	server.Domain, server.LMTP, server.MaxMessageBytes = "mx."+domain, true, maxSize
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		must(t, server.Close())
		if err := <-served; err != nil && err != gosmtp.ErrServerClosed {
			t.Error(err)
		}
	})
	in := instance{mailbox: map[string]string{"bob": filepath.Join(box.dir, "bob"), "eve": filepath.Join(box.dir, "eve"), "full": filepath.Join(box.dir, "full")}}
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	number, _ := strconv.Atoi(port)
	return mailServer{"", kaizen.Account{Host: host, Port: number, LMTP: true, Limits: kaizen.Limits{Rates: kaizen.NoRate()}}, in.count}
}

// lmtpSession answers for each recipient, the last one first.
type lmtpSession struct {
	box *maildir
	to  []string
}

func (s *lmtpSession) Reset()                                 { s.to = nil }
func (s *lmtpSession) Logout() error                          { return nil }
func (s *lmtpSession) Mail(string, *gosmtp.MailOptions) error { return nil }

func (s *lmtpSession) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	if mailboxOf(to) == "" && !strings.HasPrefix(to, "full@") {
		return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *lmtpSession) Data(io.Reader) error { return errors.New("asked as by SMTP") }

func (s *lmtpSession) LMTPData(r io.Reader, status gosmtp.StatusCollector) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for i := len(s.to) - 1; i >= 0; i-- {
		if strings.HasPrefix(s.to[i], "full@") {
			status.SetStatus(s.to[i], &gosmtp.SMTPError{Code: 552, EnhancedCode: gosmtp.EnhancedCode{5, 2, 2}, Message: "Quota exceeded"})
			continue
		}
		status.SetStatus(s.to[i], s.box.deliver(s.to[i], "LMTP", content))
	}
	return nil
}
