package smtp_test

import (
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// Each row breaks the connection while the first of three look-ahead
// transactions is on its way, or later ones ride behind it.
func TestOutcomesOfLostConnections(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, fault, want string }{
		{"no reply to MAIL", "mail:drop:4th", "not sent connect again, untold, untold"},
		{"reset at RCPT", "rcpt:reset:4th", "not sent connect again, untold, untold"},
		{"no reply to DATA", "data:drop:4th", "not sent connect again, untold, untold"},
		{"stall at MAIL", "mail:stall:4th", "not sent timeout, untold, untold"},
		{"terminator written, FIN", "final:drop:4th", "unknown connect, not sent connect again, untold"},
		{"terminator written, RST", "final:reset:4th", "unknown connect, not sent connect again, untold"},
		{"terminator written, silence", "final:stall:4th", "unknown timeout, not sent timeout, untold"},
		{"taken, reply lost", "after-final:drop:4th", "unknown connect, not sent connect again, untold"},
		{"421 as the verdict", "final:421:4th", "rejected connection-limit, not sent connection-limit again, untold"},
		{"5xx as the verdict", "final:reply=554 5.7.1 Spam:4th", "rejected content, accepted, accepted"},
		// A look-ahead transaction is lost behind one that was accepted.
		{"lost at RSET behind", "rset:drop:3rd", "accepted, not sent connect again, untold"},
		{"421 at RSET behind", "rset:421:3rd", "accepted, not sent connection-limit again, untold"},
		{"lost at MAIL behind", "mail:reset:5th", "accepted, not sent connect again, untold"},
		{"421 at MAIL behind", "mail:421:5th", "accepted, not sent connection-limit again, untold"},
		{"421 at RCPT behind", "rcpt:421:5th", "accepted, not sent connection-limit again, untold"},
		{"421 at DATA behind", "data:421:5th", "accepted, not sent connection-limit again, untold"},
		{"verdict of the last lost", "final:drop:6th", "accepted, accepted, unknown connect"},
		{"421 as the last verdict", "final:421:6th", "accepted, accepted, rejected connection-limit"},
		{"vanish behind the first verdict", "final:vanish:4th", "accepted, not sent connect again, untold"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{Faults: faultsOf(t, tt.fault)})
				r.trust()
				mails := []*parcel{letter(1), letter(2), letter(3)}
				err := r.stream(r.dial(), mails...)
				if got := verdicts(mails); got != tt.want {
					t.Errorf("got  %s\nwant %s (%v)", got, tt.want, err)
				}
			})
		})
	}
}

func faultsOf(t *testing.T, texts ...string) []smtptest.Fault {
	t.Helper()
	var all []smtptest.Fault
	for _, text := range texts {
		f, err := smtptest.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// What the bare connection's Write took decides what can be claimed.
func TestOutcomeOfShortWrites(t *testing.T) {
	t.Parallel()
	const end = "\r\n.\r\n"
	tests := []struct {
		name string
		keep func(flight string, dot int) int
		want string
	}{
		{"nothing of it left", func(string, int) int { return 0 }, "not sent connect again, not sent connect again"},
		{"all but the last octet left", func(_ string, dot int) int { return dot + len(end) - 1 }, "not sent connect again, not sent connect again"},
		// The server takes the message and answers although our write failed.
		{"the terminator left whole", func(_ string, dot int) int { return dot + len(end) }, "accepted, not sent connect again"},
		{"the terminator and half an envelope", func(_ string, dot int) int { return dot + len(end) + 10 }, "accepted, not sent connect again"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{})
				r.trust()
				r.sever = func(p string) int {
					if dot := strings.Index(p, end); dot >= 0 {
						return tt.keep(p, dot)
					}
					return -1
				}
				mails := []*parcel{letter(1), letter(2)}
				r.stream(r.dial(), mails...)
				if got := verdicts(mails); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			})
		})
	}
}

// Through TLS nobody can tell how much of the final flight left.
func TestShortWriteThroughTLSIsUnknown(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{TLS: smtptest.TLSImplicit})
		r.config.TLS, r.config.TLSConfig = smtp.TLSImplicit, r.server.ClientTLS()
		writes := 0
		c := r.dial()
		r.wires[0].sever = func(string) int {
			if writes++; writes == 2 { // envelope, then content
				return 0
			}
			return -1
		}
		m := letter(1)
		r.stream(c, m)
		if got := m.verdict(); got != "unknown connect" {
			t.Error(got)
		}
	})
}

// A server that gives up in the middle of a large message says why before it
// resets; that must not be drowned by the error of our write.
func TestLastWordsAreReadAfterAWriteError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ words, want string }{
		{"552 5.3.4 Too big", "rejected size"},
		{"421 4.3.2 Going down", "not sent connection-limit"},
		{"250 2.0.0 Ok", "not sent connect again"}, // cannot be: the end was never written
		{"354 Go on", "not sent connect again"},
	} {
		t.Run(tt.words, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := scripted(t, "C~ ^MAIL\nC~ ^RCPT\nC: DATA\nS: 250 a\nS: 250 b\nS: 354 c\nC~ ^Message-ID\nS: "+tt.words+"\nS! reset")
				m := letterOf(1, smtp.Bytes([]byte(letterText(1)+strings.Repeat("0123456789\r\n", 100000))))
				r.stream(r.dial(), m)
				if got := m.verdict(); got != tt.want {
					t.Errorf("got %s, want %s (%v)", got, tt.want, m.result.Err)
				}
			})
		})
	}
}

// RSET and QUIT that fail behind a delivery do not touch it.
func TestFailuresBehindADelivery(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"quit:drop", "quit:reset", "quit:reply=500 No", "quit:421", "idle:drop:2nd", "rset:reply=502 No"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{Faults: faultsOf(t, fault)})
				c := r.dial()
				m := letter(1)
				err := r.stream(c, m)
				c.Quit(t.Context())
				if m.verdict() != "accepted" || err != nil {
					t.Error(m.verdict(), err)
				}
			})
		})
	}
}

// A reply that comes after we gave up must never be taken for another's.
func TestLateReplyFindsTheConnectionDead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ phase, want string }{
		{"mail", "not sent timeout"}, {"rcpt", "not sent timeout"}, {"data", "not sent timeout"}, {"final", "unknown timeout"},
	} {
		t.Run(tt.phase, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{Faults: faultsOf(t, tt.phase+":delay=20m:1st")})
				c := r.dial()
				m, second := letter(1), letter(2)
				if err := r.stream(c, m); err == nil || m.verdict() != tt.want {
					t.Error(m.verdict(), err)
				}
				if err := r.stream(c, second); err == nil || second.pulled || c.Alive() {
					t.Error("the connection was used again:", second.verdict(), err)
				}
			})
		})
	}
}
