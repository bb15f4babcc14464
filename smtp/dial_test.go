package smtp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestGreetingsThatTurnUsAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script string
		class        smtp.Class
		code         int
		says         string
	}{
		{"nothing at all", "S! close", smtp.ClassConnect, 0, "closed the connection"},
		{"reset", "S! reset", smtp.ClassConnect, 0, ""},
		{"half a line", "S> \"220 mx\"\nS! close", smtp.ClassConnect, 0, "closed the connection"},
		{"half a reply", "S: 220-mx\nS! close", smtp.ClassConnect, 0, "closed the connection"},
		{"too busy", "S: 421 4.7.0 Too many connections", smtp.ClassConnectionLimit, 421, "fewer connections"},
		{"no service", "S: 554 No SMTP service here", smtp.ClassConnect, 554, "No SMTP service"},
		{"for now", "S: 450 4.3.2 Not now", smtp.ClassConnect, 450, "Not now"},
		{"another protocol", "S: +OK POP3 ready", smtp.ClassProtocol, 0, "POP3"},
		{"a web server", "S: HTTP/1.1 400 Bad Request", smtp.ClassProtocol, 0, "HTTP/1.1"},
		{"not ready", "S: 354 go ahead", smtp.ClassConnect, 354, ""},
		{"another success", "S: 250 hello", smtp.ClassProtocol, 250, "hello"},
		{"code 600", "S: 600 hello", smtp.ClassProtocol, 0, "600"},
		{"code 120", "S: 120 in ten minutes", smtp.ClassProtocol, 0, "120"},
		{"codes that change", "S: 220-mx\nS: 554 no", smtp.ClassProtocol, 0, "554"},
		{"more than a greeting", "S: 220 mx\nS: 250 hello", smtp.ClassProtocol, 0, "more than it was asked"},
		{"too long a line", "S> \"220 " + strings.Repeat("x", 20_000) + "\\r\\n\"", smtp.ClassProtocol, 0, "octets"},
		{"too many lines", strings.Repeat("S: 220-x\n", 600), smtp.ClassProtocol, 0, "lines"},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			var closed []error
			d := playing(t, test.script+"\nS! wait")
			if strings.Contains(test.script, "S! ") {
				d = playing(t, test.script)
			}
			d.config.Trace = &smtp.Trace{Closed: func(err error) { closed = append(closed, err) }}
			e := d.refusedDial(t.Context())
			if e.Class != test.class || e.Reply.Code != test.code || e.Phase != smtp.PhaseGreeting {
				t.Errorf("%v: class %v, reply %v", e, e.Class, e.Reply)
			}
			if !strings.Contains(e.Error(), test.says) {
				t.Errorf("%q does not say %q", e, test.says)
			}
			if len(closed) != 1 || closed[0] == nil {
				t.Errorf("Closed was told %v", closed)
			}
		})
	}
}

func TestGreetingOfSeveralLines(t *testing.T) {
	t.Parallel()
	inBubble(t, "lines", func(t *testing.T) {
		d := playing(t, "S: 220-mx.example.com ESMTP\nS: 220-We do not authorize\nS: 220 anything\nC: EHLO client.test\nS: 250 mx\nC: QUIT\nS: 221 bye")
		c := d.dial()
		if g := c.Info().Greeting; strings.Count(g.Text, "\n") != 2 {
			t.Errorf("%q", g.Text)
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Whatever ends up in a command line must not be able to end it.
func TestArgumentsThatWouldBecomeCommands(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"a\r\nRSET", "a\nb", "a\rb", "a\x00b", "a b", "ä\r\n"} {
		inBubble(t, "argument", func(t *testing.T) {
			d := newDesk(t, smtptest.Config{})
			host, local := d.config, d.config
			host.Host, local.LocalName = bad, bad
			for _, config := range []smtp.Config{host, local} {
				if _, err := smtp.Dial(t.Context(), config); !errors.Is(err, smtp.ClassProtocol) {
					t.Errorf("%q: %v", bad, err)
				}
			}
			if n := d.server.Stats().Connections; n != 0 {
				t.Errorf("%d connections", n)
			}
			c := d.dial()
			for name, spoil := range map[string]func(*smtp.Envelope){
				"from":  func(e *smtp.Envelope) { e.From = bad + "@a.test" },
				"from2": func(e *smtp.Envelope) { e.From = "a@" + bad },
				"to":    func(e *smtp.Envelope) { e.To[0].Address = bad + "@a.test" },
				"to2":   func(e *smtp.Envelope) { e.To[0].Address = "a@" + bad },
				"orcpt": func(e *smtp.Envelope) { e.To[0].OriginalRecipient = strings.ReplaceAll(bad, " ", "\n") + ";x" }, // a space is encoded
			} {
				tx := note()
				spoil(&tx.Envelope)
				result, err := hand(t, c, tx)
				if err != nil || result.Outcome != smtp.NotSent || result.Err == nil || result.Repeatable {
					t.Errorf("%s %q: %v, %+v", name, bad, err, result)
				}
			}
			if s := d.server.Stats(); s.Mails != 0 || s.Commands != 1 {
				t.Errorf("%+v\n%s", s, d.server.Transcript(1))
			}
		})
	}
}

// What xtext can carry goes encoded, and never as a line end.
func TestEnvelopeIDAndOriginalRecipientAreEncoded(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a\r\nRSET", "a\x00b", "ä", "a b+c=d"} {
		inBubble(t, "id", func(t *testing.T) {
			d := newDesk(t, smtptest.Config{})
			c := d.dial()
			tx := note()
			tx.Envelope.EnvelopeID = id
			result, err := hand(t, c, tx)
			if err != nil || d.server.Stats().Commands > 4 {
				t.Errorf("%q: %v, %+v\n%s", id, err, result, d.server.Transcript(1))
			}
		})
	}
}

func TestDefaultPorts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		config smtp.Config
		want   string
	}{
		{smtp.Config{Host: "mail.test"}, "mail.test:587"},
		{smtp.Config{Host: "mail.test", TLS: smtp.TLSImplicit}, "mail.test:465"},
		{smtp.Config{Host: "mail.test", Port: 2525}, "mail.test:2525"},
		{smtp.Config{Host: "2001:db8::1"}, "[2001:db8::1]:587"},
	} {
		if got := test.config.Address(); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
		var dialled string
		test.config.DialContext = func(_ context.Context, _, address string) (net.Conn, error) {
			dialled = address
			return nil, errors.New("no")
		}
		_, err := smtp.Dial(t.Context(), test.config)
		if e := known(t, err); dialled != test.want || e.Class != smtp.ClassConnect || !strings.Contains(err.Error(), test.want) {
			t.Errorf("dialled %s, %v", dialled, err)
		}
	}
	if _, err := smtp.Dial(t.Context(), smtp.Config{}); !errors.Is(err, smtp.ClassConnect) {
		t.Error(err)
	}
}

