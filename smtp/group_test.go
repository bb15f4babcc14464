package smtp_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// What follows from the replies to one group [MAIL RCPT RCPT DATA], and what is
// written next.
func TestDecisionsOnAGroup(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, replies string
		whole         bool // all or nothing
		want          string
		recipients    string
		wire          string // after the group
	}{
		{"all well", "250 250 250 354", false, "accepted", "accepted 250, accepted 250", "~ . | RSET MAIL"},
		{"one refused", "250 550 250 354", false, "accepted recipient", "rejected 550, accepted 250", "~ . | RSET MAIL"},
		{"none accepted, 354", "250 550 450 354", false, "rejected recipient", "rejected 550, rejected 450", ". | RSET MAIL"},
		{"none accepted, DATA refused", "250 550 550 554", false, "rejected recipient", "rejected 550, rejected 550", "RSET MAIL"},
		{"MAIL refused", "550 503 503 503", false, "rejected sender", "rejected 550, rejected 550", "RSET MAIL"},
		{"MAIL refused, 354", "550 503 503 354", false, "rejected sender", "rejected 550, rejected 550", ". | RSET MAIL"},
		// Nobody knows what a content would do now: close, send nothing.
		{"MAIL refused, RCPT accepted, 354", "550 250 503 354", false, "rejected sender", "rejected 550, rejected 550", ""},
		{"MAIL refused, RCPT accepted, DATA refused", "450 250 250 503", false, "rejected sender", "rejected 450, rejected 450", "RSET MAIL"},
		{"DATA refused", "250 250 550 451", false, "rejected content", "rejected 451, rejected 550", "RSET MAIL"},
		{"DATA answered 250", "250 250 250 250", false, "not sent protocol again", "not sent 250, not sent 250", ""},
		// Where one of the recipients decides, DATA waits; a lone dot after an
		// accepted recipient would deliver an empty message.
		{"all or nothing, all", "250 250 250", true, "accepted", "accepted 250, accepted 250", "DATA | ~ . | RSET MAIL"},
		{"all or nothing, one refused", "250 550 250", true, "rejected recipient", "rejected 550, not sent 0", "RSET MAIL"},
		{"all or nothing, none", "250 550 550", true, "rejected recipient", "rejected 550, rejected 550", "RSET MAIL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				script := "C~ ^MAIL\nC~ ^RCPT\nC~ ^RCPT\n"
				if !tt.whole {
					script += "C: DATA\n"
				}
				for code := range strings.FieldsSeq(tt.replies) {
					script += "S: " + code + " x\n"
				}
				for step := range strings.SplitSeq(tt.wire, " | ") {
					switch step {
					case "DATA":
						script += "C: DATA\nS: 354 go\n"
					case "~ .":
						script += "C! body\nS: 250 done\n"
					case ".":
						script += "C: .\nS: 554 no recipients\n"
					}
				}
				if tt.wire == "" {
					script += "S! wait"
				} else {
					script += "C: RSET\nC~ ^MAIL\nS! wait"
				}
				r := scripted(t, script)
				m := letter(1, "a@b.test", "c@b.test")
				m.AllOrNothing = tt.whole
				r.stream(r.dial(), m, letter(2))
				if got := m.verdict(); got != tt.want {
					t.Errorf("got %s, want %s: %v", got, tt.want, m.result.Err)
				}
				if got := m.recipients(); got != tt.recipients {
					t.Errorf("recipients %s, want %s", got, tt.recipients)
				}
				_, got, _ := strings.Cut(verbs(r.flights())+" | ", " | ")
				if tt.wire == "" && got != "" || !strings.HasPrefix(got, tt.wire) {
					t.Errorf("wrote %q, want %q", got, tt.wire)
				}
			})
		})
	}
}

