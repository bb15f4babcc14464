package kaizen_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// memoryServer starts a server in memory that ends with the test.
func memoryServer(t *testing.T, config smtptest.Config) *smtptest.Server {
	config.Network = smtptest.Memory
	s := smtptest.NewServer(config)
	t.Cleanup(func() { s.Close() })
	return s
}

// refuse answers everything at that phase.
func refuse(phase smtptest.Phase, code int, text string) smtptest.Config {
	return smtptest.Config{Faults: []smtptest.Fault{{Phase: phase, Action: smtptest.Answer, Reply: smtptest.Reply{Code: code, Text: text}}}}
}

// What a person reads names the account, the server, the phase, the server's
// own words, and what to do where we can tell.
func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		server  smtptest.Config
		change  func(*kaizen.Account)
		class   kaizen.Class
		outcome kaizen.Outcome
		again   bool // Temporary
		text    string
	}{
		{"sender", refuse(smtptest.PhaseMAIL, 550, "5.7.60 Client does not have permissions to send as this sender"), nil,
			kaizen.ErrSender, smtp.Rejected, false,
			"account work: localhost:25: mail: 550 5.7.60 Client does not have permissions to send as this sender"},
		{"recipient", refuse(smtptest.PhaseRCPT, 550, "5.1.1 No such user"), nil,
			kaizen.ErrRecipient, smtp.Rejected, false,
			"account work: localhost:25: rcpt: recipient bob@example.net: 550 5.1.1 No such user"},
		{"greylisting", refuse(smtptest.PhaseRCPT, 450, "4.2.0 Greylisted, come back later"), nil,
			kaizen.ErrRecipient, smtp.Rejected, true,
			"account work: localhost:25: rcpt: recipient bob@example.net: 450 4.2.0 Greylisted, come back later"},
		{"relay", refuse(smtptest.PhaseRCPT, 554, "5.7.1 Relay access denied"), nil,
			kaizen.ErrRecipient, smtp.Rejected, false,
			"account work: localhost:25: rcpt: recipient bob@example.net: 554 5.7.1 Relay access denied (log in: the server relays only for those it knows)"},
		{"content", refuse(smtptest.PhaseFinal, 554, "5.6.0 Looks like spam"), nil,
			kaizen.ErrContent, smtp.Rejected, false,
			"account work: localhost:25: final reply: 554 5.6.0 Looks like spam"},
		{"quota", refuse(smtptest.PhaseMAIL, 550, "5.4.5 Daily user sending limit exceeded"), nil,
			kaizen.ErrQuota, smtp.Rejected, true,
			"account work: localhost:25: mail: 550 5.4.5 Daily user sending limit exceeded (wait until the provider's window has passed, or ask for a higher limit)"},
		{"rate", refuse(smtptest.PhaseMAIL, 454, "4.7.0 Throttling failure: Maximum sending rate exceeded"), nil,
			kaizen.ErrRate, smtp.Rejected, true,
			"account work: localhost:25: mail: 454 4.7.0 Throttling failure: Maximum sending rate exceeded"},
		{"password", smtptest.Config{Auth: &smtptest.Auth{}}, func(a *kaizen.Account) { a.Username, a.Password = "ann", "wrong" },
			kaizen.ErrAuth, smtp.NotSent, false,
			"account work: localhost:25: auth: 535 5.7.8 Authentication credentials invalid (check user name and password; many providers want an app password)"},
		{"an account without a name", smtptest.Config{Auth: &smtptest.Auth{}}, func(a *kaizen.Account) { a.Name, a.Username, a.Password = "", "ann", "wrong" },
			kaizen.ErrAuth, smtp.NotSent, false,
			"account ann@localhost:25: auth: 535 5.7.8 Authentication credentials invalid (check user name and password; many providers want an app password)"},
		{"lost verdict", smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop}}}, nil,
			kaizen.ErrConnect, smtp.Unknown, true,
			"account work: localhost:25: final reply: the server closed the connection (the message may have been accepted)"},
		{"no TLS", smtptest.Config{}, func(a *kaizen.Account) { a.TLS = smtp.TLSStartTLS },
			kaizen.ErrTLS, smtp.NotSent, false,
			"account work: localhost:25: tls: STARTTLS is required, but the server does not offer it (use port 465 with implicit TLS if there is one; only by explicit choice can mail go unencrypted)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := memoryServer(t, c.server)
			a := account(server)
			a.Name = "work"
			if c.change != nil {
				c.change(&a)
			}
			client := kaizen.New(kaizen.Config{})
			defer client.Close()
			_, err := client.Send(t.Context(), a, note("1"))
			if err == nil || err.Error() != c.text {
				t.Errorf("got  %v\nwant %s", err, c.text)
			}
			var e *kaizen.Error
			if !errors.As(err, &e) || !errors.Is(err, c.class) || errors.Is(err, kaizen.ErrClosed) {
				t.Fatalf("%v is not of class %v", err, c.class)
			}
			if e.Outcome != c.outcome || e.Temporary() != c.again || e.SafeToRetry() != (c.outcome != smtp.Unknown) {
				t.Errorf("outcome %v, temporary %t, safe to retry %t", e.Outcome, e.Temporary(), e.SafeToRetry())
			}
			if len(e.Recipients) != 1 || e.Recipients[0].Address != "bob@example.net" || e.Recipients[0].Outcome != c.outcome {
				t.Errorf("recipients %+v", e.Recipients)
			}
		})
	}
}

