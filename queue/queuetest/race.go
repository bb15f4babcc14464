package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

var races = []behaviour{
	{promise: "of many settlements with one token one counts", check: oneSettlementCounts},
	{promise: "a put that was given up can be put again", check: givenUpPut},
	{promise: "a body that is put while it is forgotten is kept", check: putWhileForgotten, large: true},
	{promise: "a thousand at once are settled", check: thousandAtOnce, large: true},
	{promise: "expired jobs in front do not hide others", check: expiredInFront, large: true},
}

// Invariant 3.
func oneSettlementCounts(f *fixture) {
	id := f.putOne("a")
	c := f.claimID("a", id)
	f.ok(f.begin(c.Token))
	var counted atomic.Int32
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			errs, err := f.store.Settle(f.ctx, f.now, []queue.Settlement{accepted(c.Token)})
			switch {
			case err != nil:
				f.Error(err)
			case errs[0] == nil:
				counted.Add(1)
			case !errors.Is(errs[0], queue.ErrStale):
				f.Error(errs[0])
			}
		})
	}
	callers.Wait()
	f.same("settlements that counted", counted.Load(), 1)
	d := f.state(id, queue.Sent)
	if d.Attempts != 1 || len(d.History) != 16 {
		f.Fatalf("%d attempts and %d lines; want 1 and 16", d.Attempts, len(d.History))
	}
}

// Invariants 1 and 10: whoever does not know whether a job was put can put it again.
func givenUpPut(f *fixture) {
	for n := range 20 {
		key := withKey(fmt.Sprint(n))
		ctx, cancel := context.WithCancel(f.ctx)
		var group sync.WaitGroup
		group.Go(cancel)
		receipts, err := f.store.Put(ctx, f.now, []queue.Submission{job("a", key)})
		group.Wait()
		if err != nil && !errors.Is(err, context.Canceled) {
			f.Fatal(err)
		}
		again := f.putOne("a", key)
		if err == nil && receipts[0].ID != again {
			f.Fatalf("job %s was acknowledged, and put again as %s", receipts[0].ID, again)
		}
		f.same("jobs", len(f.list(queue.Filter{Key: fmt.Sprint(n)})), 1)
	}
	f.claim("a", 20)
	f.nothing("a")
}

// Invariant 12: large bodies may be shared by their content.
func putWhileForgotten(f *fixture) {
	want := pattern(200_000)
	stores := []queue.Store{f.store, f.store, f.store}
	if f.h.Shared {
		stores[2] = f.beside().store
	}
	var putting, purging sync.WaitGroup
	var stop atomic.Bool
	purging.Go(func() {
		for !stop.Load() {
			if _, err := f.store.Purge(f.ctx, f.now.Add(time.Hour), queue.Retention{Failed: time.Minute}, 10); err != nil {
				f.Error(err)
				return
			}
		}
	})
	for n, store := range stores {
		putting.Go(func() {
			mine := *f
			mine.store = store
			for range 15 {
				mine.putAndCancel(fmt.Sprint("lane", n), want)
			}
		})
	}
	putting.Wait()
	stop.Store(true)
	purging.Wait()
}

// putAndCancel looks at a body it has put, and lets go of it. It is called from
// goroutines, so that it does not end the test.
func (f *fixture) putAndCancel(lane string, want []byte) {
	s := job(lane)
	s.Body = queue.Octets(want)
	receipts, err := f.store.Put(f.ctx, f.now, []queue.Submission{s})
	if err != nil {
		f.Error(err)
		return
	}
	d, err := f.store.Get(f.ctx, f.now, receipts[0].ID)
	if err != nil || d.Body == nil {
		f.Errorf("a job that was just put: %v, body %v", err, d.Body)
		return
	}
	if err := readsAs(d.Body, want); err != nil {
		f.Errorf("the body of a job that was just put: %v", err)
	}
	if _, err := f.store.Control(f.ctx, f.now, queue.Command{Action: queue.DoCancel, IDs: []queue.ID{receipts[0].ID}}); err != nil {
		f.Error(err)
	}
}

func thousandAtOnce(f *fixture) {
	const jobs = 1000
	batch := make([]queue.Submission, jobs)
	for i := range batch {
		batch[i] = job("a")
	}
	f.put(batch...)
	claims := f.claim("a", jobs)
	tokens, settlements := make([]queue.Token, jobs), make([]queue.Settlement, jobs)
	for i, c := range claims {
		tokens[i], settlements[i] = c.Token, accepted(c.Token)
		if i%10 == 0 {
			settlements[i] = failed(&claims[i])
		}
	}
	errs, err := f.store.Begin(f.ctx, f.now, tokens)
	f.allOK(errs, err)
	errs, err = f.store.Settle(f.ctx, f.now, settlements)
	f.allOK(errs, err)
	f.counts("a", map[queue.State]int{queue.Sent: jobs - jobs/10, queue.Failed: jobs / 10})
	f.restart()
	f.counts("a", map[queue.State]int{queue.Sent: jobs - jobs/10, queue.Failed: jobs / 10})
}

// One claim may stop at some number of expired jobs; then it says that there is more.
func expiredInFront(f *fixture) {
	const jobs = 2500
	batch := make([]queue.Submission, jobs)
	for i := range batch {
		batch[i] = job("a", expires(epoch.Add(time.Minute)), priority(queue.High))
	}
	f.put(batch...)
	live := f.putOne("a")
	f.advance(time.Minute)
	expired := 0
	for range 100 {
		got := f.want(queue.Want{Lane: "a", Count: 5})
		expired += len(got.Expired)
		if len(got.Claims) > 0 {
			f.same("claimed", got.Claims[0].Job.ID, live)
			break
		}
		if len(got.Expired) == 0 || got.Next.IsZero() || got.Next.After(f.now) {
			f.Fatalf("a claim among expired jobs put %d aside, and says that next is %v", len(got.Expired), got.Next)
		}
	}
	f.same("expired jobs", expired, jobs)
	f.counts("a", map[queue.State]int{queue.Active: 1, queue.Expired: jobs})
}