// The lone dot takes the next envelope along as a content would.
func TestLookAheadBehindALoneDot(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{Quirks: smtptest.Quirks{DataAlways: true}, Reject: refuseRecipient("no@b.test")})
		r.trust()
		mails := []*parcel{letter(1), letter(2, "no@b.test"), letter(3, "no@b.test", "a@b.test"), letter(4, "no@b.test")}
		if err := r.stream(r.dial(), mails...); err != nil {
			t.Error(err)
		}
		if got := verdicts(mails); got != "accepted, rejected recipient, accepted recipient, rejected recipient" {
			t.Error(got)
		}
		want := "MAIL RCPT DATA | ~ . RSET MAIL RCPT DATA | . RSET MAIL RCPT RCPT DATA | ~ . RSET MAIL RCPT DATA | ."
		if got := verbs(r.flights()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if n := r.server.Stats().Accepted; n != 3+2 {
			t.Errorf("the server took %d messages", n)
		}
	})
}

func refuseRecipient(address string) func(smtptest.Phase, string) *smtptest.Reply {
	return func(p smtptest.Phase, arg string) *smtptest.Reply {
		if p == smtptest.PhaseRCPT && arg == address {
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		}
		return nil
	}
}

// Five messages to servers of all kinds: on the first connection, and the rest
// of them (what is repeatable) on connections after that.
func TestServersOfAllKinds(t *testing.T) {
	t.Parallel()
	small := smtptest.Limits{MessagesPerConnection: 2}
	tests := []struct {
		name   string
		config smtptest.Config
		trust  bool
		first  string // verdicts on the first connection
		level  smtp.Level
	}{
		{"OpenSMTPD behind a proxy that advertises PIPELINING", smtptest.Config{Quirks: smtptest.Quirks{RejectPipelining: true}}, false,
			"not sent protocol again, untold, untold, untold, untold", smtp.LevelLockStep},
		{"strict about DATA", smtptest.Config{Quirks: smtptest.Quirks{StrictSync: true}}, true,
			"accepted, accepted, accepted, accepted, accepted", smtp.LevelLookAhead},
		{"refuses RSET", smtptest.Config{Quirks: smtptest.Quirks{RefuseRSET: true}}, false,
			"accepted, not sent protocol again, untold, untold, untold", smtp.LevelLockStep},
		{"one octet at a time", smtptest.Config{Quirks: smtptest.Quirks{SplitReplies: true}}, true,
			"accepted, accepted, accepted, accepted, accepted", smtp.LevelLookAhead},
		{"three lines each", smtptest.Config{Quirks: smtptest.Quirks{MultilineReplies: true}}, true,
			"accepted, accepted, accepted, accepted, accepted", smtp.LevelLookAhead},
		{"session limit at MAIL", smtptest.Config{Limits: small}, false,
			"accepted, accepted, not sent session-limit again, untold, untold", smtp.LevelLookAhead},
		{"session limit at DATA", smtptest.Config{Limits: small, Quirks: smtptest.Quirks{LimitAtData: true, StickyTransaction: true}}, false,
			"accepted, accepted, not sent session-limit again, untold, untold", smtp.LevelLookAhead},
		{"no PIPELINING", smtptest.Config{Extensions: smtptest.NoExtensions()}, false,
			"accepted, accepted, accepted, accepted, accepted", smtp.LevelLockStep},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, tt.config)
				if tt.trust {
					r.trust()
				}
				c := r.dial()
				first := []*parcel{letter(1), letter(2), letter(3), letter(4), letter(5)}
				r.stream(c, first...)
				if got := verdicts(first); got != tt.first {
					t.Errorf("got  %s\nwant %s", got, tt.first)
				}
				if strings.HasPrefix(tt.name, "session limit") && c.MaxTransactions() != 2 {
					t.Errorf("learned %d transactions", c.MaxTransactions())
				}
				for i, m := range first {
					for tries := 0; m.verdict() != "accepted"; tries++ {
						if m.result != nil && !m.result.Repeatable || tries == 3 {
							t.Fatalf("message %d: %s after %d", i+1, m.verdict(), tries)
						}
						m = letter(i + 1)
						c = r.dial()
						r.stream(c, m)
					}
				}
				if c.Level() != tt.level {
					t.Errorf("level %v, want %v", c.Level(), tt.level)
				}
			})
		})
	}
}

