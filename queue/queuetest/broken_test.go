package queuetest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/queue/queuetest"
	"github.com/kaizenmail/kaizen/smtp"
)

// broken is a store that does something wrong: what is set here instead of what the
// store in memory does.
type broken struct {
	*memory.Store
	put     func(*broken, context.Context, time.Time, []queue.Submission) ([]queue.Receipt, error)
	claim   func(*broken, context.Context, time.Time, []queue.Want) ([]queue.Claimed, error)
	begin   func(*broken, context.Context, time.Time, []queue.Token) ([]error, error)
	settle  func(*broken, context.Context, time.Time, []queue.Settlement) ([]error, error)
	control func(*broken, context.Context, time.Time, queue.Command) (queue.Controlled, error)
	changes func(*broken, context.Context, time.Time) ([]string, error)
	list    func(*broken, context.Context, time.Time, queue.Filter) ([]queue.Job, error)
	get     func(*broken, context.Context, time.Time, queue.ID) (queue.Details, error)
	stats   func(*broken, context.Context, time.Time) (queue.Stats, error)
	recover func(*broken, context.Context, time.Time) (queue.Recovered, error)
	expire  func(*broken, context.Context, time.Time, int) ([]queue.Job, error)
	purge   func(*broken, context.Context, time.Time, queue.Retention, int) (queue.Purged, error)

	mu     sync.Mutex
	tokens map[queue.ID]queue.Token // the latest of each job
	names  []string
	jobs   map[string]queue.Receipt
	claims []queue.Claim
	latest time.Time
	purged bool
}

func (b *broken) Put(ctx context.Context, now time.Time, jobs []queue.Submission) ([]queue.Receipt, error) {
	if b.put != nil {
		return b.put(b, ctx, now, jobs)
	}
	return b.Store.Put(ctx, now, jobs)
}

func (b *broken) Claim(ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
	do := b.Store.Claim
	if b.claim != nil {
		do = func(ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
			return b.claim(b, ctx, now, wants)
		}
	}
	claimed, err := do(ctx, now, slices.Clone(wants))
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, got := range claimed {
		for _, c := range got.Claims {
			b.tokens[c.Job.ID] = c.Token
		}
	}
	return claimed, err
}

func (b *broken) Begin(ctx context.Context, now time.Time, tokens []queue.Token) ([]error, error) {
	if b.begin != nil {
		return b.begin(b, ctx, now, tokens)
	}
	return b.Store.Begin(ctx, now, tokens)
}

func (b *broken) Settle(ctx context.Context, now time.Time, settlements []queue.Settlement) ([]error, error) {
	if b.settle != nil {
		return b.settle(b, ctx, now, slices.Clone(settlements))
	}
	return b.Store.Settle(ctx, now, settlements)
}

func (b *broken) Control(ctx context.Context, now time.Time, c queue.Command) (queue.Controlled, error) {
	if b.control != nil {
		return b.control(b, ctx, now, c)
	}
	return b.Store.Control(ctx, now, c)
}

func (b *broken) Changes(ctx context.Context, now time.Time) ([]string, error) {
	if b.changes != nil {
		return b.changes(b, ctx, now)
	}
	return b.Store.Changes(ctx, now)
}

func (b *broken) List(ctx context.Context, now time.Time, f queue.Filter) ([]queue.Job, error) {
	if b.list != nil {
		return b.list(b, ctx, now, f)
	}
	return b.Store.List(ctx, now, f)
}

func (b *broken) Get(ctx context.Context, now time.Time, id queue.ID) (queue.Details, error) {
	if b.get != nil {
		return b.get(b, ctx, now, id)
	}
	return b.Store.Get(ctx, now, id)
}

func (b *broken) Stats(ctx context.Context, now time.Time) (queue.Stats, error) {
	if b.stats != nil {
		return b.stats(b, ctx, now)
	}
	return b.Store.Stats(ctx, now)
}

func (b *broken) Recover(ctx context.Context, now time.Time) (queue.Recovered, error) {
	if b.recover != nil {
		return b.recover(b, ctx, now)
	}
	return b.Store.Recover(ctx, now)
}

func (b *broken) Expire(ctx context.Context, now time.Time, limit int) ([]queue.Job, error) {
	if b.expire != nil {
		return b.expire(b, ctx, now, limit)
	}
	return b.Store.Expire(ctx, now, limit)
}

