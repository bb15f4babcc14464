package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

var clocks = []behaviour{
	{promise: "a clock that steps loses and doubles nothing", check: clockSteps},
}

var contexts = []behaviour{
	{promise: "an ended context does nothing", check: endedContext},
	{promise: "a closed store says so", check: closedStore},
}

var sharing = []behaviour{
	{promise: "others put and change beside the one who delivers", check: othersWork, needs: shared},
	{promise: "only one of several delivers", check: onlyOneDelivers, needs: shared},
	{promise: "a key holds between processes", check: keyBetween, needs: shared},
	{promise: "repeating does not repeat what it makes, beside others", check: repeatEndsBeside, needs: shared, large: true},
}

var damage = []behaviour{
	{promise: "a damaged job is held and told, never lost", check: damagedIsHeld, needs: func(h Harness) bool { return h.Damage != nil }},
}

func shared(h Harness) bool { return h.Shared }

// Invariant 31.
func clockSteps(f *fixture) {
	seen := map[queue.ID]int{}
	drain := func(lane string) {
		for _, c := range f.want(queue.Want{Lane: lane, Count: 100}).Claims {
			f.ok(f.begin(c.Token))
			f.ok(f.settle(accepted(c.Token)))
			seen[c.Job.ID]++
		}
	}
	ids := f.put(job("a"), job("a", due(epoch.Add(30*time.Minute))))
	f.now = epoch.Add(-time.Hour) // somebody set the clock back
	ids = append(ids, f.putOne("a"))
	drain("a")
	f.same("claimed an hour early", len(seen), 1)
	c := f.claimOneAt(epoch, "a")
	f.now = epoch.Add(time.Hour)
	ids = append(ids, f.putOne("a", expires(epoch.Add(2*time.Hour))))
	f.now = epoch
	f.ok(f.begin(c.Token))
	f.ok(f.settle(refused(c.Token, queue.Queued, epoch.Add(time.Minute))))
	f.restart()
	f.now = epoch.Add(-time.Hour)
	drain("a")
	f.now = epoch.Add(time.Hour)
	drain("a")
	drain("a")
	for _, id := range ids {
		if seen[id] != 1 {
			f.Fatalf("job %s was sent %d times", id, seen[id])
		}
		f.state(id, queue.Sent)
	}
	f.now = epoch.Add(-time.Hour)
	f.purge(queue.Retention{Sent: time.Minute})
	f.same("jobs kept by a clock that went back", len(f.list(queue.Filter{})), len(ids))
}

func (f *fixture) claimOneAt(now time.Time, lane string) queue.Claim {
	f.Helper()
	f.now = now
	return f.claimOne(lane)
}

// calls are all methods that take a context.
func calls(f *fixture, ctx context.Context) map[string]error {
	errs := map[string]error{}
	s, now := f.store, f.now
	_, errs["Put"] = s.Put(ctx, now, []queue.Submission{job("a")})
	_, errs["Claim"] = s.Claim(ctx, now, []queue.Want{{Lane: "a", Count: 1}})
	_, errs["Begin"] = s.Begin(ctx, now, []queue.Token{{ID: 1, Nonce: 1}})
	_, errs["Settle"] = s.Settle(ctx, now, []queue.Settlement{{Token: queue.Token{ID: 1, Nonce: 1}, State: queue.Queued}})
	_, errs["Control"] = s.Control(ctx, now, queue.Command{Action: queue.DoCancel, Filter: queue.Filter{Lane: "a"}})
	_, errs["Control of IDs"] = s.Control(ctx, now, queue.Command{Action: queue.DoCancel, IDs: []queue.ID{1}})
	errs["Pause"] = s.Pause(ctx, now, "a", "")
	errs["Resume"] = s.Resume(ctx, now, "a")
	_, errs["Changes"] = s.Changes(ctx, now)
	_, errs["List"] = s.List(ctx, now, queue.Filter{})
	_, errs["Get"] = s.Get(ctx, now, 1)
	_, errs["Stats"] = s.Stats(ctx, now)
	_, errs["Expire"] = s.Expire(ctx, now, 1)
	_, errs["Purge"] = s.Purge(ctx, now, queue.Retention{}, 1)
	_, errs["Recover"] = s.Recover(ctx, now)
	return errs
}

// Invariant 28: what cannot be done is an error, never an answer.
func endedContext(f *fixture) {
	id := f.putOne("a")
	f.changes()
	before := text(f.get(id))
	ended, cancel := context.WithCancelCause(f.ctx)
	cancel(errors.New("enough"))
	for method, err := range calls(f, ended) {
		if !errors.Is(err, context.Canceled) {
			f.Errorf("%s with an ended context: %v, want its error", method, err)
		}
	}
	if after := text(f.get(id)); after != before {
		f.Fatalf("calls with an ended context changed a job:\n got %s\nwant %s", after, before)
	}
	f.same("jobs", f.list(queue.Filter{}), []queue.ID{id})
	f.claimID("a", id)
}

func closedStore(f *fixture) {
	f.putOne("a")
	f.ok(f.store.Close())
	for method, err := range calls(f, f.ctx) {
		if !errors.Is(err, queue.ErrClosed) {
			f.Errorf("%s of a closed store: %v, want ErrClosed", method, err)
		}
	}
	_ = f.store.Close()
}

