package smtp_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const (
	password = "Sesame-open-up"
	token    = "ya29.sesame-token"
)

// loginDesk is a desk whose server knows ann.
func loginDesk(t *testing.T, change func(*smtptest.Config)) *desk {
	t.Helper()
	config := smtptest.Config{TLS: smtptest.TLSImplicit, KeepMessages: true,
		Auth: &smtptest.Auth{Users: map[string]string{"ann": password}, Required: true}}
	if change != nil {
		change(&config)
	}
	d := newDesk(t, config)
	d.config.Auth = &smtp.Auth{Username: "ann", Password: password}
	return d
}

func TestEveryMechanism(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		tls  smtptest.TLSMode
		max  uint16
		trip int // with the message: flights of the connection
	}{
		{"PLAIN", smtptest.TLSNone, 0, 5},
		{"LOGIN", smtptest.TLSNone, 0, 8},
		{"CRAM-MD5", smtptest.TLSNone, 0, 7},
		{"SCRAM-SHA-1", smtptest.TLSNone, 0, 8},
		{"SCRAM-SHA-256", smtptest.TLSImplicit, 0, 9},
		{"SCRAM-SHA-1-PLUS", smtptest.TLSImplicit, tls.VersionTLS13, 9},
		{"SCRAM-SHA-256-PLUS", smtptest.TLSImplicit, tls.VersionTLS13, 9},
		{"SCRAM-SHA-256-PLUS", smtptest.TLSImplicit, tls.VersionTLS12, 10},
		{"XOAUTH2", smtptest.TLSImplicit, 0, 7},
		{"OAUTHBEARER", smtptest.TLSImplicit, 0, 7},
	} {
		for _, good := range []bool{true, false} {
			inBubble(t, fmt.Sprint(test.name, test.max, good), func(t *testing.T) {
				d := loginDesk(t, func(c *smtptest.Config) { c.TLS, c.Auth.Mechanisms = test.tls, []string{test.name} })
				if test.max != 0 {
					d.config.TLSConfig.MaxVersion = test.max
				}
				if !good {
					d.config.Auth.Password = "another"
				}
				if strings.Contains(test.name, "AUTH") {
					token := "another"
					if good {
						token = password
					}
					d.config.Auth = &smtp.Auth{Username: "ann", Token: func(context.Context) (string, error) { return token, nil }}
				}
				c := d.dial()
				result, err := hand(t, c, note())
				if !good {
					if e := known(t, err); e.Class != smtp.ClassAuth || e.Reply.Code != 535 || e.Temporary() || d.server.Stats().Accepted != 0 {
						t.Errorf("%v", e)
					}
					dead(t, d, c)
					return
				}
				if err != nil || result.Err != nil {
					t.Fatal(err, result)
				}
				if m := d.server.Messages()[0]; m.User != "ann" || c.Info().Mechanism != test.name || c.NeedsAuth() {
					t.Errorf("%s logged in with %s", m.User, c.Info().Mechanism)
				}
				if n := c.Info().RoundTrips; n != test.trip {
					t.Errorf("%d round trips, want %d\n%s", n, test.trip, d.server.Transcript(1))
				}
			})
		}
	}
}

// The promise: six round trips from nothing to the verdict, as both sides count.
func TestFirstMessageInSixRoundTrips(t *testing.T) {
	t.Parallel()
	inBubble(t, "six", func(t *testing.T) {
		d := loginDesk(t, nil)
		c := d.dial()
		result, err := hand(t, c, note())
		if err != nil || result.Err != nil {
			t.Fatal(err, result)
		}
		if n := c.Info().RoundTrips; n != 6 || result.RoundTrips != 2 {
			t.Errorf("%d, of which the message %d", n, result.RoundTrips)
		}
		// The server sees neither the handshakes of TCP and TLS.
		if n := d.server.Stats().RoundTrips; n != 4 {
			t.Errorf("the server counted %d\n%s", n, d.server.Transcript(1))
		}
	})
}

