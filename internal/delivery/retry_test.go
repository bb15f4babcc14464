package delivery_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/delivery"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// tries runs a job against a server and tells when it was tried within that time.
func tries(p *post, j queue.Submission, within time.Duration, server func(m delivery.Message) delivery.Result) (id queue.ID, at []time.Duration) {
	p.Helper()
	began := time.Now()
	p.outlets["a"].server = func(m delivery.Message) delivery.Result {
		at = append(at, time.Since(began))
		return server(m)
	}
	id = p.put(j)[0]
	p.config.Poll = 10 * time.Second // there is nothing else
	p.run()
	pass(within)
	p.close()
	return id, at
}

// follow wants pauses of about these lengths between the tries.
func follow(t *testing.T, at, pauses []time.Duration) {
	t.Helper()
	for i, want := range pauses {
		if i+1 >= len(at) {
			t.Errorf("%d tries, want %d", len(at), len(pauses)+1)
			return
		}
		if got := at[i+1] - at[i]; got < want*9/10-time.Second || got > want*11/10+2*time.Second {
			t.Errorf("pause %d was %v, want about %v", i+1, got, want)
		}
	}
}

func always(r smtp.RecipientResult) func(m delivery.Message) delivery.Result {
	return func(m delivery.Message) delivery.Result {
		return answered(m, func(smtp.Recipient) smtp.RecipientResult { return r })
	}
}

func TestPausesBetweenTries(t *testing.T) {
	const m = time.Minute
	standard := []time.Duration{m / 2, m, 2 * m, 5 * m, 10 * m, 20 * m, 40 * m, 60 * m, 60 * m}
	for _, test := range []struct {
		name   string
		answer smtp.RecipientResult
		own    []time.Duration
		want   []time.Duration
	}{
		{"standard", no(450, smtp.ClassRecipient, "4.2.0 Busy"), nil, standard},
		{"own", no(450, smtp.ClassRecipient, "4.2.0 Busy"), []time.Duration{m, 3 * m}, []time.Duration{m, 3 * m, 3 * m}},
		{"own but empty", no(450, smtp.ClassRecipient, "4.2.0 Busy"), []time.Duration{}, standard},
		{"hint", no(450, smtp.ClassRecipient, "4.2.0 Greylisted, try again in 300 seconds"), nil, []time.Duration{5 * m, 5 * m, 5 * m, 5 * m, 10 * m}},
		{"too fast", no(450, smtp.ClassRate, "4.2.1 Too fast"), nil, []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 320 * time.Second, 640 * time.Second, 1280 * time.Second, 2560 * time.Second}},
		{"crowded each time", no(421, smtp.ClassConnectionLimit, "4.3.2 Too many connections"), nil, []time.Duration{0, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second}},
		{"no room for one", no(452, smtp.ClassTooManyRecipients, "4.5.3 Too many recipients"), nil, standard},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPost(t, "a")
				j := job("a")
				j.Backoff = test.own
				id, at := tries(p, j, 4*time.Hour, always(test.answer))
				follow(t, at, test.want)
				if d := p.wants(id, queue.Queued); d.Attempts != len(at) || len(d.History) != len(at) || d.Last.Code != test.answer.Reply.Code {
					t.Errorf("%d tries: %+v", len(at), d.Job)
				}
			})
		})
	}
}

// When its time is over the job has expired, with the last reply.
func TestExpiry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		j := job("a")
		j.Expires = time.Now().Add(2 * time.Hour)
		id, at := tries(p, j, 3*time.Hour, always(no(450, smtp.ClassRecipient, "4.2.0 Busy")))
		d := p.wants(id, queue.Expired)
		if len(at) != 8 || d.Attempts != 8 || d.Last.Text == "" || d.Recipients[0].State != queue.Expired || d.Recipients[0].Reply.Code != 450 {
			t.Errorf("%d tries: %+v", len(at), d.Job)
		}
		if d.Ended.Sub(d.Expires) > 2*time.Second {
			t.Errorf("it ended %v late", d.Ended.Sub(d.Expires))
		}
		finished := 0
		for _, e := range p.events {
			if e.Job.State.Finished() {
				finished++
			}
		}
		if finished != 1 {
			t.Errorf("told %d times", finished)
		}
	})
}

// Of several recipients only those are tried again that are open.
func TestOpenRecipientsAreTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		var rounds [][]string
		id, at := tries(p, job("a", "yes@x.example", "later@x.example", "never@x.example"), time.Hour, func(m delivery.Message) delivery.Result {
			rounds = append(rounds, addresses(m.To))
			return answered(m, func(to smtp.Recipient) smtp.RecipientResult {
				switch {
				case strings.HasPrefix(to.Address, "yes"), len(rounds) == 3:
					return yes
				case strings.HasPrefix(to.Address, "later"):
					return no(450, smtp.ClassRecipient, "4.2.0 Busy")
				}
				return no(550, smtp.ClassRecipient, "5.1.1 No such user")
			})
		})
		follow(t, at, []time.Duration{30 * time.Second, time.Minute})
		if want := [][]string{{"yes@x.example", "later@x.example", "never@x.example"}, {"later@x.example"}, {"later@x.example"}}; !slices.EqualFunc(rounds, want, slices.Equal) {
			t.Errorf("tried %v", rounds)
		}
		d := p.wants(id, queue.Failed)
		for i, want := range []queue.State{queue.Sent, queue.Sent, queue.Failed} {
			if r := d.Recipients[i]; r.State != want || r.Reply.IsZero() {
				t.Errorf("%+v", r)
			}
		}
	})
}