// Where a refusal leaves the transaction open, RSET alone keeps the next
// message from inheriting sender and recipients.
func TestNothingIsInherited(t *testing.T) {
	t.Parallel()
	for _, level := range []smtp.Level{smtp.LevelLockStep, smtp.LevelGroup, smtp.LevelLookAhead} {
		for _, chunking := range []bool{false, true} {
			t.Run(fmt.Sprint(level, chunking), func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) {
					r := newRig(t, smtptest.Config{KeepMessages: true, Quirks: smtptest.Quirks{StickyTransaction: true},
						Faults: faultsOf(t, "final:reply=552 5.3.4 Too big:5th", "data:reply=451 4.3.0 Not now:7th")})
					r.trust()
					r.config.MaxLevel = level
					var mails []*parcel
					for i := range 6 {
						m := letter(i + 1)
						m.Chunking = chunking
						mails = append(mails, m)
					}
					if err := r.stream(r.dial(), mails...); err != nil {
						t.Error(err)
					}
					want := "accepted, rejected size, accepted, rejected content, accepted, accepted"
					if chunking { // a single chunk has no verdict but the last
						want = "accepted, rejected size, accepted, accepted, accepted, accepted"
					}
					if got := verdicts(mails); got != want {
						t.Errorf("got  %s\nwant %s", got, want)
					}
					for _, got := range r.server.Messages() {
						var n int
						fmt.Sscanf(got.ID, "<%d@", &n)
						if len(got.To) != 1 || got.To[0].Address != fmt.Sprintf("r%d@b.test", n) || got.From != fmt.Sprintf("s%d@a.test", n) {
							t.Errorf("%s from %s to %v", got.ID, got.From, got.To)
						}
					}
				})
			})
		}
	}
}

// Servers count errors and hang up: after two envelopes without any recipient
// DATA waits for the verdicts.
func TestRepeatedRefusalsHoldDATABack(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{Reject: refuseRecipient("no@b.test"), Quirks: smtptest.Quirks{ErrorLimit: 10}})
		r.trust()
		var mails []*parcel
		for i := range 7 {
			to := "no@b.test"
			if i == 6 {
				to = "yes@b.test"
			}
			mails = append(mails, letter(i, to))
		}
		if err := r.stream(r.dial(), mails...); err != nil {
			t.Error(err)
		}
		if got := verdicts(mails); strings.Count(got, "rejected recipient") != 6 || !strings.HasSuffix(got, ", accepted") {
			t.Error(got)
		}
		if n := strings.Count(verbs(r.flights()), "DATA"); n != 3 {
			t.Errorf("DATA was written %d times: %s", n, verbs(r.flights()))
		}
	})
}

// A server that hangs up over errors: what it said first stays the verdict.
func TestErrorLimit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{Reject: refuseRecipient("no@b.test"), Quirks: smtptest.Quirks{ErrorLimit: 3}})
		mails := []*parcel{letter(1, "no@b.test"), letter(2, "no@b.test"), letter(3)}
		err := r.stream(r.dial(), mails...)
		if got := verdicts(mails); got != "rejected recipient, rejected recipient, untold" || err == nil {
			t.Error(got, err)
		}
	})
}