func TestMechanismThatWorkedIsRemembered(t *testing.T) {
	t.Parallel()
	inBubble(t, "remembered", func(t *testing.T) {
		d := loginDesk(t, func(c *smtptest.Config) {
			c.Auth.Mechanisms = []string{"SCRAM-SHA-256", "PLAIN"}
			c.Auth.Verdict = func(mechanism, _ string) *smtptest.Reply {
				if mechanism == "PLAIN" {
					return nil
				}
				return &smtptest.Reply{Code: 535, Text: "5.7.8 no SCRAM for you"}
			}
		})
		for i, want := range []string{"SCRAM PLAIN", "PLAIN"} {
			c := d.dial()
			if err := c.Authenticate(t.Context()); err != nil {
				t.Fatal(err)
			}
			script := d.server.Transcript(i + 1)
			if got := strings.Count(script, "C: AUTH "); got != len(strings.Fields(want)) || c.Info().Mechanism != "PLAIN" {
				t.Errorf("%d logins\n%s", got, script)
			}
		}
	})
	inBubble(t, "two logins at most", func(t *testing.T) {
		d := loginDesk(t, func(c *smtptest.Config) {
			c.Auth.Mechanisms = []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "LOGIN", "PLAIN"}
		})
		d.config.Auth.Password = "wrong"
		c := d.dial()
		if err := c.Authenticate(t.Context()); !errors.Is(err, smtp.ClassAuth) {
			t.Error(err)
		}
		if n := strings.Count(d.server.Transcript(1), "C: AUTH "); n != 2 {
			t.Errorf("%d logins\n%s", n, d.server.Transcript(1))
		}
	})
}

type farConn struct{ net.Conn }

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 587} }

func TestNoPasswordOverAnOpenLink(t *testing.T) {
	t.Parallel()
	for _, permitted := range []bool{false, true} {
		inBubble(t, fmt.Sprint(permitted), func(t *testing.T) {
			d := loginDesk(t, func(c *smtptest.Config) { c.TLS = smtptest.TLSNone })
			near := d.config.DialContext
			d.config.InsecureAuth = permitted
			d.config.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := near(ctx, network, address)
				return farConn{conn}, err
			}
			c := d.dial()
			_, err := hand(t, c, note())
			if sent := strings.Contains(d.server.Transcript(1), "C: AUTH P"); sent != permitted || (err == nil) != permitted {
				t.Errorf("%v\n%s", err, d.server.Transcript(1))
			}
			if !permitted && (!errors.Is(err, smtp.ClassTLS) || !strings.Contains(err.Error(), "InsecureAuth")) {
				t.Error(err)
			}
		})
	}
}

// hello is what comes before AUTH in a script.
const hello = "S: 220 x\nC~ ^EHLO\nS: 250-x\nS: 250-PIPELINING\nS: 250 AUTH PLAIN LOGIN\n"

func TestGroupedLogins(t *testing.T) {
	t.Parallel()
	group := hello + "C~ ^AUTH PLAIN \\S+$\nC~ ^MAIL\nC~ ^RCPT\nC: DATA\n"
	for _, test := range []struct {
		name, script string
		class        smtp.Class
		again, alone bool // the message can be repeated; the next login goes alone
	}{
		{"refused", group + "S: 535 5.7.8 no\nS: 530 no\nS: 530 no\nS: 530 no\nS! wait", smtp.ClassAuth, false, false},
		// An open relay behind a wrong password: the message is not for it.
		{"refused, but DATA taken", group + "S: 535 5.7.8 no\nS: 250 ok\nS: 250 ok\nS: 354 go\nS! wait", smtp.ClassAuth, false, false},
		{"for now", group + "S: 454 4.7.0 later\nS: 530 no\nS: 530 no\nS: 530 no\nS! wait", smtp.ClassAuthTemporary, false, false},
		{"leaving", group + "S: 421 4.7.0 later", smtp.ClassAuthTemporary, false, false},
		{"asks again", group + "S: 334 \nS! wait", smtp.ClassProtocol, true, true},
		{"bad sequence", group + "S: 503 5.5.1 AUTH must stand alone\nS! wait", smtp.ClassProtocol, true, true},
		{"synchronisation", group + "S: 554 5.5.0 SMTP protocol synchronization", smtp.ClassProtocol, true, true},
		{"lost", group + "S! close", smtp.ClassConnect, true, true},
		{"another success", group + "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nS! wait", smtp.ClassProtocol, true, true},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			d := playing(t, test.script, hello+"C~ ^AUTH PLAIN \\S+$\nS! wait 1s\nS: 235 in\nC~ ^MAIL\nC~ ^RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC! body\nS: 250 ok\nS! wait")
			d.config.Auth = &smtp.Auth{Username: "ann", Password: password}
			c := d.dial()
			result, err := hand(t, c, note())
			e := known(t, err)
			if e.Class != test.class || result == nil || result.Outcome != smtp.NotSent || result.Repeatable != test.again || c.Info().Mechanism != "" {
				t.Fatalf("class %v: %v, %+v, mechanism %q", e.Class, e, result, c.Info().Mechanism)
			}
			dead(t, d, c)
			if !test.alone {
				return
			}
			if result, err := hand(t, d.dial(), note()); err != nil || result.Err != nil {
				t.Error(err, result)
			}
		})
	}
	inBubble(t, "a server that closes", func(t *testing.T) {
		d := loginDesk(t, func(c *smtptest.Config) { c.Quirks.AuthAlone = true })
		if result, err := hand(t, d.dial(), note()); err == nil || !result.Repeatable {
			t.Fatal(err, result)
		}
		if result, err := hand(t, d.dial(), note()); err != nil || result.Err != nil {
			t.Fatal(err, result)
		}
	})
}

