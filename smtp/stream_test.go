package smtp_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const (
	groupFirst = "MAIL RCPT DATA"
	groupNext  = "RSET MAIL RCPT DATA"
)

// What stands in which write at each level, for five messages.
func TestFlightsByLevel(t *testing.T) {
	t.Parallel()
	noPipelining := []string{"SIZE", "8BITMIME"}
	tests := []struct {
		name       string
		extensions []string
		most       smtp.Level
		want       string
		trips      []int
	}{
		// After success nothing is left to reset: no RSET in lock-step.
		{"no PIPELINING", noPipelining, 0, strings.Repeat("MAIL | RCPT | DATA | ~ . | ", 5), []int{4, 4, 4, 4, 4}},
		{"switched to lock-step", nil, smtp.LevelLockStep, strings.Repeat("MAIL | RCPT | DATA | ~ . | ", 5), []int{4, 4, 4, 4, 4}},
		{"switched to groups", nil, smtp.LevelGroup, groupFirst + " | ~ . | " + strings.Repeat(groupNext+" | ~ . | ", 4), []int{2, 2, 2, 2, 2}},
		// The first three transactions with a server never met go in groups.
		{"look-ahead", nil, 0, groupFirst + " | ~ . | " + groupNext + " | ~ . | " + groupNext + " | ~ . | " +
			groupNext + " | ~ . " + groupNext + " | ~ . | ", []int{2, 2, 2, 2, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{Extensions: tt.extensions})
				r.config.MaxLevel = tt.most
				c := r.dial()
				before := c.Info().RoundTrips
				mails := []*parcel{letter(1), letter(2), letter(3), letter(4), letter(5)}
				if err := r.stream(c, mails...); err != nil {
					t.Fatal(err, verdicts(mails))
				}
				if got := verbs(r.flights()) + " | "; got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
				total := 0
				for i, m := range mails {
					if m.verdict() != "accepted" || m.result.RoundTrips != tt.trips[i] {
						t.Errorf("%s: %s in %d round trips, want %d", m.id, m.verdict(), m.result.RoundTrips, tt.trips[i])
					}
					total += m.result.RoundTrips
				}
				if c.Info().RoundTrips-before != total {
					t.Errorf("the connection counts %d round trips, the results %d", c.Info().RoundTrips-before, total)
				}
			})
		})
	}
}

// Behind a large message others would wait long: nothing rides behind it.
func TestNoLookAheadBehindALargeMessage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		octets int
		rides  bool
	}{{1 << 20, true}, {1<<20 + 2, false}} {
		t.Run(fmt.Sprint(tt.octets), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{})
				r.trust()
				line := strings.Repeat("x", 62) + "\r\n"
				text := letterText(1) + strings.Repeat(line, tt.octets/len(line))
				text = text[:tt.octets-2] + "\r\n"
				mails := []*parcel{letterOf(1, smtp.Bytes([]byte(text))), letter(2)}
				if err := r.stream(r.dial(), mails...); err != nil || verdicts(mails) != "accepted, accepted" {
					t.Fatal(err, verdicts(mails))
				}
				if got := strings.Contains(verbs(r.flights()), ". "+groupNext); got != tt.rides {
					t.Errorf("rides: %v, want %v: %s", got, tt.rides, verbs(r.flights()))
				}
			})
		})
	}
}

// Once a server is demoted by one connection, the others stop as well.
func TestDemotionReachesOtherConnections(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{Faults: faultsOf(t, "mail:reply=503 5.5.1 Out of step:5th")})
		r.trust()
		c, other := r.dial(), r.dial()
		mails := []*parcel{letter(1), letter(2)}
		mails[0].Commit = func() error { // in the middle of the first one's content
			spoiler := letter(9)
			r.stream(other, letter(8), spoiler)
			return nil
		}
		if err := r.stream(c, mails...); err != nil {
			t.Error(err)
		}
		if got := verdicts(mails); got != "accepted, accepted" || mails[1].result.Level != smtp.LevelLockStep {
			t.Errorf("%s at %v", got, mails[1].result.Level)
		}
		r.wires = r.wires[:len(r.wires)-1]
		if got := verbs(r.flights()); !strings.HasPrefix(got, "MAIL RCPT DATA | ~ . | RSET | MAIL |") {
			t.Error(got)
		}
	})
}

// Round trips are what the server sees: it waits for us as often as we say.
func TestServerSeesTheRoundTrips(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{})
		r.trust()
		before := r.server.Stats().RoundTrips
		c := r.dial()
		var mails []*parcel
		for i := range 50 {
			mails = append(mails, letter(i))
		}
		if err := r.stream(c, mails...); err != nil {
			t.Fatal(err)
		}
		// The greeting, EHLO, the first envelope, and one for each message.
		if got := r.server.Stats().RoundTrips - before; got != 3+50 {
			t.Errorf("%d round trips", got)
		}
	})
}