func (b *broken) Purge(ctx context.Context, now time.Time, r queue.Retention, limit int) (queue.Purged, error) {
	if b.purge != nil {
		return b.purge(b, ctx, now, r, limit)
	}
	return b.Store.Purge(ctx, now, r, limit)
}

// wants changes the wants of claims.
func wants(change func(*queue.Want)) *broken {
	return &broken{claim: func(b *broken, ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
		for i := range wants {
			change(&wants[i])
		}
		return b.Store.Claim(ctx, now, wants)
	}}
}

// answers changes the answers of claims.
func answers(change func(*broken, *queue.Claimed)) *broken {
	return &broken{claim: func(b *broken, ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
		claimed, err := b.Store.Claim(ctx, now, wants)
		for i := range claimed {
			change(b, &claimed[i])
		}
		return claimed, err
	}}
}

// puts changes what is put.
func puts(change func(*queue.Submission)) *broken {
	return &broken{put: func(b *broken, ctx context.Context, now time.Time, jobs []queue.Submission) ([]queue.Receipt, error) {
		jobs = slices.Clone(jobs)
		for i := range jobs {
			change(&jobs[i])
		}
		return b.Store.Put(ctx, now, jobs)
	}}
}

// gets changes what Get says.
func gets(change func(*broken, *queue.Details)) *broken {
	return &broken{get: func(b *broken, ctx context.Context, now time.Time, id queue.ID) (queue.Details, error) {
		d, err := b.Store.Get(ctx, now, id)
		change(b, &d)
		return d, err
	}}
}

// settles changes what is settled.
func settles(change func(*queue.Settlement)) *broken {
	return &broken{settle: func(b *broken, ctx context.Context, now time.Time, settlements []queue.Settlement) ([]error, error) {
		for i := range settlements {
			change(&settlements[i])
		}
		return b.Store.Settle(ctx, now, settlements)
	}}
}