func addresses(to []smtp.Recipient) (list []string) {
	for _, r := range to {
		list = append(list, r.Address)
	}
	return list
}

// A server that takes two recipients at a time: each part is settled, and those
// who were refused for now have their pause.
func TestParts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		counts := make(map[string]int)
		id, at := tries(p, job("a", "late@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"), time.Hour, func(m delivery.Message) delivery.Result {
			seen := 0
			return answered(m, func(to smtp.Recipient) smtp.RecipientResult {
				if seen++; seen > 2 {
					return no(452, smtp.ClassTooManyRecipients, "4.5.3 Too many recipients")
				}
				if counts[to.Address]++; to.Address == "late@x.example" && counts[to.Address] == 1 {
					return no(450, smtp.ClassRecipient, "4.2.0 Busy")
				}
				return yes
			})
		})
		d := p.wants(id, queue.Sent)
		if len(at) != 4 || d.Attempts != 4 || counts["late@x.example"] != 2 || counts["e@x.example"] != 1 {
			t.Errorf("tries at %v, %v", at, counts)
		}
		if at[2] > time.Second || at[3] < 27*time.Second || at[3] > 12*time.Minute {
			t.Errorf("tries at %v", at)
		}
	})
}

// The outcome of a try is not known: the policy decides.
func TestUnknownOutcomes(t *testing.T) {
	unknown := smtp.RecipientResult{Outcome: smtp.Unknown, Class: smtp.ClassConnect}
	for policy, want := range map[queue.Policy]queue.State{queue.Retry: queue.Sent, queue.Hold: queue.Held, queue.Never: queue.Failed} {
		t.Run(policy.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPost(t, "a")
				n := 0
				j := job("a", "a@x.example", "refused@x.example")
				j.Unknown = policy
				id, at := tries(p, j, time.Hour, func(m delivery.Message) delivery.Result {
					n++
					r := answered(m, func(to smtp.Recipient) smtp.RecipientResult {
						switch {
						case to.Address == "refused@x.example":
							return no(550, smtp.ClassRecipient, "5.1.1 No")
						case n == 1:
							return unknown
						}
						return yes
					})
					if n == 1 {
						r.Last.Outcome, r.Last.Err = smtp.Unknown, &smtp.Error{Class: smtp.ClassConnect, Outcome: smtp.Unknown}
						r.Err = r.Last.Err
					}
					return r
				})
				if want == queue.Sent {
					want = queue.Failed // for refused@
				}
				d := p.wants(id, want)
				if !d.Doubt || d.History[0].Attempt.Outcome != smtp.Unknown || d.Recipients[1].State != queue.Failed {
					t.Errorf("%+v", d)
				}
				if retried := len(at) == 2; retried != (policy == queue.Retry) {
					t.Errorf("%d tries", len(at))
				}
				if policy != queue.Retry && d.Reason == "" {
					t.Error("no reason")
				}
			})
		})
	}
}

// unreadable is a store whose bodies cannot be opened for a while.
type unreadable struct {
	queue.Store
	until time.Time
	err   error
}

func (s unreadable) Claim(ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
	got, err := s.Store.Claim(ctx, now, wants)
	for i := range got {
		for k := range got[i].Claims {
			body := &got[i].Claims[k].Body
			octets := body.Octets
			body.Octets, body.Open = nil, func() (io.ReadCloser, error) {
				if time.Now().Before(s.until) {
					return nil, s.err
				}
				return io.NopCloser(strings.NewReader(string(octets))), nil
			}
		}
	}
	return got, err
}

// A body that cannot be read now is no fault of the message's; one that is damaged
// is put aside.
func TestBodiesThatCannotBeRead(t *testing.T) {
	for name, err := range map[string]error{"now": errors.New("too many open files"), "ever": &queue.DamagedError{ID: 1, Err: errDisk}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPost(t, "a")
				p.config.Store = unreadable{p.store, time.Now().Add(5 * time.Minute), err}
				id, _ := tries(p, job("a"), time.Hour, func(m delivery.Message) delivery.Result {
					r, err := m.Content.Reader()
					if err != nil {
						err = &smtp.Error{Phase: smtp.PhaseWaiting, Class: smtp.ClassContent, Err: &delivery.ReadError{Err: err}}
						return delivery.Result{Tried: len(m.To), Err: err}
					}
					r.Close()
					return always(yes)(m)
				})
				if name == "ever" {
					if d := p.wants(id, queue.Held); !strings.Contains(d.Reason, "damaged") {
						t.Errorf("reason %q", d.Reason)
					}
					return
				}
				if d := p.wants(id, queue.Sent); d.Attempts != 5 || !strings.Contains(d.History[0].Attempt.Error, "too many open files") {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}
