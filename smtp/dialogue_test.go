package smtp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const (
	puppetPassword = "Se5ame,open!"
	puppetMessages = 8
)

// A server may say anything at any time: nothing crashes or hangs, every message
// handed out is told once, none is called accepted without a 2xx in the right
// place, no secret is shown, and a reply without end is not read to its end.
// The first octet chooses the settings, the others are the server's part.
func FuzzDialogue(f *testing.F) {
	for _, part := range parts() {
		for _, settings := range "\x00\x01\x02\x07\x0b\x10\x1b\x2b\x80\x81\x87\x8b" {
			f.Add([]byte(string(settings) + part))
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) == 0 || len(input) > 4<<10 {
			return
		}
		synctest.Test(t, func(t *testing.T) { converseWithPuppet(t, input[0], input[1:]) })
	})
}

// parts are dialogues to begin with. Proper answers are told by one octet, as
// the settings decide what is asked.
func parts() []string {
	proper := func(n int) string { return strings.Repeat("\x04", n) }
	opening := proper(2)  // greeting, EHLO
	trusted := proper(17) // and three messages, the login among them
	return []string{
		proper(60),
		"220 mx\r\n\x00250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n\x00235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n\x00250 ok\r\n",
		opening + "\x00250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n", // all of it at once
		opening + proper(3) + "\x00354 go\r\n\x00250 ok\r\n",
		opening + "535 5.7.8 \x05 is wrong\r\n",
		opening + "\x04550 no \x06 here\r\n" + proper(9),
		opening + proper(4) + "\x06 is no reply\r\n", // what is no reply is quoted
		opening + proper(2) + "250-fine\r\n\x06 is no reply\r\n",
		opening + "334 \x05\r\n\x00334 \x05\r\n\x00235 ok\r\n" + proper(20),
		trusted + "421 bye\r\n\x01", trusted + "\x03" + proper(9), trusted + "\x01", trusted + "\x02",
		trusted + "250 one too many\r\n" + proper(20),
		trusted + proper(1) + "\x07", trusted + "\x08", trusted + "\x08\r\n", opening + "\x07", "\x07", "\x08",
		trusted + "500 5.5.2 what\r\n" + proper(40), trusted + proper(1) + "503 5.5.1 sequence\r\n" + proper(40),
		trusted + proper(2) + "452 4.5.3 too many\r\n" + proper(40), trusted + "2", trusted + "250-half\r\n\x01",
		"220 mx\r\n\x00502 no\r\n\x00" + proper(30), "220 mx\r\n\x04\x00220 go\r\nno TLS", "\x01", "\x02", "\x03", "554 no\r\n",
	}
}

// conversation is a client with a puppet for a server.
type conversation struct {
	t      *testing.T
	puppet *puppet
	config smtp.Config
	shown  strings.Builder // whatever anybody could log
	told   map[int]*smtp.Result
	handed int
}

func converseWithPuppet(t *testing.T, settings byte, part []byte) {
	near, far := smtptest.Pipe()
	c := &conversation{t: t, puppet: &puppet{conn: far, password: puppetPassword, lmtp: settings&0x80 != 0}, told: map[int]*smtp.Result{}}
	c.config = smtp.Config{Host: "localhost", Port: 25, LocalName: "client.test", MaxLevel: smtp.Level(settings & 3), LMTP: settings&0x80 != 0,
		TLS:         []smtp.TLSMode{smtp.TLSNone, smtp.TLSOpportunistic, smtp.TLSNone, smtp.TLSStartTLS}[settings>>4&3],
		Trace:       c.trace(),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
	if settings&8 != 0 {
		c.config.Auth = &smtp.Auth{Username: "ann", Password: puppetPassword}
	}
	played := make(chan struct{})
	go func() {
		defer close(played)
		c.puppet.play(part)
	}()
	c.send(settings&4 != 0)
	near.Close()
	<-played
	c.check()
}

func (c *conversation) trace() *smtp.Trace {
	return &smtp.Trace{
		Sent:     func(line string) { c.show(line) },
		Received: func(r smtp.Reply) { c.show(r.String()) },
		Closed:   func(err error) { c.show(err) },
	}
}

func (c *conversation) show(what any) { fmt.Fprintf(&c.shown, "%v\n%+v\n", what, what) }

// send sends messages until there are no more or the connection is lost.
func (c *conversation) send(chunking bool) {
	conn, err := smtp.Dial(context.Background(), c.config)
	c.show(err)
	if err != nil {
		return
	}
	c.show(conn.Info())
	err = conn.Stream(context.Background(), func(bool) *smtp.Transaction {
		if c.handed == puppetMessages {
			return nil
		}
		c.handed++
		n := c.handed
		content := smtp.Bytes([]byte(letterText(n)))
		if n == 5 {
			content = smtp.Bytes([]byte(letterText(n) + strings.Repeat("A line of the text.\r\n", 5_000) + "Hello\r\n"))
		}
		return &smtp.Transaction{Envelope: smtp.Envelope{From: "a@a.test", To: smtp.To("b@b.test", "c@b.test")[:1+n%2]},
			Content: content, Chunking: chunking, AllOrNothing: n%4 == 0,
			Done: func(r *smtp.Result) { c.done(n, r) }}
	})
	c.show(err)
	if err == nil {
		c.show(conn.Quit(context.Background()))
	}
	conn.Close()
}

func (c *conversation) done(n int, r *smtp.Result) {
	if c.told[n] != nil {
		c.t.Errorf("message %d was told twice", n)
	}
	c.told[n] = r
	text, err := json.Marshal(r)
	c.show(string(text))
	c.show(err)
	if r.Err != nil {
		c.show(r.Err)
	}
}

func (c *conversation) check() {
	if len(c.told) != c.handed {
		c.t.Errorf("%d messages were handed out, %d were told", c.handed, len(c.told))
	}
	d := c.puppet.dialogue()
	for n, r := range c.told {
		for _, to := range r.Recipients {
			if to.Outcome != smtp.Accepted {
				continue
			}
			if err := d.deserved(letterID(n), to.Address, "Hello\r\n"); err != nil {
				c.t.Errorf("message %d is called accepted for %s: %v\nserver: %q", n, to.Address, err, c.puppet.said)
			}
		}
	}
	if limit := 400 << 10; c.puppet.ranted > limit {
		c.t.Errorf("the client listened to %d octets of one reply", c.puppet.ranted)
	}
	c.checkSecrets()
}

// checkSecrets looks for the password, unless the server said it before it was
// told.
func (c *conversation) checkSecrets() {
	if c.config.Auth == nil || c.puppet.guessed {
		return
	}
	for _, secret := range []string{puppetPassword,
		base64.StdEncoding.EncodeToString([]byte(puppetPassword)),
		base64.StdEncoding.EncodeToString([]byte("\x00ann\x00" + puppetPassword))} {
		if at := strings.Index(c.shown.String(), secret); at >= 0 {
			from := max(0, at-100)
			c.t.Errorf("a secret is shown: %q\nserver: %q", c.shown.String()[from:at+len(secret)], c.puppet.said)
		}
	}
}
