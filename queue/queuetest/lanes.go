package queuetest

import (
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

var lanes = []behaviour{
	{promise: "a paused lane waits, and its jobs stay as they are", check: pauseWaits},
	{promise: "a pause needs no jobs and survives", check: pauseSurvives},
	{promise: "jobs of a paused lane expire and can be cancelled", check: pausedJobsEnd},
	{promise: "changes are told once", check: changesOnce},
	{promise: "a lane changes with what can be claimed", check: changesWith},
	{promise: "after recovery all lanes have changed", check: changesAfterRecover},
	{promise: "stats count jobs", check: statsCount},
	{promise: "stats tell what is due", check: statsDue},
}

// Invariant 15.
func pauseWaits(f *fixture) {
	id, other := f.putOne("a"), f.putOne("b")
	claimed := f.putOne("a", priority(queue.High))
	c := f.claimID("a", claimed)
	before := text(f.get(id).Job)
	f.ok(f.store.Pause(f.ctx, f.now, "a", "holidays"))
	f.advance(time.Hour)
	for range 3 {
		if got := f.nothing("a"); !got.Paused {
			f.Fatalf("a claim of a paused lane: %s", text(got))
		}
	}
	if l := f.lane("a"); !l.Paused.Equal(epoch) || l.Reason != "holidays" || l.Count[queue.Queued] != 1 {
		f.Fatalf("the paused lane: %s", text(l))
	}
	f.claimID("b", other)
	f.ok(f.begin(c.Token)) // what was claimed before goes on
	f.ok(f.settle(accepted(c.Token)))
	f.ok(f.store.Resume(f.ctx, f.now, "a"))
	if l := f.lane("a"); !l.Paused.IsZero() || l.Reason != "" {
		f.Fatalf("the resumed lane: %s", text(l))
	}
	if after := text(f.get(id).Job); after != before {
		f.Fatalf("the pause changed a job:\n got %s\nwant %s", after, before)
	}
	if f.claimID("a", id).Job.Attempts != 0 {
		f.Fatal("the pause cost an attempt")
	}
}

func pauseSurvives(f *fixture) {
	f.ok(f.store.Pause(f.ctx, f.now, "a", "early"))
	f.restart()
	id := f.putOne("a")
	if got := f.nothing("a"); !got.Paused {
		f.Fatalf("a claim of a lane that was paused before a restart: %s", text(got))
	}
	f.same("reason", f.lane("a").Reason, "early")
	f.ok(f.store.Resume(f.ctx, f.now, "a"))
	f.ok(f.store.Resume(f.ctx, f.now, "a"))
	f.ok(f.store.Resume(f.ctx, f.now, "never was"))
	f.restart()
	f.claimID("a", id)
	for _, name := range []string{"", "a\nb", "\xff"} {
		if f.store.Pause(f.ctx, f.now, name, "") == nil {
			f.Errorf("a pause of the lane %q was accepted", name)
		}
	}
}

// Invariant 23.
func pausedJobsEnd(f *fixture) {
	ids := f.put(job("a", expires(epoch.Add(time.Minute))), job("a"), job("a"))
	f.ok(f.store.Pause(f.ctx, f.now, "a", ""))
	f.advance(time.Minute)
	if expired := f.expire(); len(expired) != 1 || expired[0].ID != ids[0] || expired[0].State != queue.Expired {
		f.Fatalf("expired: %s", text(expired))
	}
	f.same("cancelled", f.control(queue.Command{Action: queue.DoCancel, IDs: ids[1:2]}).Changed, 1)
	f.control(queue.Command{Action: queue.DoMove, IDs: ids[2:], Lane: "b"})
	f.claimID("b", ids[2])
}

func changesOnce(f *fixture) {
	f.changes()
	f.put(job("a"), job("b"), job("a"))
	got := f.changes()
	slices.Sort(got)
	f.same("changes", got, []string{"a", "b"})
	for range 3 {
		f.same("changes without a change", len(f.changes()), 0)
	}
	f.claimOne("a")
	f.get(f.putOne("c"))
	f.stats()
	f.same("changes", f.changes(), []string{"c"})
}

func changesWith(f *fixture) {
	step := func(what, lane string, do func()) {
		f.Helper()
		f.changes()
		do()
		if got := f.changes(); !slices.Contains(got, lane) {
			f.Fatalf("after %s, the changes are %q without %q", what, got, lane)
		}
	}
	id := f.putOne("a")
	only := []queue.ID{id}
	step("a job was given back", "a", func() { f.ok(f.settle(queue.Settlement{Token: f.claimID("a", id).Token, State: queue.Queued})) })
	step("a job is tried again", "a", func() { f.ok(f.settle(refused(f.claimID("a", id).Token, queue.Queued, f.now))) })
	f.control(queue.Command{Action: queue.DoHold, IDs: only})
	step("a job was released", "a", func() { f.control(queue.Command{Action: queue.DoRelease, IDs: only}) })
	step("a job was put forward", "a", func() { f.control(queue.Command{Action: queue.DoReorder, IDs: only, Priority: queue.Urgent}) })
	step("a job was moved there", "b", func() { f.control(queue.Command{Action: queue.DoMove, IDs: only, Lane: "b"}) })
	f.claimID("b", id)
	step("a claimed job is to be tried now", "b", func() { f.control(queue.Command{Action: queue.DoRetry, IDs: only}) })
	step("a pause", "b", func() { f.ok(f.store.Pause(f.ctx, f.now, "b", "")) })
	step("its end", "b", func() { f.ok(f.store.Resume(f.ctx, f.now, "b")) })
	step("a pause of an empty lane", "z", func() { f.ok(f.store.Pause(f.ctx, f.now, "z", "")) })
	step("a refused batch and a put", "c", func() {
		_, _ = f.store.Put(f.ctx, f.now, []queue.Submission{job("x"), job("")})
		f.putOne("c")
	})
}

func changesAfterRecover(f *fixture) {
	f.put(job("a"), job("b", due(epoch.Add(time.Hour))))
	f.claimOne("a")
	f.ok(f.store.Pause(f.ctx, f.now, "c", ""))
	f.changes()
	f.restart()
	got := f.changes()
	slices.Sort(got)
	f.same("changes after a restart", got, []string{"a", "b", "c"})
	f.same("and after that", len(f.changes()), 0)
}

func statsCount(f *fixture) {
	states := queue.States()
	slices.Reverse(states) // the last one queued, or it would be claimed
	for i, state := range states {
		for range i + 1 {
			f.inState("lane", state)
		}
	}
	f.putOne("another")
	check := func(want ...int) {
		f.Helper()
		stats := f.stats()
		for i, state := range states {
			if got := stats.Total(state); got != want[i] {
				f.Fatalf("%d jobs are %s, want %d: %s", got, state, want[i], text(stats))
			}
			jobs := f.list(queue.Filter{States: []queue.State{state}})
			if len(jobs) != want[i] {
				f.Fatalf("the list has %d jobs that are %s, stats %d", len(jobs), state, want[i])
			}
		}
	}
	check(1, 2, 3, 4, 5, 6, 7+1)
	f.restart()
	check(1, 2, 3, 4, 5, 0, 7+1+6)
	names := []string{}
	for _, l := range f.stats().Lanes {
		names = append(names, l.Name)
	}
	f.same("lanes", names, []string{"another", "lane"})
	f.same("delivering", f.stats().Delivering, true)
	f.ok(f.store.Release())
	f.same("delivering after Release", f.stats().Delivering, false)
}

func statsDue(f *fixture) {
	at := epoch.Add(time.Hour)
	ids := f.put(job("a", due(at)), job("a", due(at.Add(time.Hour)), priority(queue.Urgent)))
	if l := f.lane("a"); !l.Oldest.IsZero() || !l.Next.Equal(at) {
		f.Fatalf("before its time: %s", text(l))
	}
	f.now = at.Add(time.Minute)
	if l := f.lane("a"); !l.Oldest.Equal(at) {
		f.Fatalf("when it is due: %s", text(l))
	}
	f.control(queue.Command{Action: queue.DoHold, IDs: ids[:1]})
	if l := f.lane("a"); !l.Oldest.IsZero() || !l.Next.Equal(at.Add(time.Hour)) {
		f.Fatalf("when the other is held: %s", text(l))
	}
	f.control(queue.Command{Action: queue.DoCancel, IDs: ids})
	if l := f.lane("a"); !l.Oldest.IsZero() || !l.Next.IsZero() {
		f.Fatalf("when nothing waits: %s", text(l))
	}
}