// wrong makes stores, each wrong in one thing.
var wrong = map[string]func() *broken{
	"ignores tokens at begin": func() *broken {
		return &broken{begin: func(b *broken, ctx context.Context, now time.Time, tokens []queue.Token) ([]error, error) {
			return b.Store.Begin(ctx, now, b.standing(tokens))
		}}
	},
	"ignores tokens at settle": func() *broken {
		return &broken{settle: func(b *broken, ctx context.Context, now time.Time, settlements []queue.Settlement) ([]error, error) {
			for i := range settlements {
				settlements[i].Token = b.standing([]queue.Token{settlements[i].Token})[0]
			}
			return b.Store.Settle(ctx, now, settlements)
		}}
	},
	"begins what has expired": func() *broken {
		return &broken{begin: func(b *broken, ctx context.Context, now time.Time, tokens []queue.Token) ([]error, error) {
			return b.Store.Begin(ctx, time.Time{}, tokens)
		}}
	},
	"does not note that a job began": func() *broken {
		return &broken{begin: func(b *broken, ctx context.Context, now time.Time, tokens []queue.Token) ([]error, error) {
			errs := make([]error, len(tokens))
			for i, t := range b.standing(tokens) {
				d, err := b.Store.Get(ctx, now, t.ID)
				switch {
				case err != nil || d.State != queue.Active || t != tokens[i]:
					errs[i] = queue.ErrStale
				case d.HasExpired(now):
					return b.Store.Begin(ctx, now, tokens)
				}
			}
			return errs, nil
		}}
	},
	"begins all policies when it claims": func() *broken {
		return &broken{claim: func(b *broken, ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
			claimed, err := b.Store.Claim(ctx, now, wants)
			for i := range claimed {
				for j := range claimed[i].Claims {
					c := &claimed[i].Claims[j]
					if wants[i].Begin {
						_, _ = b.Store.Begin(ctx, now, []queue.Token{c.Token})
						c.Begun = true
					}
				}
			}
			return claimed, err
		}}
	},
	"counts an attempt for a job that is given back": func() *broken {
		return settles(func(s *queue.Settlement) {
			if s.Attempt == nil && s.State == queue.Queued {
				s.Attempt = &queue.Attempt{}
			}
		})
	},
	"forgets the due time of a job that is tried again": func() *broken {
		return settles(func(s *queue.Settlement) { s.Due = time.Time{} })
	},
	"forgets that an outcome was unknown": func() *broken {
		return settles(func(s *queue.Settlement) {
			if s.Attempt != nil && s.Attempt.Outcome == smtp.Unknown {
				a := *s.Attempt
				a.Outcome, s.Attempt = smtp.Rejected, &a
			}
		})
	},
	"forgets late settlements": func() *broken {
		return &broken{settle: func(b *broken, ctx context.Context, now time.Time, settlements []queue.Settlement) ([]error, error) {
			errs := make([]error, len(settlements))
			for i, s := range settlements {
				errs[i] = queue.ErrStale
				if d, err := b.Store.Get(ctx, now, s.Token.ID); err == nil && d.State == queue.Active && b.standing([]queue.Token{s.Token})[0] == s.Token {
					one, err := b.Store.Settle(ctx, now, settlements[i:i+1])
					if err != nil {
						return nil, err
					}
					errs[i] = one[0]
				}
			}
			return errs, nil
		}}
	},
	"deletes bodies that are shared": func() *broken {
		b := gets(func(b *broken, d *queue.Details) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.purged {
				d.Body = nil
			}
		})
		b.purge = func(b *broken, ctx context.Context, now time.Time, r queue.Retention, limit int) (queue.Purged, error) {
			purged, err := b.Store.Purge(ctx, now, r, limit)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.purged = b.purged || purged.Jobs > 0
			return purged, err
		}
		return b
	},
	"keeps the bodies of sent jobs": func() *broken {
		return &broken{purge: func(b *broken, ctx context.Context, now time.Time, r queue.Retention, limit int) (queue.Purged, error) {
			r.SentBodies = -1
			return b.Store.Purge(ctx, now, r, limit)
		}}
	},
	"purges more than wanted": func() *broken {
		return &broken{purge: func(b *broken, ctx context.Context, now time.Time, r queue.Retention, limit int) (queue.Purged, error) {
			return b.Store.Purge(ctx, now, r, 10*limit)
		}}
	},
	"purges early":                 func() *broken { return purges(func(r *queue.Retention) { r.Sent = max(r.Sent, time.Minute) }) },
	"takes no retention for never": func() *broken { return purges(func(r *queue.Retention) { r.Failed = max(r.Failed, 0) }) },
	"does not expire": func() *broken {
		return &broken{expire: func(*broken, context.Context, time.Time, int) ([]queue.Job, error) { return nil, nil }}
	},
	"goes by no priority":          func() *broken { return swaps(queue.Normal, queue.High) },
	"takes bulk for urgent":        func() *broken { return swaps(queue.Bulk, queue.Urgent) },
	"counts no turns":              func() *broken { return wants(func(w *queue.Want) { w.Turn = 0 }) },
	"hands out more than wanted":   func() *broken { return wants(func(w *queue.Want) { w.Count++ }) },
	"has no places for the urgent": func() *broken { return wants(func(w *queue.Want) { w.Urgent = 0 }) },
	"gives the places of the urgent to all": func() *broken {
		return wants(func(w *queue.Want) { w.Count, w.Urgent = w.Count+w.Urgent, 0 })
	},
	"never begins when it claims": func() *broken { return wants(func(w *queue.Want) { w.Begin = false }) },
	"hands out in another order":  func() *broken { return answers(func(_ *broken, c *queue.Claimed) { slices.Reverse(c.Claims) }) },
	"does not tell what is next":  func() *broken { return answers(func(_ *broken, c *queue.Claimed) { c.Next = time.Time{} }) },
	"hides expired jobs":          func() *broken { return answers(func(_ *broken, c *queue.Claimed) { c.Expired = nil }) },
	"hands out a job twice": func() *broken {
		return answers(func(b *broken, c *queue.Claimed) {
			b.mu.Lock()
			defer b.mu.Unlock()
			c.Claims, b.claims = append(c.Claims, b.claims...), c.Claims
		})
	},
	"has a clock that never goes back": func() *broken {
		return &broken{claim: func(b *broken, ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
			b.mu.Lock()
			if now.After(b.latest) {
				b.latest = now
			}
			now = b.latest
			b.mu.Unlock()
			return b.Store.Claim(ctx, now, wants)
		}}
	},
	"ignores a pause": func() *broken {
		return &broken{claim: func(b *broken, ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
			for _, w := range wants {
				_ = b.Resume(ctx, now, w.Lane)
			}
			return b.Store.Claim(ctx, now, wants)
		}}
	},
	"tells changes twice": func() *broken {
		return &broken{changes: func(b *broken, ctx context.Context, now time.Time) ([]string, error) {
			names, err := b.Store.Changes(ctx, now)
			b.mu.Lock()
			defer b.mu.Unlock()
			all := append(slices.Clone(names), b.names...)
			b.names = names
			slices.Sort(all)
			return slices.Compact(all), err
		}}
	},
	"never tells changes": func() *broken {
		return &broken{changes: func(b *broken, ctx context.Context, _ time.Time) ([]string, error) { return nil, ctx.Err() }}
	},
	"tells nothing after recovery": func() *broken {
		return &broken{recover: func(b *broken, ctx context.Context, now time.Time) (queue.Recovered, error) {
			found, err := b.Store.Recover(ctx, now)
			if err == nil {
				_, err = b.Store.Changes(ctx, now)
			}
			return found, err
		}}
	},
	"lets two deliver": func() *broken {
		return &broken{recover: func(b *broken, ctx context.Context, now time.Time) (queue.Recovered, error) {
			_ = b.Release()
			return b.Store.Recover(ctx, now)
		}}
	},
	"recovers nothing": func() *broken {
		return &broken{recover: func(b *broken, ctx context.Context, now time.Time) (queue.Recovered, error) {
			if s, _ := b.Store.Stats(ctx, now); s.Total(queue.Active) > 0 {
				return queue.Recovered{}, nil
			}
			return b.Store.Recover(ctx, now)
		}}
	},
	"puts a part of a batch": func() *broken {
		return &broken{put: func(b *broken, ctx context.Context, now time.Time, jobs []queue.Submission) (receipts []queue.Receipt, _ error) {
			for i := range jobs {
				one, err := b.Store.Put(ctx, now, jobs[i:i+1])
				if err != nil {
					return nil, err
				}
				receipts = append(receipts, one...)
			}
			return receipts, nil
		}}
	},
	"has one space of keys for all lanes": func() *broken {
		return &broken{put: func(b *broken, ctx context.Context, now time.Time, jobs []queue.Submission) ([]queue.Receipt, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if len(jobs) == 1 && b.jobs[jobs[0].Key].ID != 0 && jobs[0].Key != "" {
				return []queue.Receipt{{ID: b.jobs[jobs[0].Key].ID, Existing: true, Durability: queue.Memory}}, nil
			}
			receipts, err := b.Store.Put(ctx, now, jobs)
			if err == nil && len(jobs) == 1 {
				b.jobs[jobs[0].Key] = receipts[0]
			}
			return receipts, err
		}}
	},
	"sees no conflicts":     func() *broken { return puts(func(s *queue.Submission) { s.Print = []byte("same") }) },
	"forgets keys":          func() *broken { return puts(func(s *queue.Submission) { s.Key = "" }) },
	"trims texts":           func() *broken { return puts(func(s *queue.Submission) { s.Subject = strings.TrimSpace(s.Subject) }) },
	"forgets the backoff":   func() *broken { return puts(func(s *queue.Submission) { s.Backoff = nil }) },
	"goes on after its end": func() *broken { return detached() },
	"says of begun jobs that they were cancelled": func() *broken {
		return &broken{control: func(b *broken, ctx context.Context, now time.Time, c queue.Command) (queue.Controlled, error) {
			done, err := b.Store.Control(ctx, now, c)
			done.Not = slices.DeleteFunc(done.Not, func(r queue.Refusal) bool {
				late := errors.Is(r.Err, queue.ErrTooLate)
				if late {
					done.Add(r.ID, 0)
				}
				return late
			})
			return done, err
		}}
	},
	"controls only the first of many": func() *broken {
		return &broken{control: func(b *broken, ctx context.Context, now time.Time, c queue.Command) (queue.Controlled, error) {
			if f := c.Filter; len(c.IDs) == 0 {
				f.After, f.Reverse, f.Limit = 0, false, 1000
				if len(f.States) == 0 {
					f.States = c.Action.States()
				}
				jobs, _ := b.Store.List(ctx, now, f)
				for i := range jobs {
					if d, _ := b.Store.Get(ctx, now, jobs[i].ID); !d.Begun {
						c.IDs = append(c.IDs, jobs[i].ID)
					}
				}
				if len(jobs) == 0 {
					return queue.Controlled{}, c.Check()
				}
			}
			return b.Store.Control(ctx, now, c)
		}}
	},
	"lists a job on two pages": func() *broken {
		return &broken{list: func(b *broken, ctx context.Context, now time.Time, f queue.Filter) ([]queue.Job, error) {
			if f.After > 0 && !f.Reverse {
				f.After--
			}
			return b.Store.List(ctx, now, f)
		}}
	},
	"lists the oldest first, always": func() *broken {
		return &broken{list: func(b *broken, ctx context.Context, now time.Time, f queue.Filter) ([]queue.Job, error) {
			f.Reverse = false
			return b.Store.List(ctx, now, f)
		}}
	},
	"counts itself among those ahead": func() *broken {
		return gets(func(_ *broken, d *queue.Details) {
			if d.State == queue.Queued {
				d.Ahead++
			}
		})
	},
	"numbers the history from 0": func() *broken {
		return gets(func(_ *broken, d *queue.Details) {
			for i := range d.History {
				d.History[i].Number--
			}
		})
	},
	"does not say whether anybody delivers": func() *broken {
		return &broken{stats: func(b *broken, ctx context.Context, now time.Time) (queue.Stats, error) {
			s, err := b.Store.Stats(ctx, now)
			s.Delivering = false
			return s, err
		}}
	},
}

