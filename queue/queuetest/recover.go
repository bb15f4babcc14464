package queuetest

import (
	"errors"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

var recovering = []behaviour{
	{promise: "what had not begun is queued as it was", check: recoverRequeues},
	{promise: "what had begun is unknown, and its policy decides", check: recoverUnknown},
	{promise: "what waits or is finished is left alone", check: recoverLeavesAlone},
	{promise: "one at a time delivers", check: recoverLocks},
	{promise: "all that is acknowledged survives", check: survives, needs: durable},
	{promise: "jobs of the durability memory survive a close", check: memorySurvivesClose, needs: durable},
}

// Invariant 5.
func recoverRequeues(f *fixture) {
	ids := f.put(job("a"), job("a", priority(queue.High)), job("b", policy(queue.Never)))
	before := f.get(ids[0]).Job
	old := append(f.claim("a", 2), f.claimOne("b"))
	f.advance(time.Hour)
	if found := f.restart(); found.Requeued != 3 || len(found.Unknown) > 0 {
		f.Fatalf("recovered: %s, want 3 requeued", text(found))
	}
	f.same("the job", f.get(ids[0]).Job, before)
	for _, id := range ids {
		f.kinds(id, queue.Interrupted)
	}
	for _, c := range old {
		f.is("Begin with a token of before", f.begin(c.Token), queue.ErrStale)
	}
	f.claimID("a", ids[1])
	f.claimID("a", ids[0])
	f.claimID("b", ids[2])
}

// Invariant 6.
func recoverUnknown(f *fixture) {
	want := map[queue.Policy]queue.State{queue.Retry: queue.Queued, queue.Hold: queue.Held, queue.Never: queue.Failed}
	ids := map[queue.Policy]queue.ID{}
	for p := range want {
		ids[p] = f.putOne("a", policy(p), to("one@example.org", "two@example.org"))
	}
	claims := f.claim("a", 3)
	for _, c := range claims {
		f.ok(f.begin(c.Token))
	}
	f.advance(time.Hour)
	found := f.restart()
	if found.Requeued != 0 || len(found.Unknown) != 3 {
		f.Fatalf("recovered: %s, want 3 unknown", text(found))
	}
	for _, j := range found.Unknown {
		f.same("an unknown job", f.get(j.ID).Job, j)
	}
	for p, state := range want {
		d := f.state(ids[p], state)
		f.kinds(ids[p], queue.Lost)
		if d.Attempts != 1 || !d.Doubt || d.Recipients[1].Outcome != smtp.Unknown || d.History[0].State != state {
			f.Fatalf("policy %s: %s", p, text(d))
		}
		if p != queue.Retry && d.Reason == "" {
			f.Fatalf("policy %s: no reason", p)
		}
	}
	if d := f.get(ids[queue.Never]); !d.Ended.Equal(f.now) || d.Recipients[0].State != queue.Failed {
		f.Fatalf("policy never: %s", text(d.Job))
	}
	for _, c := range claims {
		f.is("Settle with a token of before", f.settle(accepted(c.Token)), queue.ErrStale)
		f.kinds(c.Job.ID, queue.Lost, queue.Late)
	}
	f.claimID("a", ids[queue.Retry])
	f.nothing("a")
	again := f.restart()
	if again.Requeued != 1 || len(again.Unknown) != 0 {
		f.Fatalf("recovered again: %s", text(again))
	}
}

func recoverLeavesAlone(f *fixture) {
	before := map[queue.ID]string{}
	for _, state := range queue.States() {
		if state != queue.Active {
			id := f.inState(state.String(), state)
			before[id] = text(f.get(id))
		}
	}
	f.advance(time.Hour)
	if found := f.restart(); found.Requeued != 0 || len(found.Unknown) != 0 {
		f.Fatalf("recovered: %s, want nothing", text(found))
	}
	f.now = epoch
	for id, want := range before {
		if got := text(f.get(id)); got != want {
			f.Fatalf("a restart changed job %s:\n got %s\nwant %s", id, got, want)
		}
	}
}

func recoverLocks(f *fixture) {
	c := f.claimID("a", f.putOne("a"))
	var locked *queue.LockedError
	if _, err := f.store.Recover(f.ctx, f.now); !errors.As(err, &locked) {
		f.Fatalf("a second Recover: %v, want a LockedError", err)
	}
	f.ok(f.begin(c.Token)) // the first one's claims stand
	f.ok(f.settle(accepted(c.Token)))
	f.ok(f.store.Release())
	f.recover()
}

// Invariant 1.
func survives(f *fixture) {
	var want []string
	for i := range 20 {
		id := f.putOne("a", priority(queue.Priority(i%4)), withKey(text(i)))
		switch i % 5 {
		case 1:
			f.control(queue.Command{Action: queue.DoHold, IDs: []queue.ID{id}, Reason: "wait"})
		case 2:
			f.control(queue.Command{Action: queue.DoMove, IDs: []queue.ID{id}, Lane: "b"})
		case 3:
			f.control(queue.Command{Action: queue.DoCancel, IDs: []queue.ID{id}})
		}
	}
	f.ok(f.store.Pause(f.ctx, f.now, "b", "paused"))
	for _, id := range f.list(queue.Filter{}) {
		want = append(want, text(f.get(id)))
	}
	lanes := text(f.stats())
	for range 3 {
		f.restart()
		var got []string
		for _, id := range f.list(queue.Filter{}) {
			got = append(got, text(f.get(id)))
		}
		f.same("jobs", got, want)
		if l := f.lane("b"); l.Reason != "paused" {
			f.Fatalf("stats are %s, were %s", text(f.stats()), lanes)
		}
	}
}

func memorySurvivesClose(f *fixture) {
	quick := func(s *queue.Submission) { s.Durability = queue.Memory }
	ids := f.put(job("a", quick), job("a"), job("b", quick, withKey("k")))
	want := []string{text(f.get(ids[0])), text(f.get(ids[1])), text(f.get(ids[2]))}
	f.ok(f.store.Close())
	f.store = f.h.Open(f.TB, f.dir)
	f.recover()
	for i, id := range ids {
		if got := text(f.get(id)); got != want[i] {
			f.Fatalf("a close changed job %s:\n got %s\nwant %s", id, got, want[i])
		}
	}
	f.claimID("a", ids[0])
	f.same("put again", f.putOne("b", withKey("k")), ids[2])
}
