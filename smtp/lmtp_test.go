package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// lmtp is a rig whose server speaks LMTP and refuses whom the name says: no@ at
// RCPT, full@ and later@ behind the content.
func lmtp(t *testing.T, config smtptest.Config) *rig {
	t.Helper()
	config.LMTP = true
	config.Reject = func(p smtptest.Phase, arg string) *smtptest.Reply {
		who, _, _ := strings.Cut(arg, "@")
		switch {
		case p == smtptest.PhaseRCPT && who == "no":
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		case p == smtptest.PhaseFinal && who == "full":
			return &smtptest.Reply{Code: 552, Text: "5.2.2 Quota exceeded (mailbox for user is full)"}
		case p == smtptest.PhaseFinal && who == "later":
			return &smtptest.Reply{Code: 452, Text: "4.2.2 Over quota"}
		}
		return nil
	}
	return newRig(t, config)
}

// to are recipients at b.test.
func to(names string) (all []string) {
	for name := range strings.FieldsSeq(names) {
		all = append(all, name+"@b.test")
	}
	return all
}

// Every recipient has an outcome of its own, at every level, by DATA and BDAT;
// the messages behind are not touched.
func TestLMTPRecipients(t *testing.T) {
	t.Parallel()
	for _, level := range []smtp.Level{smtp.LevelLockStep, smtp.LevelGroup, smtp.LevelLookAhead} {
		for _, chunking := range []bool{false, true} {
			t.Run(fmt.Sprint(level, chunking), func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) {
					r := lmtp(t, smtptest.Config{})
					r.trust()
					r.config.MaxLevel = level
					mails := []*parcel{letter(1, to("a full b no later c")...), letter(2, to("full")...), letter(3, to("no no2 no3")...),
						letter(4, to("no")...), letter(5, to("full later")...), letter(6, to("a b c d")...), letter(7)}
					for _, m := range mails {
						m.Chunking = chunking
					}
					if err := r.stream(r.dial(), mails...); err != nil {
						t.Fatal(err)
					}
					want := "accepted recipient, rejected recipient, accepted recipient, rejected recipient, rejected recipient, accepted, accepted"
					if got := verdicts(mails); got != want {
						t.Errorf("got  %s\nwant %s", got, want)
					}
					if got := mails[0].recipients(); got != "accepted 250, rejected 552, accepted 250, rejected 550, rejected 452, accepted 250" {
						t.Error(got)
					}
					if got := mails[0].result; got.Err.Error() != "localhost:25: final reply: recipient full@b.test, one of 3 not accepted: 552 5.2.2 Quota exceeded (mailbox for user is full)" ||
						got.Err.Temporary() || got.Final.Code != 250 || !got.LMTP || got.QueueID == "" || got.QueueID != got.Recipients[0].QueueID {
						t.Errorf("%v; %+v", got.Err, got)
					}
					if got := mails[1].result; got.Final.Code != 552 || got.QueueID != "" {
						t.Errorf("%+v", got)
					}
				})
			})
		}
	}
}

// Nothing rides behind a content for several recipients: it could be taken for
// answered by a server that gives one reply for all of them.
func TestLMTPLookAhead(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := lmtp(t, smtptest.Config{})
		r.trust()
		c := r.dial()
		mails := []*parcel{letter(1, to("a b")...), letter(2, to("a full c")...), letter(3), letter(4, to("a")...)}
		if err := r.stream(c, mails...); err != nil {
			t.Fatal(err)
		}
		want := "MAIL RCPT RCPT DATA | ~ . | RSET MAIL RCPT RCPT RCPT DATA | ~ . | RSET MAIL RCPT DATA | ~ . RSET MAIL RCPT DATA | ~ ."
		if got := verbs(r.flights()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		for i, trips := range []int{2, 2, 2, 1} {
			if got := mails[i].result.RoundTrips; got != trips {
				t.Errorf("message %d took %d round trips", i+1, got)
			}
		}
	})
}

// A server that answers once for all must not have its next replies taken for
// verdicts.
func TestLMTPWithTooFewReplies(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := lmtp(t, smtptest.Config{Quirks: smtptest.Quirks{OneFinalReply: true}})
		r.trust()
		m := letter(1, to("a full c")...)
		if err := r.stream(r.dial(), m, letter(2)); err == nil {
			t.Error("the connection went on")
		}
		if got := m.recipients(); got != "accepted 250, unknown 0, unknown 0" {
			t.Error(got)
		}
		if e := m.result.Err; !errors.Is(e, smtp.ClassTimeout) || !strings.Contains(e.Error(), "1 of 3 replies") || e.Outcome != smtp.Unknown {
			t.Error(e)
		}
	})
}

