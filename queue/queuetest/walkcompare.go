package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

func (w *walk) control() {
	c := queue.Command{
		Action: queue.DoCancel + queue.Action(w.IntN(6)), Reason: fmt.Sprint("reason", w.IntN(3)),
		Priority: queue.Priority(w.IntN(4)), Lane: w.lane(),
	}
	if c.Action == queue.DoCancel && w.IntN(2) == 0 {
		c.Action = queue.DoRetry // or little is left to do
	}
	if w.IntN(4) == 0 {
		w.controlMatching(&c)
		return
	}
	for range 1 + w.IntN(3) {
		id := queue.ID(1 << 40)
		if len(w.m.jobs) > 0 {
			id = w.m.jobs[w.IntN(len(w.m.jobs))].job.ID
		}
		c.IDs = append(c.IDs, id)
	}
	w.say("control %s", text(c))
	done := w.fixture.control(c)
	changed, refused := 0, 0
	for _, id := range c.IDs {
		if !w.controlled(id, &c, done, changed) {
			w.sameRefusal(done, refused, id)
			refused++
		} else {
			changed++
		}
	}
	if done.Changed != changed || len(done.IDs) != changed || len(done.Not) != refused {
		w.Fatalf("Control changed %d and refused %d: %s", changed, refused, text(done))
	}
}

// controlled takes a command through the model for one job, and reports whether
// it was changed there. n is how many were before.
func (w *walk) controlled(id queue.ID, c *queue.Command, done queue.Controlled, n int) bool {
	k := w.m.find(id)
	if k == nil || k.spent && c.Action == queue.DoRetry {
		return false
	}
	repeat, err := w.m.control(k, c, w.now)
	if err != nil {
		return false
	}
	if n >= len(done.IDs) || done.IDs[n] != id || repeat && (n >= len(done.Repeated) || done.Repeated[n] <= 0) {
		w.Fatalf("Control did not change job %s: %s", id, text(done))
	}
	if repeat {
		w.m.repeat(k, done.Repeated[n], w.now)
	} else if n < len(done.Repeated) && done.Repeated[n] != 0 {
		w.Fatalf("Control repeated job %s: %s", id, text(done))
	}
	return true
}

// sameRefusal asks the model once more why it refused; a refusal changes nothing.
func (w *walk) sameRefusal(done queue.Controlled, n int, id queue.ID) {
	if n >= len(done.Not) || done.Not[n].ID != id {
		w.Fatalf("Control did not refuse job %s: %s", id, text(done))
	}
	var missing *queue.NotFoundError
	if errors.As(done.Not[n].Err, &missing) != (w.m.find(id) == nil) {
		w.Fatalf("Control of job %s: %v", id, done.Not[n].Err)
	}
}

func (w *walk) controlMatching(c *queue.Command) {
	c.Filter = w.filter()
	if w.IntN(2) == 0 {
		c.Filter.States = nil
	}
	w.say("control %s", text(c))
	done := w.fixture.control(*c)
	changed := 0
	for _, k := range slices.Clone(w.m.jobs) {
		means := len(c.Filter.States) > 0 || !k.job.State.Finished() && (c.Action != queue.DoHold || k.job.State != queue.Held)
		if means && k.matches(&c.Filter) && w.controlled(k.job.ID, c, done, changed) {
			changed++
		}
	}
	if done.Changed != changed || len(done.IDs) != changed || len(done.Not) > 0 {
		w.Fatalf("Control by filter changed %d in the model: %s", changed, text(done))
	}
}

func (w *walk) filter() (f queue.Filter) {
	for range 1 + w.IntN(2) {
		switch w.IntN(8) {
		case 0, 1:
			f.States = append(f.States, queue.Queued+queue.State(w.IntN(7)), queue.Queued+queue.State(w.IntN(7)))
		case 2:
			f.Lane = w.lane()
		case 3:
			f.Recipient = "two@"
		case 4:
			f.Tag = fmt.Sprint("tag", w.IntN(3))
		case 5:
			f.Key = fmt.Sprint("key", w.IntN(6))
		case 6:
			f.Doubt = true
		case 7:
			f.Since, f.Until = w.soon(-3600, -600), w.soon(-600, 0)
		}
	}
	return f
}

func (w *walk) search() {
	f := w.filter()
	f.Limit, f.Reverse = 1+w.IntN(10), w.IntN(2) == 0
	if len(w.m.jobs) > 0 && w.IntN(2) == 0 {
		f.After = w.m.jobs[w.IntN(len(w.m.jobs))].job.ID
	}
	w.say("list %s", text(f))
	var want []queue.ID
	for _, k := range w.m.jobs {
		past := f.After == 0 || k.job.ID > f.After
		if f.Reverse {
			past = f.After == 0 || k.job.ID < f.After
		}
		if past && k.matches(&f) {
			want = append(want, k.job.ID)
		}
	}
	if f.Reverse {
		slices.Reverse(want)
	}
	if len(want) > f.Limit {
		want = want[:f.Limit]
	}
	w.same("list", w.list(f), want)
}