// standing gives tokens of the same jobs that may stand.
func (b *broken) standing(tokens []queue.Token) []queue.Token {
	b.mu.Lock()
	defer b.mu.Unlock()
	tokens = slices.Clone(tokens)
	for i, t := range tokens {
		if latest, ok := b.tokens[t.ID]; ok {
			tokens[i] = latest
		}
	}
	return tokens
}

func purges(change func(*queue.Retention)) *broken {
	return &broken{purge: func(b *broken, ctx context.Context, now time.Time, r queue.Retention, limit int) (queue.Purged, error) {
		change(&r)
		return b.Store.Purge(ctx, now, r, limit)
	}}
}

// swaps takes one priority for another when it orders jobs.
func swaps(one, other queue.Priority) *broken {
	swap := func(p *queue.Priority) {
		switch *p {
		case one:
			*p = other
		case other:
			*p = one
		}
	}
	b := puts(func(s *queue.Submission) { swap(&s.Priority) })
	b.get = gets(func(_ *broken, d *queue.Details) { swap(&d.Priority) }).get
	b.claim = answers(func(_ *broken, c *queue.Claimed) {
		for i := range c.Claims {
			swap(&c.Claims[i].Job.Priority)
		}
	}).claim
	b.list = func(b *broken, ctx context.Context, now time.Time, f queue.Filter) ([]queue.Job, error) {
		jobs, err := b.Store.List(ctx, now, f)
		for i := range jobs {
			swap(&jobs[i].Priority)
		}
		return jobs, err
	}
	return b
}

// detached does not look at contexts when it puts.
func detached() *broken {
	return &broken{put: func(b *broken, ctx context.Context, now time.Time, jobs []queue.Submission) ([]queue.Receipt, error) {
		return b.Store.Put(context.WithoutCancel(ctx), now, jobs)
	}}
}

// TestBites shows the suite stores that are wrong in one thing each.
func TestBites(t *testing.T) {
	t.Parallel()
	for what, open := range wrong {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			promise, said := queuetest.Failure(t, queuetest.Harness{Open: func(testing.TB, string) queue.Store { return whole(open()) }})
			if promise == "" {
				t.Fatalf("a store that %s passes", what)
			}
			t.Logf("%s: %s", promise, said)
		})
	}
}

// TestPasses shows it one that is right, in the same way.
func TestPasses(t *testing.T) {
	t.Parallel()
	promise, said := queuetest.Failure(t, queuetest.Harness{Open: func(testing.TB, string) queue.Store { return whole(&broken{}) }})
	if promise != "" {
		t.Fatalf("%s: %s", promise, said)
	}
}

func whole(b *broken) *broken {
	b.Store, b.tokens, b.jobs = memory.New(), map[queue.ID]queue.Token{}, map[string]queue.Receipt{}
	return b
}