// What was read stands when the connection is lost among the replies; the rest
// is unknown.
func TestLMTPLostAmongReplies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, recipients, verdict string }{
		{"final:drop:2nd:conn", "accepted 250, unknown 0, unknown 0", "accepted connect, untold"},
		{"final:reset:1st:conn", "unknown 0, unknown 0, unknown 0", "unknown connect, untold"},
		{"after-final:drop:3rd:conn", "accepted 250, accepted 250, unknown 0", "accepted connect, untold"},
		{"after-final:vanish:1st:conn", "accepted 250, unknown 0, unknown 0", "accepted connect, untold"},
		{"final:421:2nd:conn", "accepted 250, rejected 421, unknown 0", "accepted connect, untold"},
		{"final:421:3rd:conn", "accepted 250, accepted 250, rejected 421", "accepted connection-limit, untold"},
		{"after-final:stall:2nd:conn", "accepted 250, unknown 0, unknown 0", "accepted timeout, untold"},
		{"final:delay=9m:2nd:conn", "accepted 250, accepted 250, accepted 250", "accepted, accepted"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := lmtp(t, smtptest.Config{})
				r.trust()
				r.stream(r.dial(), letter(8, to("a b")...)) // the server answers for each
				memory := r.config.Memory
				r = lmtp(t, smtptest.Config{Faults: faultsOf(t, tt.fault)})
				r.config.Memory = memory
				mails := []*parcel{letter(1, to("a b c")...), letter(2)}
				r.stream(r.dial(), mails...)
				if got := mails[0].recipients(); got != tt.recipients {
					t.Errorf("recipients %s, want %s", got, tt.recipients)
				}
				if got := verdicts(mails); got != tt.verdict {
					t.Errorf("got %s, want %s: %v", got, tt.verdict, mails[0].result.Err)
				}
			})
		})
	}
}

// What replies to the content mean, one message of three recipients at a time.
func TestLMTPReplies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, replies    string
		recipients, want string
		open             bool // the connection goes on
	}{
		{"all refuse", "550 5.7.1 spam|452 4.2.2 full|550 5.7.1 spam", "rejected 550, rejected 452, rejected 550", "rejected content", true},
		{"all say the session is full", "451 4.7.0 Too many messages on this connection|451 4.7.0 on this connection|451 on this connection",
			"not sent 451, not sent 451, not sent 451", "not sent session-limit again", false},
		{"one says so", "250 ok|451 4.7.0 Too many messages on this connection|250 ok", "accepted 250, rejected 451, accepted 250", "accepted session-limit", true},
		{"nobody followed", "500 what|503 5.5.1 what|500 what", "not sent 500, not sent 500, not sent 500", "not sent protocol again", false},
		{"one did not follow", "500 5.3.0 Error: (KeyError)|250 ok|500 what", "rejected 500, accepted 250, rejected 500", "accepted content", true},
		{"a quota without an enhanced code", "552 Quota exceeded|250 ok|250 ok", "rejected 552, accepted 250, accepted 250", "accepted recipient", true},
		{"not a verdict", "250 ok|354 go", "accepted 250, unknown 354, unknown 354", "accepted protocol", false},
		{"421, and on", "421 4.3.0 backend gone|250 ok|552 5.2.2 full", "rejected 421, accepted 250, rejected 552", "accepted connection-limit", false},
		{"one too many", "250 ok|250 ok|250 ok|250 ok", "accepted 250, accepted 250, accepted 250", "accepted", false},
		{"of several lines", "250-2.0.0 one\nS: 250 2.0.0 more|250 ok|250 ok", "accepted 250, accepted 250, accepted 250", "accepted", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				script := "S: 220 x\nC~ ^LHLO\nS: 250-x\nS: 250-ENHANCEDSTATUSCODES\nS: 250 PIPELINING\nC~ ^MAIL\nC~ ^RCPT\nC~ ^RCPT\nC~ ^RCPT\nC: DATA\n" +
					"S: 250 x\nS: 250 x\nS: 250 x\nS: 250 x\nS: 354 go\nC! body\n"
				for reply := range strings.SplitSeq(tt.replies, "|") {
					script += "S: " + reply + "\n"
				}
				r := newRig(t, smtptest.Config{Scripts: dialogues(script + "S! wait")})
				r.config.LMTP = true
				m := letter(1, to("a b c")...)
				if err := r.stream(r.dial(), m); (err == nil) != tt.open {
					t.Errorf("the connection ended with %v", err)
				}
				if got := m.recipients(); got != tt.recipients {
					t.Errorf("recipients %s, want %s", got, tt.recipients)
				}
				if got := m.verdict(); got != tt.want {
					t.Errorf("got %s, want %s: %v", got, tt.want, m.result.Err)
				}
			})
		})
	}
}