// A refusal that comes right before the connection ends is the verdict, not the end.
func TestRefusalBeforeHangingUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, want string }{
		{"mail:vanish", "not sent connect again"},
		{"mail:reply=550 5.7.1 Blocked:1st rcpt:drop", "rejected sender"},
		{"rcpt:reply=550 5.1.1 No:1st data:reset", "rejected recipient"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				texts := strings.SplitAfter(tt.fault, ":1st")
				for i := range texts {
					texts[i] = strings.TrimSpace(texts[i])
				}
				r := newRig(t, smtptest.Config{Faults: faultsOf(t, texts...)})
				m := letter(1)
				r.stream(r.dial(), m)
				if got := m.verdict(); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// In lock-step a protocol-class reply to one RCPT is that recipient's refusal;
// in a group it may be about the group, so the message is tried again without.
func TestProtocolReplyToRCPT(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{Reject: func(p smtptest.Phase, arg string) *smtptest.Reply {
			if p == smtptest.PhaseRCPT && arg == "no@b.test" {
				return &smtptest.Reply{Code: 503, Text: "5.5.1 I do not like that"}
			}
			return nil
		}})
		m := letter(1, "no@b.test", "yes@b.test")
		r.stream(r.dial(), m)
		if m.verdict() != "not sent protocol again" {
			t.Error(m.verdict())
		}
		m = letter(1, "no@b.test", "yes@b.test")
		c := r.dial()
		if err := r.stream(c, m); err != nil || m.recipients() != "rejected 503, accepted 250" {
			t.Error(err, m.recipients())
		}
	})
}

func TestManyRecipients(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 50)
	tests := []struct {
		name   string
		count  int
		prefix string
		groups string
	}{
		{"100", 100, "r", "MAIL" + strings.Repeat(" RCPT", 100) + " DATA | ~ ."},
		{"101", 101, "r", "MAIL" + strings.Repeat(" RCPT", 100) + " | RCPT DATA | ~ ."},
		{"250", 250, "r", "MAIL" + strings.Repeat(" RCPT", 100) + " | " + strings.TrimSpace(strings.Repeat("RCPT ", 100)) + " | " + strings.Repeat("RCPT ", 50) + "DATA | ~ ."},
		{"4 KB", 90, long, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{Reject: refuseRecipient("r7@b.test")})
				var to []string
				for i := range tt.count {
					to = append(to, fmt.Sprintf("%s%d@b.test", tt.prefix, i))
				}
				m := letter(1, to...)
				if err := r.stream(r.dial(), m); err != nil || m.result.Outcome != smtp.Accepted {
					t.Fatal(err, m.verdict())
				}
				for i, to := range m.result.Recipients {
					if want := to.Address == "r7@b.test"; (to.Outcome == smtp.Rejected) != want {
						t.Errorf("recipient %d: %+v", i, to)
					}
				}
				got := verbs(r.flights())
				if tt.groups != "" && got != tt.groups {
					t.Error(got)
				}
				for _, f := range r.flights() {
					if len(f) > 4<<10+128 {
						t.Errorf("%d octets unanswered", len(f))
					}
				}
			})
		})
	}
}

func TestTooManyRecipients(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{Limits: smtptest.Limits{RecipientsPerMessage: 3}})
		m := letter(1, "a@b.test", "b@b.test", "c@b.test", "d@b.test", "e@b.test")
		if err := r.stream(r.dial(), m); err != nil || m.verdict() != "accepted too-many-recipients" {
			t.Error(err, m.verdict())
		}
		if got := m.recipients(); got != "accepted 250, accepted 250, accepted 250, rejected 452, rejected 452" {
			t.Error(got)
		}
		if got := r.config.Memory.RecipientLimit(); got != 3 {
			t.Errorf("learned %d", got)
		}
	})
}

// Duplicates are the caller's business: each gets its own RCPT and reply.
func TestDuplicateRecipientsAreUntouched(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{})
		m := letter(1, "a@b.test", "c@b.test", "a@b.test")
		if err := r.dial().Stream(t.Context(), queue([]*parcel{m})); err != nil || m.recipients() != "accepted 250, accepted 250, accepted 250" {
			t.Error(err, m.recipients())
		}
		if got := r.server.Accepted()[m.id].Recipients; len(got) != 3 {
			t.Error(got)
		}
	})
}
