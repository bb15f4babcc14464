package smtp_test

import (
	"errors"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// situation makes a provider say no, and is what that is about.
type situation struct {
	name  string
	class smtp.Class
	// set changes the server; false: the provider has no words for it.
	set    func(*smtptest.Config) bool
	octets int // of each message
	// messages sent on the second of two connections, 0 for one on each
	messages int
	to       []string
}

var one = []string{"bob@example.net"}

var situations = []situation{
	{"a wrong password", smtp.ClassAuth, func(c *smtptest.Config) bool {
		c.Auth.AnySecret = false
		return true
	}, 10, 1, one},
	{"a login too many", smtp.ClassAuthTemporary, func(c *smtptest.Config) bool {
		c.Limits.Logins.N, c.Limits.Logins.Per = 1, time.Hour
		return c.Limits.Logins.Reply.Code != 0
	}, 10, 0, one},
	{"a connection too many", smtp.ClassConnectionLimit, func(c *smtptest.Config) bool {
		c.Limits.Connections = 1
		return true
	}, 10, 1, one},
	{"a message too many on the connection", smtp.ClassSessionLimit, func(c *smtptest.Config) bool {
		c.Limits.MessagesPerConnection = 1
		return c.Limits.MessagesReply.Code != 0
	}, 10, 2, one},
	{"too fast", smtp.ClassRate, func(c *smtptest.Config) bool {
		c.Limits.Rate.N, c.Limits.Rate.Per = 1, time.Hour
		return c.Limits.Rate.Reply.Code != 0
	}, 10, 2, one},
	{"too much", smtp.ClassQuota, func(c *smtptest.Config) bool {
		c.Limits.Rate.N, c.Limits.Quota.N, c.Limits.Quota.Per = 0, 1, time.Hour
		return c.Limits.Quota.Reply.Code != 0
	}, 10, 2, one},
	{"an unknown recipient", smtp.ClassRecipient, func(c *smtptest.Config) bool {
		c.UnknownRecipients = one
		return true
	}, 10, 1, one},
	{"too many recipients", smtp.ClassTooManyRecipients, func(c *smtptest.Config) bool {
		c.Limits.RecipientsPerMessage = 1
		return true
	}, 10, 1, []string{"ann@example.net", "bob@example.net"}},
	{"a message that is too large", smtp.ClassSize, func(c *smtptest.Config) bool {
		c.Limits.MaxSize = 1000
		return true
	}, 2000, 1, one},
}

// unlike are the words that mean something else than they would elsewhere.
var unlike = map[string]smtp.Class{
	"stalwart: too much": smtp.ClassContent, // a full disk: a smaller one may fit
}

// What each provider says when it says no is understood.
func TestProfilesAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, name := range smtptest.Profiles() {
		for _, s := range situations {
			t.Run(name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				config, err := smtptest.Profile(name)
				if err != nil {
					t.Fatal(err)
				}
				if !s.set(&config) {
					return
				}
				want, special := unlike[name+": "+s.name]
				if !special {
					want = s.class
				}
				if got := s.provoke(t, config); !errors.Is(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}

// provoke returns what the second of two connections is told.
func (s situation) provoke(t *testing.T, config smtptest.Config) error {
	r := newRig(t, config)
	r.config.TLS, r.config.TLSConfig = smtp.TLSStartTLS, r.server.ClientTLS()
	r.config.Auth = &smtp.Auth{Username: "ann", Password: "secret"}
	first := r.dial()
	if s.messages == 0 {
		if err := s.send(t, first); err != nil {
			t.Fatalf("the first login: %v", err)
		}
	}
	c, err := smtp.Dial(t.Context(), r.config)
	if err != nil {
		return err
	}
	defer c.Close()
	for range s.messages - 1 {
		if err := s.send(t, c); err != nil {
			t.Fatalf("a message within the limits: %v", err)
		}
	}
	return s.send(t, c)
}

// send returns the first reason why not all recipients were accepted.
func (s situation) send(t *testing.T, c *smtp.Conn) error {
	content := make([]byte, 0, s.octets+10)
	content = append(content, "X: y\r\n\r\n"...)
	for len(content) < s.octets {
		content = append(content, "0123456789012345678901234567890123456789\r\n"...)
	}
	_, err := c.Send(t.Context(), &smtp.Transaction{
		Envelope: smtp.Envelope{From: "ann@example.com", To: smtp.To(s.to...)}, Content: smtp.Bytes(content)})
	return err
}
