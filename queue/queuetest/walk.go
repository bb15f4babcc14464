package queuetest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

var models = []behaviour{
	{promise: "it does what the model does, walk 1", check: func(f *fixture) { walkFrom(f, 1) }},
	{promise: "it does what the model does, walk 2", check: func(f *fixture) { walkFrom(f, 2) }},
	{promise: "it does what the model does, walk 3", check: func(f *fixture) { walkFrom(f, 3) }},
	{promise: "it does what the model does, on a walk of its own", check: func(f *fixture) { walkFrom(f, rand.Uint64()) }},
	{promise: "many at once keep the promises", check: crowd, large: true},
}

// steps is how long a walk is.
const steps = 500

// walk takes a store and the model the same way, at random, and compares.
type walk struct {
	*fixture
	*rand.Rand
	m      *model
	beside queue.Store   // the same store, opened by another; nil: it cannot be
	tokens []queue.Token // all there ever were
	taken  []string      // the steps
}

func walkFrom(f *fixture, seed uint64) {
	w := &walk{fixture: f, Rand: rand.New(rand.NewPCG(seed, 0)), m: newModel()}
	f.Cleanup(func() {
		if f.Failed() {
			f.Logf("the walk of seed %d, %d steps:", seed, len(w.taken))
			for i, step := range w.taken {
				f.Logf("%3d %s", i+1, step)
			}
		}
	})
	if f.h.Shared {
		w.beside = f.beside().store
	}
	f.changes()
	for n := range steps {
		w.step()
		if n%25 == 24 {
			w.byEither(func() { w.compare(8) })
		}
	}
	w.compare(len(w.m.jobs))
}

// say notes a step before it is taken.
func (w *walk) say(format string, args ...any) {
	w.taken = append(w.taken, w.now.Format("15:04:05 ")+fmt.Sprintf(format, args...))
}

func (w *walk) step() {
	switch n := w.IntN(100); {
	case n < 20:
		w.byEither(w.put)
	case n < 42:
		w.claim()
	case n < 50:
		w.begin()
	case n < 68:
		w.settle()
	case n < 80:
		w.byEither(w.control)
	case n < 83:
		w.byEither(w.pause)
	case n < 86:
		w.expireAll()
	case n < 88:
		w.byEither(w.purgeAll)
	case n < 91:
		w.compareChanges()
	case n < 93:
		w.restartBoth()
	case n < 95:
		w.byEither(w.search)
	default:
		step := time.Duration(w.IntN(900)-90) * time.Second
		w.say("time moves by %s", step)
		w.advance(step)
	}
}

// byEither lets another take a step, sometimes, who has the store open too.
func (w *walk) byEither(step func()) {
	if w.beside != nil && w.IntN(3) == 0 {
		mine := w.store
		w.store = w.beside
		defer func() { w.store = mine }()
		w.say("by another:")
	}
	step()
}

func (w *walk) lane() string { return string(rune('a' + w.IntN(3))) }

// soon is a time around now.
func (w *walk) soon(from, to int) time.Time {
	return w.now.Add(time.Duration(from+w.IntN(to-from)) * time.Second)
}

func (w *walk) submission() (queue.Submission, string) {
	body := fmt.Sprint("body", w.IntN(3))
	addresses := []string{"one@example.org", "two@example.org", "three@example.org"}[:1+w.IntN(3)]
	s := job(w.lane(), to(addresses...), priority(queue.Priority(w.IntN(4))), policy(queue.Policy(w.IntN(3))), withBody(body))
	if w.IntN(2) == 0 {
		s.Due = w.soon(-600, 1200)
	}
	if w.IntN(3) == 0 {
		s.Expires = w.soon(1, 3600)
	}
	if w.IntN(3) == 0 {
		s.Key = fmt.Sprint("key", w.IntN(6))
	}
	if w.IntN(4) == 0 {
		s.Tags = []string{"tag", fmt.Sprint("tag", w.IntN(3))}
	}
	return s, body
}

func (w *walk) put() {
	batch, bodies := make([]queue.Submission, 1+w.IntN(3)), make([]string, 3)
	for i := range batch {
		batch[i], bodies[i] = w.submission()
	}
	w.say("put %s", text(batch))
	var conflict bool
	existing := make([]queue.ID, len(batch)) // -1-i is that of the batch
	for i := range batch {
		existing[i], conflict = w.existing(batch[:i], &batch[i], bodies, conflict)
	}
	receipts, err := w.store.Put(w.ctx, w.now, batch)
	var refused *queue.ConflictError
	if conflict != errors.As(err, &refused) || !conflict && err != nil {
		w.Fatalf("Put: %v, conflict expected: %t", err, conflict)
	}
	for i, r := range receipts {
		want := existing[i]
		if want < 0 {
			want = receipts[-1-want].ID
		}
		if r.Existing != (want != 0) || r.Existing && r.ID != want {
			w.Fatalf("receipt %d is %s, want it to be of %s", i+1, text(r), want)
		}
		if !r.Existing {
			w.m.put(w.now, r.ID, &batch[i], bodies[i])
		}
	}
}

// existing finds the job, stored or of the batch, that has a submission's key.
func (w *walk) existing(before []queue.Submission, s *queue.Submission, bodies []string, conflict bool) (queue.ID, bool) {
	if s.Key == "" {
		return 0, conflict
	}
	if k := w.m.keyed(s.Lane, s.Key); k != nil {
		return k.job.ID, conflict || k.body != bodies[len(before)] || len(k.job.Recipients) != len(s.Recipients)
	}
	for i := range before {
		if b := &before[i]; b.Key == s.Key && b.Lane == s.Lane {
			return queue.ID(-1 - i), conflict || bodies[i] != bodies[len(before)] || len(b.Recipients) != len(s.Recipients)
		}
	}
	return 0, conflict
}