func TestImplicitTLSOnPort465(t *testing.T) {
	t.Parallel()
	inBubble(t, "465", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{TLS: smtptest.TLSImplicit})
		d.config.TLS = smtp.TLSAuto
		if c := d.dial(); c.Info().TLS == nil || c.Info().RoundTrips != 4 {
			t.Errorf("%+v", c.Info())
		}
	})
	inBubble(t, "587", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{TLS: smtptest.TLSStartTLS})
		d.config.TLS, d.config.Port = smtp.TLSAuto, 0
		if c := d.dial(); c.Info().TLS == nil || c.Info().RoundTrips != 6 {
			t.Errorf("%+v", c.Info())
		}
	})
}

// One name with several addresses: the next is tried where one refuses.
func TestEveryAddressIsTried(t *testing.T) {
	t.Parallel()
	server := smtptest.NewServer(smtptest.Config{})
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Addr())
	number, _ := net.LookupPort("tcp", port)
	var mu sync.Mutex
	var tried []string
	config := smtp.Config{Host: "localhost", Port: number, TLS: smtp.TLSNone, Trace: &smtp.Trace{
		ConnectStart: func(_, address string) {
			mu.Lock()
			tried = append(tried, address)
			mu.Unlock()
		}}}
	c, err := smtp.Dial(t.Context(), config)
	if err != nil {
		t.Fatal(err, tried)
	}
	defer c.Close()
	mu.Lock()
	defer mu.Unlock()
	if len(tried) == 0 || c.Info().RemoteAddr != server.Addr() {
		t.Errorf("tried %v, reached %s", tried, c.Info().RemoteAddr)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	_, err = smtp.Dial(t.Context(), smtp.Config{Host: "127.0.0.1", Port: port})
	if e := known(t, err); e.Class != smtp.ClassConnect || e.Phase != smtp.PhaseConnect || !e.Temporary() {
		t.Errorf("%v", e)
	}
}

// Passing a context that has ended opens nothing.
func TestContextThatHasEnded(t *testing.T) {
	t.Parallel()
	inBubble(t, "ended", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if e := d.refusedDial(ctx); e.Class != smtp.ClassCanceled {
			t.Errorf("class %v: %v", e.Class, e)
		}
	})
}

// The context bounds dialling only: a connection outlives it.
func TestConnectionOutlivesItsDial(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]smtptest.TLSMode{"plain": smtptest.TLSNone, "implicit": smtptest.TLSImplicit, "STARTTLS": smtptest.TLSStartTLS} {
		inBubble(t, name, func(t *testing.T) {
			d := newDesk(t, smtptest.Config{TLS: mode})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			c, err := smtp.Dial(ctx, d.config)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			cancel()
			<-time.After(time.Hour)
			if !c.Alive() {
				t.Error("not alive")
			}
			if result, err := hand(t, c, note()); err != nil || result.Err != nil {
				t.Error(err, result.Err)
			}
			if mode != smtptest.TLSNone && c.Info().TLS.Version != tls.VersionTLS13 {
				t.Error("not TLS 1.3")
			}
		})
	}
}