// DATA without any recipient: refused with 503 as it must, or not.
func TestLMTPWithoutRecipients(t *testing.T) {
	t.Parallel()
	for _, odd := range []bool{false, true} {
		t.Run(fmt.Sprint(odd), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := lmtp(t, smtptest.Config{Quirks: smtptest.Quirks{DataAlways: odd}})
				mails := []*parcel{letter(1, to("no no")...), letter(2)}
				err := r.stream(r.dial(), mails...)
				want := "rejected recipient, accepted"
				if odd {
					want = "rejected recipient, untold"
				}
				if got := verdicts(mails); got != want || (err == nil) == odd {
					t.Errorf("%s, %v", got, err)
				}
				if got := verbs(r.flights()); odd && got != "MAIL RCPT RCPT DATA" {
					t.Error(got)
				}
			})
		})
	}
}

// All or nothing ends before the content; behind it nobody can take it back.
func TestLMTPAllOrNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := lmtp(t, smtptest.Config{})
		mails := []*parcel{letter(1, to("a no c")...), letter(2, to("a full c")...)}
		mails[0].AllOrNothing, mails[1].AllOrNothing = true, true
		if err := r.stream(r.dial(), mails...); err != nil {
			t.Fatal(err)
		}
		if got := mails[0].recipients(); got != "not sent 0, rejected 550, not sent 0" {
			t.Error(got)
		}
		if got := mails[1].recipients(); got != "accepted 250, rejected 552, accepted 250" {
			t.Error(got)
		}
	})
}

// A content that breaks off was not delivered to anybody; those who were refused
// meanwhile were.
func TestLMTPRefusedInTheContent(t *testing.T) {
	t.Parallel()
	for replies, want := range map[string]string{
		"552 5.3.4 Too big|552 5.3.4 Too big": "rejected 552, rejected 552",
		"550 5.7.1 No":                        "rejected 550, not sent 0",
		"250 ok|250 ok":                       "not sent 0, not sent 0",
		"421 4.3.2 Bye":                       "not sent 421, not sent 421",
		"":                                    "not sent 0, not sent 0",
	} {
		t.Run(replies, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				script := "S: 220 x\nC~ ^LHLO\nS: 250-x\nS: 250 PIPELINING\nC~ ^MAIL\nC~ ^RCPT\nC~ ^RCPT\nC: DATA\n" +
					"S: 250 x\nS: 250 x\nS: 250 x\nS: 354 go\nC~ ^Message-ID\n"
				for reply := range strings.SplitSeq(replies, "|") {
					if reply != "" {
						script += "S: " + reply + "\n"
					}
				}
				r := newRig(t, smtptest.Config{Buffer: -1, Scripts: dialogues(script + "S! wait")})
				r.config.LMTP = true
				r.sever = func(written string) int {
					if strings.HasPrefix(written, "Message-ID") {
						return 1000
					}
					return -1
				}
				m := letterOf(1, smtp.Bytes([]byte(textOf(1, 200000))), to("a b")...)
				r.stream(r.dial(), m)
				if got := m.recipients(); got != want {
					t.Errorf("got %s, want %s: %v", got, want, m.result.Err)
				}
			})
		})
	}
}

// LHLO alone is said, and each side notices that the other speaks something else.
func TestLMTPHello(t *testing.T) {
	t.Parallel()
	inBubble(t, "SMTP server", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{})
		d.config.LMTP = true
		e := d.refusedDial(t.Context())
		if e.Class != smtp.ClassProtocol || e.Temporary() || !strings.Contains(e.Hint, "SMTP, not LMTP") {
			t.Error(e)
		}
		if got := d.server.Transcript(1); strings.Contains(got, "HELO") || strings.Contains(got, "EHLO") {
			t.Error(got)
		}
	})
	inBubble(t, "SMTP client", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{LMTP: true})
		d.config.LMTP = false
		if e := d.refusedDial(t.Context()); !strings.Contains(e.Hint, "speaks LMTP") {
			t.Error(e)
		}
	})
	inBubble(t, "not now", func(t *testing.T) {
		d := playing(t, "S: 220 x\nC: LHLO client.test\nS: 451 4.3.0 later\nS! wait")
		d.config.LMTP = true
		if e := d.refusedDial(t.Context()); e.Class != smtp.ClassConnect || !e.Temporary() {
			t.Error(e)
		}
	})
	inBubble(t, "TLS and login", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{LMTP: true, TLS: smtptest.TLSStartTLS, Auth: &smtptest.Auth{Users: map[string]string{"ann": "secret"}, Required: true}})
		d.config.Auth = &smtp.Auth{Username: "ann", Password: "secret"}
		if r, err := hand(t, d.dial(), note()); err != nil || r.Err != nil {
			t.Error(err, r.Err)
		}
		if got := d.server.Transcript(1); strings.Count(got, "C: LHLO") != 2 {
			t.Error(got)
		}
	})
}