func (w *walk) claim() {
	want := queue.Want{Lane: w.lane(), Count: w.IntN(4), Urgent: w.IntN(2), Turn: w.Uint64N(8), Begin: w.IntN(2) == 0}
	w.say("claim %s", text(want))
	got := w.want(want)
	_, paused := w.m.paused[want.Lane]
	if paused && len(got.Claims)+len(got.Expired) > 0 {
		w.Fatalf("a claim of a paused lane: %s", text(got))
	}
	for i := range got.Expired {
		k := w.m.find(got.Expired[i].ID)
		if k == nil || k.job.Lane != want.Lane || k.job.State != queue.Queued || !k.over(w.now) || k.job.Due.After(w.now) {
			w.Fatalf("put aside as expired: %s", text(got.Expired[i]))
		}
		w.m.expire(k, w.now)
		w.sameJob(&got.Expired[i], k)
	}
	for i := range got.Claims {
		w.claimed(&want, i, &got.Claims[i])
	}
	if next := w.m.turn(want.Lane, w.now, want.Turn+uint64(len(got.Claims))); !paused && next != nil && w.fits(&want, len(got.Claims), next) {
		w.Fatalf("claimed only %d jobs; job %s was to be next", len(got.Claims), next.job.ID)
	}
	if !paused {
		w.sameNext("next", got.Next, w.m.next(want.Lane, false))
		w.sameNext("next urgent", got.Urgent, w.m.next(want.Lane, true))
	}
	w.same("paused", got.Paused, paused)
}

func (w *walk) fits(want *queue.Want, claimed int, next *known) bool {
	return claimed < want.Count || claimed < want.Count+want.Urgent && next.job.Priority == queue.Urgent
}

func (w *walk) claimed(want *queue.Want, i int, c *queue.Claim) {
	next := w.m.turn(want.Lane, w.now, want.Turn+uint64(i))
	if next == nil || next.job.ID != c.Job.ID || !w.fits(want, i, next) || next.over(w.now) || c.Token.ID != c.Job.ID {
		w.Fatalf("claim %d is of job %s, expired %t; want %s", i+1, c.Job.ID, next != nil && next.over(w.now), text(next))
	}
	next.job.State, next.token, next.begun = queue.Active, c.Token, want.Begin && next.job.Unknown == queue.Retry
	w.m.touch(want.Lane, false)
	w.tokens = append(w.tokens, c.Token)
	w.same("begun", c.Begun, next.begun)
	w.same("claimed body", w.content(&c.Body), next.body)
	w.sameJob(&c.Job, next)
}

func (w *walk) sameNext(what string, got, want time.Time) {
	if past := !want.IsZero() && !want.After(w.now); past && (got.IsZero() || got.After(w.now)) || !past && !got.Equal(want) {
		w.Fatalf("%s is due %v, want %v", what, got, want)
	}
}

// token is one that stands, mostly, or has stood.
func (w *walk) token() queue.Token {
	var standing []queue.Token
	for _, k := range w.m.jobs {
		if k.job.State == queue.Active {
			standing = append(standing, k.token)
		}
	}
	switch {
	case len(standing) > 0 && w.IntN(5) > 0:
		return standing[w.IntN(len(standing))]
	case len(w.tokens) > 0:
		return w.tokens[w.IntN(len(w.tokens))]
	}
	return queue.Token{ID: 1}
}

func (w *walk) begin() {
	t := w.token()
	w.say("begin job %s", t.ID)
	want := w.m.begin(t, w.now)
	if got := w.fixture.begin(t); !errors.Is(got, want) {
		w.Fatalf("Begin: %v, want %v", got, want)
	}
}

func (w *walk) settle() {
	s := w.settlement(w.token())
	w.say("settle job %s %s", s.Token.ID, text(s))
	want := w.m.settle(&s, w.now)
	if got := w.fixture.settle(s); !errors.Is(got, want) {
		w.Fatalf("Settle: %v, want %v", got, want)
	}
}

func (w *walk) settlement(t queue.Token) queue.Settlement {
	k := w.m.standing(t)
	switch n := w.IntN(10); {
	case n < 4 || k == nil:
		return accepted(t)
	case n == 4:
		return queue.Settlement{Token: t, State: queue.Queued} // given back
	case n == 5:
		s := refused(t, queue.Held, time.Time{})
		s.Reason = "look at it"
		return s
	default:
		return w.mixed(t, k)
	}
}

// mixed gives each open recipient an outcome of its own.
func (w *walk) mixed(t queue.Token, k *known) queue.Settlement {
	s := refused(t, queue.Queued, w.soon(0, 600))
	s.Attempt.Outcome = []smtp.Outcome{smtp.Rejected, smtp.NotSent, smtp.Unknown}[w.IntN(3)]
	s.Recipients = slices.Clone(k.job.Recipients)
	states := []queue.State{queue.Queued, queue.Sent, queue.Failed}
	open := false
	for i := range s.Recipients {
		if r := &s.Recipients[i]; r.State == queue.Queued {
			r.State, r.Outcome, r.Reply = states[w.IntN(3)], smtp.Rejected, smtp.Reply{Code: 451, Text: "mixed"}
			open = open || r.State == queue.Queued
		}
	}
	if !open {
		s.State = slices.MinFunc(s.Recipients, func(a, b queue.Recipient) int {
			return cmp.Compare(slices.Index([]queue.State{queue.Failed, queue.Sent}, a.State), slices.Index([]queue.State{queue.Failed, queue.Sent}, b.State))
		}).State
	}
	return s
}