func TestLoginsThatGoWrong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script string
		class        smtp.Class
	}{
		{"535", "C~ ^AUTH PLAIN\nS: 535 5.7.8 no\nS! wait", smtp.ClassAuth},
		{"454", "C~ ^AUTH PLAIN\nS: 454 4.7.0 later\nS! wait", smtp.ClassAuthTemporary},
		{"421", "C~ ^AUTH PLAIN\nS: 421 4.7.0 later", smtp.ClassAuthTemporary},
		{"another success", "C~ ^AUTH PLAIN\nS: 250 ok\nS! wait", smtp.ClassProtocol},
		{"not known", "C~ ^AUTH PLAIN\nS: 504 5.5.4 no\nC: AUTH LOGIN\nS: 504 5.5.4 no\nS! wait", smtp.ClassProtocol},
		{"junk", "C~ ^AUTH PLAIN\nS: hello\nS! wait", smtp.ClassProtocol},
		{"a challenge to PLAIN", "C~ ^AUTH PLAIN\nS: 334 aGVsbG8=\nC: *\nS: 501 canceled\nS! wait", smtp.ClassAuth},
		{"one reply too many", "C~ ^AUTH PLAIN\nS: 235 in\nS: 250 and more\nS! wait", smtp.ClassProtocol},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			d := playing(t, hello+test.script)
			d.config.Auth = &smtp.Auth{Username: "ann", Password: password}
			c := d.dial()
			if e := known(t, c.Authenticate(t.Context())); e.Class != test.class || e.Phase != smtp.PhaseAuth {
				t.Errorf("class %v: %v", e.Class, e)
			}
			dead(t, d, c)
		})
	}
	inBubble(t, "NUL", func(t *testing.T) {
		for _, auth := range []*smtp.Auth{{Username: "a\x00b", Password: "x"}, {Username: "ann", Password: "x\x00y"}, {Username: "ann", Password: "x", Identity: "\x00"}} {
			d := loginDesk(t, nil)
			d.config.Auth = auth
			_, err := hand(t, d.dial(), note())
			if e := known(t, err); e.Class != smtp.ClassAuth || e.Temporary() || strings.Contains(d.server.Transcript(1), "C: AUTH P") {
				t.Errorf("%q: class %v: %v", auth.Password, e.Class, e)
			}
		}
	})
	inBubble(t, "token canceled", func(t *testing.T) {
		d := loginDesk(t, func(c *smtptest.Config) { c.Auth.Mechanisms = []string{"XOAUTH2"} })
		ctx, cancel := context.WithCancel(t.Context())
		d.config.Auth = &smtp.Auth{Username: "ann", Token: func(ctx context.Context) (string, error) {
			cancel()
			<-ctx.Done()
			return "", ctx.Err()
		}}
		if err := d.dial().Authenticate(ctx); !errors.Is(err, smtp.ClassCanceled) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A token too long for the command line goes into a round trip of its own.
func TestLongInitialResponse(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"XOAUTH2", "OAUTHBEARER", "PLAIN"} {
		inBubble(t, name, func(t *testing.T) {
			long := strings.Repeat("t", 3000)
			d := loginDesk(t, func(c *smtptest.Config) {
				c.Auth.Mechanisms, c.Auth.Users = []string{name}, map[string]string{"ann": long}
			})
			d.config.Auth = &smtp.Auth{Username: "ann", Token: func(context.Context) (string, error) { return long, nil }}
			if name == "PLAIN" {
				d.config.Auth = &smtp.Auth{Username: "ann", Password: long}
			}
			if result, err := hand(t, d.dial(), note()); err != nil || result.Err != nil {
				t.Fatal(err, result)
			}
		})
	}
}

// Whatever the server repeats of it, a secret reaches nobody.
func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	plain, bearer := encode("\x00ann\x00"+password), encode("user=ann\x01auth=Bearer "+token+"\x01\x01")
	secrets := []string{password, encode(password), strings.TrimRight(encode(password), "="), plain, bearer, token, encode(token)}
	for _, test := range []struct{ name, mechanism, answer string }{
		{"in the clear", "PLAIN", "S: 535 5.7.8 no such password: " + password},
		{"as it came", "PLAIN", "S: 535 5.7.8 what is AUTH PLAIN " + plain},
		{"unknown command", "PLAIN", "S: 500 what is AUTH PLAIN " + plain},
		{"alone", "PLAIN", "S: 535 5.7.8 " + encode(password)},
		{"no reply at all", "PLAIN", "S: AUTH PLAIN " + plain},
		{"in several lines", "PLAIN", "S: 535-no\nS: 535 " + password},
		{"broken lines", "PLAIN", "S: 535-no\nS: " + plain},
		{"success", "PLAIN", "S: 235 welcome " + password},
		{"token", "XOAUTH2", "S: 535 5.7.8 no such token: " + token},
		{"token as it came", "XOAUTH2", "S: 500 what is AUTH XOAUTH2 " + bearer},
	} {
		for _, grouped := range []bool{false, true} {
			inBubble(t, test.name, func(t *testing.T) {
				d := playing(t, "S: 220 x\nC~ ^EHLO\nS: 250-x\nS: 250-PIPELINING\nS: 250 AUTH "+test.mechanism+"\nC~ ^AUTH\nS! wait 1s\n"+test.answer+"\nS! wait")
				if grouped && test.mechanism == "PLAIN" {
					d = playing(t, "S: 220 x\nC~ ^EHLO\nS: 250-x\nS: 250-PIPELINING\nS: 250 AUTH PLAIN\nC~ ^AUTH\nC~ ^MAIL\nC~ ^RCPT\nC: DATA\n"+test.answer+"\nS! close")
				}
				var shown strings.Builder
				tell := func(values ...any) {
					for _, v := range values {
						fmt.Fprintf(&shown, "%v\n%+v\n%#v\n%s\n", v, v, v, v)
					}
				}
				d.config.Trace = &smtp.Trace{Sent: func(line string) { tell(line) }, Received: func(r smtp.Reply) { tell(r) }, Closed: func(err error) { tell(err) }}
				d.config.Auth = &smtp.Auth{Username: "ann", Password: password}
				if test.mechanism != "PLAIN" {
					d.config.Auth = &smtp.Auth{Username: "ann", Token: func(context.Context) (string, error) { return token, nil }}
				}
				c := d.dial()
				tx := note()
				var err error
				var result *smtp.Result
				if grouped {
					result, err = hand(t, c, tx)
				} else {
					err = c.Authenticate(t.Context())
				}
				tell(err, c, d.config, *d.config.Auth, d.config.Auth, tx, c.Info())
				if result != nil {
					tell(result, *result)
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					tell(e)
				}
				for _, secret := range secrets {
					if i := strings.Index(shown.String(), secret); i >= 0 {
						t.Fatalf("%q in …%s", secret, shown.String()[max(0, i-80):i+len(secret)])
					}
				}
			})
		}
	}
}