func (w *walk) pause() {
	lane := w.lane()
	if _, paused := w.m.paused[lane]; paused {
		w.say("resume %s", lane)
		delete(w.m.paused, lane)
		w.ok(w.store.Resume(w.ctx, w.now, lane))
	} else {
		w.say("pause %s", lane)
		w.m.paused[lane] = pause{since: w.now, reason: "paused " + lane}
		w.ok(w.store.Pause(w.ctx, w.now, lane, "paused "+lane))
	}
	w.m.touch(lane, true)
}

func (w *walk) expireAll() {
	w.say("expire")
	expired := map[queue.ID]*queue.Job{}
	for _, j := range w.expire() {
		expired[j.ID] = &j
	}
	n := 0
	for _, k := range w.m.jobs {
		if (k.job.State == queue.Queued || k.job.State == queue.Held) && k.over(w.now) {
			w.m.expire(k, w.now)
			n++
			if expired[k.job.ID] == nil {
				w.Fatalf("job %s did not expire", k.job.ID)
			}
			w.sameJob(expired[k.job.ID], k)
		}
	}
	w.same("expired jobs", len(expired), n)
}

func (w *walk) purgeAll() {
	// No step of the clock is that long, so that "just now" does not matter.
	r := queue.Retention{Sent: 20*time.Minute + 7*time.Millisecond, Failed: time.Hour + 7*time.Millisecond, SentBodies: 2*time.Minute + 7*time.Millisecond}
	w.say("purge")
	w.same("forgotten jobs", w.purge(r).Jobs, w.m.purge(r, w.now))
}

func (w *walk) compareChanges() {
	w.say("changes")
	got := map[string]bool{}
	for _, lane := range w.changes() {
		if got[lane] || !w.m.may[lane] {
			w.Fatalf("lane %q is said to have changed, twice: %t", lane, got[lane])
		}
		got[lane] = true
	}
	for lane := range w.m.must {
		if !got[lane] {
			w.Fatalf("lane %q has changed, which is not said", lane)
		}
	}
	w.m.must, w.m.may = map[string]bool{}, map[string]bool{}
}

func (w *walk) restartBoth() {
	w.say("restart")
	found := w.restart()
	requeued, unknown := w.m.restart(w.now)
	w.same("requeued jobs", found.Requeued, requeued)
	w.same("unknown jobs", len(found.Unknown), len(unknown))
	for i := range found.Unknown {
		if !slices.Contains(unknown, found.Unknown[i].ID) {
			w.Fatalf("job %s is said to be unknown", found.Unknown[i].ID)
		}
		w.sameJob(&found.Unknown[i], w.m.find(found.Unknown[i].ID))
	}
}

// compare compares all jobs and lanes, and some jobs in detail.
func (w *walk) compare(details int) {
	jobs, err := w.store.List(w.ctx, w.now, queue.Filter{Limit: 10_000})
	w.ok(err)
	if len(jobs) != len(w.m.jobs) {
		w.Fatalf("there are %d jobs, in the model %d", len(jobs), len(w.m.jobs))
	}
	for i := range jobs {
		w.sameJob(&jobs[i], w.m.jobs[i])
	}
	for _, i := range w.Perm(len(jobs))[:min(details, len(jobs))] {
		w.sameDetails(w.m.jobs[i])
	}
	w.sameLanes()
}

func (w *walk) sameJob(got *queue.Job, want *known) {
	w.Helper()
	j := *got
	if want.job.Reason == someReason && j.Reason != "" {
		j.Reason = someReason
	}
	if g, m := text(j), text(want.job); g != m {
		w.Fatalf("job %s:\n got %s\nmodel %s", got.ID, g, m)
	}
}

func (w *walk) sameDetails(k *known) {
	d := w.get(k.job.ID)
	w.sameJob(&d.Job, k)
	for i := range d.History {
		d.History[i].Detail = ""
	}
	w.same(fmt.Sprintf("history of job %s", d.ID), d.History, k.history)
	w.same(fmt.Sprintf("jobs ahead of job %s", d.ID), d.Ahead, w.m.ahead(k, w.now))
	w.same(fmt.Sprintf("job %s has begun", d.ID), d.Begun, k.begun)
	if d.Body != nil || !k.spent {
		w.same(fmt.Sprintf("body of job %s", d.ID), w.content(d.Body), k.body)
	}
}

func (w *walk) sameLanes() {
	stats := w.stats()
	for _, name := range []string{"a", "b", "c"} {
		var got queue.Lane
		if i := slices.IndexFunc(stats.Lanes, func(l queue.Lane) bool { return l.Name == name }); i >= 0 {
			got = stats.Lanes[i]
		}
		for _, state := range queue.States() {
			want := len(slices.DeleteFunc(slices.Clone(w.m.jobs), func(k *known) bool { return k.job.Lane != name || k.job.State != state }))
			w.same(fmt.Sprintf("jobs of lane %s that are %s", name, state), got.Count[state], want)
		}
		oldest, next := w.m.next(name, false), time.Time{}
		if oldest.After(w.now) {
			oldest, next = next, oldest
		}
		w.same("oldest and next of lane "+name, []time.Time{got.Oldest, got.Next}, []time.Time{oldest, next})
		p := w.m.paused[name]
		w.same("pause of lane "+name, []any{got.Paused, got.Reason}, []any{p.since, p.reason})
	}
}