// unused fails the test if it is asked for a connection.
func unused(t *testing.T) kaizen.Account {
	s := memoryServer(t, smtptest.Config{})
	a := account(s)
	a.Name = "work"
	t.Cleanup(func() {
		if n := s.Stats().Connections; n != 0 {
			t.Errorf("%d connections were made", n)
		}
	})
	return a
}

// What can go nowhere fails before any connection is made.
func TestMessagesThatCannotGo(t *testing.T) {
	t.Parallel()
	content := func() *smtp.Content { return smtp.Bytes([]byte("Subject: x\r\n\r\nx\r\n")) }
	envelope := func(from string, to ...string) *kaizen.Prepared {
		return &kaizen.Prepared{Envelope: kaizen.Envelope{From: from, To: smtp.To(to...)}, Content: content()}
	}
	absent := &message.Message{From: "a@example.com", To: []string{"b@example.net"}, Attachments: []message.Attachment{message.AttachFile("/no/such/file")}}
	for name, c := range map[string]struct {
		m     kaizen.Message
		class kaizen.Class
		says  string
	}{
		"no message":            {nil, kaizen.ErrContent, "no message given"},
		"a nil Prepared":        {(*kaizen.Prepared)(nil), kaizen.ErrContent, "no message given"},
		"no content":            {&kaizen.Prepared{Envelope: kaizen.Envelope{To: smtp.To("b@example.net")}}, kaizen.ErrContent, "no content"},
		"no recipients":         {envelope("a@example.com"), kaizen.ErrRecipient, "no recipients"},
		"line end in recipient": {envelope("a@example.com", "b@example.net>\r\nRCPT TO:<c@example.net"), kaizen.ErrRecipient, "example.net"},
		"line end in sender":    {envelope("a@example.com>\r\nDATA\r\n", "b@example.net"), kaizen.ErrSender, "example.com"},
		"missing attachment":    {absent, kaizen.ErrContent, "/no/such/file"},
		"no sender":             {&message.Message{To: []string{"b@example.net"}}, kaizen.ErrContent, "From"},
		"line end in a header":  {&message.Message{From: "a@example.com", To: []string{"b@example.net"}, Subject: "x\r\nBcc: c@example.net"}, kaizen.ErrContent, "Subject"},
		"an envelope unknown":   {bytes.NewBufferString("x"), kaizen.ErrSender, "kaizen.Prepared"},
		"a source that fails":   {&kaizen.Prepared{Envelope: kaizen.Envelope{To: smtp.To("b@example.net")}, Content: smtp.WriterTo(kaizen.WriterFunc(func(io.Writer) error { return errors.New("out of ink") }))}, kaizen.ErrContent, "out of ink"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := unused(t)
			client := kaizen.New(kaizen.Config{})
			defer client.Close()
			receipt, err := client.Send(t.Context(), a, c.m)
			var e *kaizen.Error
			if receipt != nil || !errors.As(err, &e) || !errors.Is(err, c.class) {
				t.Fatalf("receipt %v, error %v", receipt, err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "account work: ") || !strings.Contains(text, c.says) || strings.Contains(text, "waiting") {
				t.Errorf("says %q", text)
			}
			if e.Outcome != smtp.NotSent || e.Temporary() || !e.SafeToRetry() {
				t.Errorf("outcome %v, temporary %t, safe to retry %t", e.Outcome, e.Temporary(), e.SafeToRetry())
			}
		})
	}
}

func TestErrorsMarshalWithTheirRecipients(t *testing.T) {
	t.Parallel()
	server := memoryServer(t, refuse(smtptest.PhaseRCPT, 550, "5.1.1 No such user"))
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	a := account(server)
	a.Name = "work"
	_, err := client.Send(context.Background(), a, note("1"))
	octets, jerr := json.Marshal(err)
	const want = `{"account":"work","server":"localhost:25","phase":"rcpt","class":"recipient","outcome":"rejected",` +
		`"reply":{"code":550,"enhanced":"5.1.1","text":"No such user"},` +
		`"recipients":[{"address":"bob@example.net","outcome":"rejected","class":"recipient","phase":"rcpt","reply":{"code":550,"enhanced":"5.1.1","text":"No such user"}}]}`
	if jerr != nil || string(octets) != want {
		t.Errorf("%v\ngot  %s\nwant %s", jerr, octets, want)
	}
	if fmt.Sprintf("%v", err) != err.Error() {
		t.Error("printing is not the text")
	}
}