// beside opens the store once more.
func (f *fixture) beside() *fixture {
	other := *f
	other.store = f.h.Open(f.TB, f.dir)
	f.Cleanup(func() { _ = other.store.Close() })
	return &other
}

func othersWork(f *fixture) {
	other := f.beside()
	f.changes()
	ids := other.put(job("a"), job("a"), job("b"))
	f.same("changes by another", f.changes(), []string{"a", "b"})
	f.same("changes told once", len(f.changes()), 0)
	if f.putOne("a") <= ids[0] {
		f.Fatal("two processes gave IDs that do not grow")
	}
	c := f.claim("a", 2)
	f.ok(f.begin(c[0].Token))
	done := other.control(queue.Command{Action: queue.DoCancel, IDs: []queue.ID{c[0].Job.ID, c[1].Job.ID}})
	if done.Changed != 1 || len(done.Not) != 1 || !errors.Is(done.Not[0].Err, queue.ErrTooLate) {
		f.Fatalf("another cancels: %s", text(done))
	}
	f.is("Begin of what another cancelled", f.begin(c[1].Token), queue.ErrStale)
	f.ok(f.settle(accepted(c[0].Token)))
	other.state(c[0].Job.ID, queue.Sent)
	f.changes()
	f.ok(other.store.Pause(f.ctx, f.now, "b", "by another"))
	if !slices.Contains(f.changes(), "b") || !f.nothing("b").Paused {
		f.Fatal("a pause by another is not seen")
	}
	stats := other.stats()
	f.same("delivering, as another sees it", stats.Delivering, true)
	f.same("stats", text(stats.Lanes), text(f.stats().Lanes))
}

func onlyOneDelivers(f *fixture) {
	f.putOne("a")
	c := f.claimOne("a")
	other := f.beside()
	var locked *queue.LockedError
	if _, err := other.store.Recover(f.ctx, f.now); !errors.As(err, &locked) {
		f.Fatalf("Recover beside the one who delivers: %v, want a LockedError", err)
	}
	f.ok(f.settle(queue.Settlement{Token: c.Token, State: queue.Queued}))
	f.ok(f.store.Release())
	if found := other.recover(); found.Requeued != 0 {
		f.Fatalf("recovered: %s", text(found))
	}
	other.claimOne("a")
	if _, err := f.store.Recover(f.ctx, f.now); !errors.As(err, &locked) {
		f.Fatalf("Recover beside the other: %v, want a LockedError", err)
	}
}

func keyBetween(f *fixture) {
	other := f.beside()
	for i := range 10 {
		k := withKey(fmt.Sprint(i))
		if a, b := f.putOne("a", k), other.putOne("a", k); a != b {
			f.Fatalf("one key made the jobs %s and %s", a, b)
		}
	}
}

// IDs of one process can be less than those another gave before.
func repeatEndsBeside(f *fixture) {
	other := f.beside()
	many := func(f *fixture) {
		batch := make([]queue.Submission, 1200)
		for i := range batch {
			batch[i] = job("a")
		}
		f.put(batch...)
	}
	many(f)
	other.putOne("a")
	many(f)
	const jobs = 2401
	f.same("cancelled", f.control(queue.Command{Action: queue.DoCancel, Filter: queue.Filter{Lane: "a"}}).Changed, jobs)
	done := other.control(queue.Command{Action: queue.DoRetry, Filter: queue.Filter{States: []queue.State{queue.Cancelled, queue.Queued}}})
	f.same("repeated", done.Changed, jobs)
	f.counts("a", map[queue.State]int{queue.Cancelled: jobs, queue.Queued: jobs})
	for _, id := range other.list(queue.Filter{States: []queue.State{queue.Queued}, Limit: 20}) {
		f.kinds(id)
	}
}

// Invariant 29.
func damagedIsHeld(f *fixture) {
	ids := f.put(job("a", withBody("spoiled")), job("a", withBody("sound")))
	f.h.Damage(f.TB, f.dir, ids[0])
	got := f.want(queue.Want{Lane: "a", Count: 2})
	if len(got.Damaged) != 1 || got.Damaged[0].ID != ids[0] || got.Damaged[0].State != queue.Held || got.Damaged[0].Reason == "" {
		f.Fatalf("damaged: %s, want job %s, held, with a reason", text(got.Damaged), ids[0])
	}
	if len(got.Claims) != 1 || got.Claims[0].Job.ID != ids[1] {
		f.Fatalf("claimed: %s, want job %s", text(got.Claims), ids[1])
	}
	d := f.state(ids[0], queue.Held)
	f.kinds(ids[0], queue.WasDamaged)
	if d.Attempts != 0 {
		f.Fatalf("damage cost an attempt: %s", text(d.Job))
	}
	f.restart()
	f.same("held jobs", f.list(queue.Filter{States: []queue.State{queue.Held}}), ids[:1])
	f.claimID("a", ids[1])
	f.nothing("a")
	f.same("cancelled", f.control(queue.Command{Action: queue.DoCancel, IDs: ids[:1]}).Changed, 1)
}