// placed is a connection that says where it leads.
type placed struct {
	net.Conn
	remote net.Addr
}

func (p placed) RemoteAddr() net.Addr { return p.remote }

// TLSAuto with LMTP: none on this machine, STARTTLS anywhere else.
func TestLMTPTLSAuto(t *testing.T) {
	t.Parallel()
	here, there := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 24}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 24}
	for _, tt := range []struct {
		name   string
		host   string
		remote net.Addr
		mode   smtp.TLSMode
		clear  bool
	}{
		{"loopback", "localhost", here, smtp.TLSAuto, true},
		{"UNIX socket", "mx.example.com", &net.UnixAddr{Name: "/run/lmtp", Net: "unix"}, smtp.TLSAuto, true},
		{"elsewhere", "192.0.2.1", there, smtp.TLSAuto, false},
		{"a proxy on this machine", "mx.example.com", here, smtp.TLSAuto, false},
		{"a name that lies", "localhost", there, smtp.TLSAuto, false},
		{"in words", "192.0.2.1", there, smtp.TLSNone, true},
		{"required here", "localhost", here, smtp.TLSStartTLS, false},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			d := newDesk(t, smtptest.Config{LMTP: true})
			dial := d.config.DialContext
			d.config.Host, d.config.Port, d.config.TLS = tt.host, 0, tt.mode
			d.config.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if _, port, _ := net.SplitHostPort(address); port != "24" {
					t.Error(address)
				}
				conn, err := dial(ctx, network, address)
				return placed{conn, tt.remote}, err
			}
			if tt.clear {
				d.dial()
				return
			}
			if e := d.refusedDial(t.Context()); e.Class != smtp.ClassTLS {
				t.Error(e)
			}
		})
	}
}

// A password does not go in the clear to another machine.
func TestLMTPPasswordInTheClear(t *testing.T) {
	t.Parallel()
	inBubble(t, "elsewhere", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{LMTP: true, Auth: &smtptest.Auth{AnySecret: true}})
		dial := d.config.DialContext
		d.config.Host, d.config.Auth = "192.0.2.1", &smtp.Auth{Username: "ann", Password: "secret"}
		d.config.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return placed{conn, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 24}}, err
		}
		err := d.dial().Authenticate(t.Context())
		if !errors.Is(err, smtp.ClassTLS) || strings.Contains(d.server.Transcript(1), "AUTH PLAIN") && strings.Contains(d.server.Transcript(1), "C: AUTH") {
			t.Error(err)
		}
	})
}

// A 421 to one of several recipients: who is left is waited for, but not as long
// as for a verdict.
func TestLMTPWaitsLessBehindA421(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{Scripts: dialogues("S: 220 x\nC~ ^LHLO\nS: 250 x\nC~ ^MAIL\nS: 250 x\nC~ ^RCPT\nS: 250 x\nC~ ^RCPT\nS: 250 x\nC: DATA\nS: 354 x\nC! body\nS: 421 bye\nS! wait")})
		r.config.LMTP = true
		began := time.Now()
		m := letter(1, to("a b")...)
		r.stream(r.dial(), m)
		if got := m.recipients(); got != "rejected 421, unknown 0" {
			t.Error(got)
		}
		took(t, began, 30*time.Second)
	})
}

// Withdrawn in time it reaches nobody; later that is refused.
func TestLMTPWithdrawn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := lmtp(t, smtptest.Config{})
		r.trust()
		first, second := letter(1, to("a b c")...), letter(2, to("a b")...)
		first.Commit = func() error { first.Withdraw(); return nil }
		r.stream(r.dial(), first, second)
		if got := first.recipients(); got != "not sent 0, not sent 0, not sent 0" {
			t.Error(got)
		}
		third := letter(3, to("a b c")...)
		third.Progress = func(int64) {
			if third.Withdraw() {
				t.Error("withdrawn behind the end of the content")
			}
		}
		r.stream(r.dial(), third)
		if got := third.verdict(); got != "accepted" {
			t.Error(got)
		}
	})
}