// A server that says more or less than it should is found out: no transaction
// may be told another's reply.
func TestDesynchronisedReplies(t *testing.T) {
	t.Parallel()
	const envelope = "C~ ^MAIL\nC~ ^RCPT\nC~ ^RCPT\nC: DATA\n"
	ends := "not sent protocol again"
	tests := []struct{ name, script, want, recipients string }{
		{"extra behind MAIL", envelope + "S: 250 mail\nS: 250 extra\nS: 550 one\nS: 250 two\nS: 354 go\nS! wait", ends, "not sent 250, not sent 250"},
		{"extra behind RCPT", envelope + "S: 250 mail\nS: 250 one\nS: 250 extra\nS: 550 two\nS: 354 go\nS! wait", ends, ""},
		{"extra behind 354", envelope + "S: 250 mail\nS: 250 one\nS: 250 two\nS: 354 go\nS: 250 extra\nS! wait", ends, ""},
		{"missing MAIL", envelope + "S: 250 one\nS: 550 two\nS: 354 go\nS! wait", "not sent protocol again", "not sent 354, not sent 354"},
		{"354 to MAIL", envelope + "S: 354 go\nS! wait", ends, "not sent 354, not sent 354"},
		{"250 to DATA", envelope + "S: 250 mail\nS: 550 one\nS: 250 two\nS: 250 go\nS! wait", ends, "not sent 250, not sent 250"},
		{"220 at once", envelope + "S: 220 mail\nS: 250 one\nS: 250 two\nS: 220 go\nS! wait", ends, ""},
		{"354 to the content", envelope + "S: 250 mail\nS: 250 one\nS: 250 two\nS: 354 go\nC! body\nS: 354 go\nS! wait", "unknown protocol", ""},
		{"no reply at all but text", envelope + "S: hello\nS! wait", ends, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := scripted(t, tt.script)
				m, second := letter(1, "a@b.test", "c@b.test"), letter(2)
				c := r.dial()
				err := r.stream(c, m, second)
				if m.verdict() != tt.want || err == nil || second.pulled || c.Alive() {
					t.Errorf("got %s, want %s; %v; next %s", m.verdict(), tt.want, err, second.verdict())
				}
				if tt.recipients != "" && m.recipients() != tt.recipients {
					t.Errorf("recipients %s, want %s", m.recipients(), tt.recipients)
				}
			})
		})
	}
}

// An extra reply at rest is noticed before another transaction is written.
func TestExtraReplyAtRest(t *testing.T) {
	t.Parallel()
	const first = "C~ ^MAIL\nC~ ^RCPT\nC: DATA\nS: 250 a\nS: 250 b\nS: 354 c\nC! body\nS: 250 done\nS: 250 extra\n"
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := scripted(t, first+"S! wait")
				c := r.dial()
				mails := []*parcel{letter(1), letter(2)}[:n]
				err := r.stream(c, mails...)
				if mails[0].verdict() != "accepted" || err == nil && n == 1 || c.Alive() {
					t.Error(verdicts(mails), err)
				}
				if n == 2 && (mails[1].verdict() != "not sent protocol again" || strings.Contains(verbs(r.flights()), "RSET")) {
					t.Error(verdicts(mails), verbs(r.flights()))
				}
			})
		})
	}
}

// One reply too many, or one too few, at each place of a busy pipeline.
func TestExtraAndMissingRepliesInThePipeline(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"extra", "missing", "extra=550 5.1.1 No", "extra=354 Go"} {
		for _, phase := range []string{"mail:5th", "rcpt:5th", "data:5th", "rset:4th", "final:5th", "mail:4th", "rcpt:4th", "data:4th"} {
			name, nth, _ := strings.Cut(phase, ":")
			t.Run(name+" "+action+" "+nth, func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) {
					// Every content is refused: an accepted message would have
					// been told another's reply.
					refuse := false
					r := newRig(t, smtptest.Config{Faults: faultsOf(t, name+":"+action+":"+nth),
						Reject: func(p smtptest.Phase, _ string) *smtptest.Reply {
							if refuse && p == smtptest.PhaseFinal && name != "final" {
								return &smtptest.Reply{Code: 554, Text: "5.7.1 No"}
							}
							return nil
						}})
					r.trust()
					refuse = true
					var mails []*parcel
					for i := range 5 {
						mails = append(mails, letter(i, "a@b.test", "c@b.test"))
					}
					err := r.stream(r.dial(), mails...)
					if err == nil {
						t.Errorf("nobody noticed: %s", verdicts(mails))
					}
				})
			})
		}
	}
}
