package queuetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

var controlling = []behaviour{
	{promise: "each action does what it says in each state", check: controlEach},
	{promise: "what is done to a claimed job takes its token", check: controlTakesToken},
	{promise: "what has begun is too late", check: controlTooLate},
	{promise: "commands that are none are refused", check: controlRefuses},
	{promise: "unknown jobs are refused by name", check: controlUnknown},
	{promise: "a reason is kept", check: controlReason},
	{promise: "a changed priority changes the order", check: controlReorder},
	{promise: "jobs of no account can be moved", check: controlMove},
	{promise: "a filter reaches all jobs that match, and no others", check: controlFilter, large: true},
	{promise: "a filter means jobs that can be changed", check: controlFilterStates},
}

var repeating = []behaviour{
	{promise: "a failed job is repeated for those who did not get it", check: repeatFailed},
	{promise: "a repeated job has the time of the first", check: repeatTime},
	{promise: "a job that was sent is not repeated", check: repeatSent},
	{promise: "repeating does not repeat what it makes", check: repeatEnds, large: true},
}

// does is what an action makes of a job in a state: the state, or the error.
var does = map[queue.Action]map[queue.State]any{
	queue.DoCancel:  {queue.Queued: queue.Cancelled, queue.Active: queue.Cancelled, queue.Held: queue.Cancelled},
	queue.DoRetry:   {queue.Queued: queue.Queued, queue.Active: queue.Queued, queue.Held: queue.Queued},
	queue.DoHold:    {queue.Queued: queue.Held, queue.Active: queue.Held, queue.Held: queue.Held},
	queue.DoRelease: {queue.Queued: queue.ErrNotHeld, queue.Active: queue.ErrNotHeld, queue.Held: queue.Queued},
	queue.DoReorder: {queue.Queued: queue.Queued, queue.Active: queue.Queued, queue.Held: queue.Held},
	queue.DoMove:    {queue.Queued: queue.Queued, queue.Active: queue.Queued, queue.Held: queue.Held},
}

var lines = map[queue.Action]queue.Kind{
	queue.DoCancel: queue.DidCancel, queue.DoRetry: queue.DidRetry, queue.DoHold: queue.DidHold,
	queue.DoRelease: queue.DidRelease, queue.DoReorder: queue.DidReorder, queue.DoMove: queue.DidMove,
}

// inState makes a job of a state in a lane.
func (f *fixture) inState(lane string, state queue.State) queue.ID {
	f.Helper()
	if state.Finished() {
		return f.finish(lane, state)
	}
	id := f.putOne(lane, due(f.now.Add(time.Minute)))
	switch state {
	case queue.Held:
		f.control(queue.Command{Action: queue.DoHold, IDs: []queue.ID{id}})
	case queue.Active:
		f.control(queue.Command{Action: queue.DoRetry, IDs: []queue.ID{id}})
		f.claimID(lane, id)
	}
	return id
}

func controlEach(f *fixture) {
	for action, outcomes := range does {
		for _, state := range queue.States() {
			want, waiting := outcomes[state]
			switch {
			case waiting:
			case action == queue.DoRetry && state != queue.Sent:
				want = state
			case action == queue.DoRetry:
				want = queue.ErrAllSent
			default:
				want = queue.ErrFinished
			}
			lane := fmt.Sprint(action, state)
			id := f.inState(lane, state)
			before := text(f.get(id))
			done := f.control(queue.Command{Action: action, IDs: []queue.ID{id}, Priority: queue.High, Lane: lane + "2"})
			what := fmt.Sprintf("%s of a job that is %s", action, state)
			if refusal, refused := want.(error); refused {
				if len(done.Not) != 1 || done.Not[0].ID != id || !errors.Is(done.Not[0].Err, refusal) || done.Changed != 0 {
					f.Fatalf("%s: %s, want the refusal %v", what, text(done), refusal)
				}
				if after := text(f.get(id)); after != before {
					f.Fatalf("%s was refused and changed it:\n got %s\nwant %s", what, after, before)
				}
				continue
			}
			f.changedTo(what, done, id, action, state, want.(queue.State))
		}
	}
}

func (f *fixture) changedTo(what string, done queue.Controlled, id queue.ID, action queue.Action, from, want queue.State) {
	f.Helper()
	if done.Changed != 1 || len(done.IDs) != 1 || done.IDs[0] != id || len(done.Not) > 0 {
		f.Fatalf("%s: %s", what, text(done))
	}
	d := f.get(id)
	line := d.History[len(d.History)-1]
	wanted := lines[action]
	if from.Finished() {
		wanted = queue.WasSentAgain
	}
	if d.State != want || line.Kind != wanted || !line.At.Equal(f.now) {
		f.Fatalf("%s: it is %s, and its last line is %s; want %s and %s", what, d.State, text(line), want, wanted)
	}
	switch {
	case action == queue.DoReorder && d.Priority != queue.High,
		action == queue.DoMove && d.Lane != fmt.Sprint(action, from)+"2",
		action == queue.DoRetry && !from.Finished() && !d.Due.Equal(f.now),
		action == queue.DoCancel && (!d.Ended.Equal(f.now) || d.Recipients[0].State != queue.Cancelled):
		f.Fatalf("%s made it %s", what, text(d.Job))
	}
}

// Invariants 3 and 22.
func controlTakesToken(f *fixture) {
	for action, outcomes := range does {
		if action == queue.DoRelease {
			continue
		}
		id := f.putOne("a")
		c := f.claimID("a", id)
		f.control(queue.Command{Action: action, IDs: []queue.ID{id}, Lane: "b"})
		f.is(fmt.Sprintf("Begin after %s", action), f.begin(c.Token), queue.ErrStale)
		f.is(fmt.Sprintf("Settle after %s", action), f.settle(accepted(c.Token)), queue.ErrStale)
		f.state(id, outcomes[queue.Active].(queue.State))
		f.control(queue.Command{Action: queue.DoCancel, IDs: []queue.ID{id}})
	}
	f.counts("a", map[queue.State]int{queue.Cancelled: 4})
	f.counts("b", map[queue.State]int{queue.Cancelled: 1})
}

// Invariant 22.
func controlTooLate(f *fixture) {
	id := f.putOne("a")
	c := f.claimID("a", id)
	f.ok(f.begin(c.Token))
	before := text(f.get(id))
	for action := range does {
		done := f.control(queue.Command{Action: action, IDs: []queue.ID{id}, Lane: "b"})
		if done.Changed != 0 || len(done.Not) != 1 || !errors.Is(done.Not[0].Err, queue.ErrTooLate) {
			f.Fatalf("%s of a job that has begun: %s, want ErrTooLate", action, text(done))
		}
		if done := f.control(queue.Command{Action: action, Filter: queue.Filter{Lane: "a"}, Lane: "b"}); done.Changed != 0 {
			f.Fatalf("%s by filter of a job that has begun: %s", action, text(done))
		}
	}
	if after := text(f.get(id)); after != before {
		f.Fatalf("refused commands changed it:\n got %s\nwant %s", after, before)
	}
	f.ok(f.settle(accepted(c.Token)))
	f.state(id, queue.Sent)
}

func controlRefuses(f *fixture) {
	id := f.putOne("a")
	for _, c := range []queue.Command{
		{}, {Action: 99}, {Action: queue.DoMove}, {Action: queue.DoMove, Lane: "a\nb"}, {Action: queue.DoReorder, Priority: 9},
	} {
		c.IDs = []queue.ID{id}
		if done, err := f.store.Control(f.ctx, f.now, c); err == nil {
			f.Errorf("the command %s was accepted: %s", text(c), text(done))
		}
	}
	f.kinds(id)
}

func controlUnknown(f *fixture) {
	id := f.putOne("a")
	done := f.control(queue.Command{Action: queue.DoCancel, IDs: []queue.ID{id + 1000, id, id}})
	var missing *queue.NotFoundError
	if done.Changed != 1 || len(done.Not) != 2 || !errors.As(done.Not[0].Err, &missing) || missing.ID != id+1000 ||
		!errors.Is(done.Not[1].Err, queue.ErrFinished) {
		f.Fatalf("cancel of an unknown job, a job, and it again: %s", text(done))
	}
	if done := f.control(queue.Command{Action: queue.DoCancel, Filter: queue.Filter{Lane: "none"}}); done.Changed != 0 || len(done.Not) > 0 {
		f.Fatalf("cancel of nothing: %s", text(done))
	}
}

func controlReason(f *fixture) {
	id := f.putOne("a")
	f.control(queue.Command{Action: queue.DoHold, IDs: []queue.ID{id}, Reason: "wait for\x00 \xff it"})
	d := f.state(id, queue.Held)
	if d.Reason != "wait for\uFFFD \uFFFD it" || d.History[0].Detail != d.Reason {
		f.Fatalf("held: reason %q, line %s", d.Reason, text(d.History))
	}
	f.control(queue.Command{Action: queue.DoRelease, IDs: []queue.ID{id}, Reason: "go"})
	if d := f.state(id, queue.Queued); d.Reason != "" || d.History[1].Detail != "go" {
		f.Fatalf("released: %s", text(d))
	}
	f.claimID("a", id)
}

func controlReorder(f *fixture) {
	ids := f.put(job("a"), job("a"), job("a", priority(queue.High)))
	f.control(queue.Command{Action: queue.DoReorder, IDs: ids[1:2], Priority: queue.Urgent})
	f.control(queue.Command{Action: queue.DoReorder, IDs: ids[2:], Priority: queue.Bulk})
	for _, id := range []queue.ID{ids[1], ids[0], ids[2]} {
		f.claimID("a", id)
	}
}

// Invariant 24.
func controlMove(f *fixture) {
	ids := f.put(job("closed account"), job("closed account", due(epoch.Add(time.Hour))))
	f.putOne("a")
	f.counts("closed account", map[queue.State]int{queue.Queued: 2})
	done := f.control(queue.Command{Action: queue.DoMove, Filter: queue.Filter{Lane: "closed account"}, Lane: "a"})
	f.same("moved", done.IDs, ids)
	f.counts("closed account", nil)
	f.counts("a", map[queue.State]int{queue.Queued: 3})
	f.nothing("closed account")
	f.claimID("a", ids[0])
	if d := f.get(ids[1]); d.Lane != "a" || !d.Due.Equal(epoch.Add(time.Hour)) {
		f.Fatalf("moved: %s", text(d.Job))
	}
}

func controlFilter(f *fixture) {
	const jobs = 2600
	for range jobs / 200 {
		batch := make([]queue.Submission, 200)
		for i := range batch {
			batch[i] = job("a", func(s *queue.Submission) {
				if i%2 == 0 {
					s.Tags = []string{"x", "even"}
				}
			})
		}
		f.put(append(batch, job("b"))...)
	}
	c := f.claim("a", 3)
	f.ok(f.begin(c[0].Token)) // it matches, and is too late
	filter := queue.Filter{Tag: "even", Lane: "a", Limit: 5, Reverse: true, After: 100}
	done := f.control(queue.Command{Action: queue.DoCancel, Filter: filter})
	if done.Changed != jobs/2-1 || len(done.IDs) != queue.Named || len(done.Not) != 0 || done.Repeated != nil {
		f.Fatalf("cancel by filter: changed %d, named %d, not %d; want %d, %d, 0", done.Changed, len(done.IDs), len(done.Not), jobs/2-1, queue.Named)
	}
	f.counts("a", map[queue.State]int{queue.Queued: jobs/2 - 1, queue.Active: 2, queue.Cancelled: jobs/2 - 1})
	f.counts("b", map[queue.State]int{queue.Queued: jobs / 200})
	f.is("Begin of a job that a filter cancelled", f.begin(c[2].Token), queue.ErrStale)
	f.ok(f.begin(c[1].Token))
}

func controlFilterStates(f *fixture) {
	f.inState("a", queue.Sent)
	f.inState("a", queue.Failed)
	f.inState("a", queue.Active)
	f.inState("a", queue.Held)
	f.inState("a", queue.Queued)
	before := map[queue.State]int{queue.Sent: 1, queue.Failed: 1, queue.Active: 1, queue.Held: 1, queue.Queued: 1}
	all := queue.Filter{Lane: "a"}
	f.same("held", f.control(queue.Command{Action: queue.DoHold, Filter: all}).Changed, 2)
	f.same("released", f.control(queue.Command{Action: queue.DoRelease, Filter: all}).Changed, 3)
	f.same("tried now", f.control(queue.Command{Action: queue.DoRetry, Filter: all}).Changed, 3)
	before[queue.Active], before[queue.Held], before[queue.Queued] = 0, 0, 3
	f.counts("a", before)
	finished := queue.Filter{Lane: "a", States: []queue.State{queue.Failed, queue.Sent}}
	if done := f.control(queue.Command{Action: queue.DoCancel, Filter: finished}); done.Changed != 0 || len(done.Not) != 0 {
		f.Fatalf("cancel of finished jobs by filter: %s", text(done))
	}
	if done := f.control(queue.Command{Action: queue.DoRetry, Filter: finished}); done.Changed != 1 || len(done.Repeated) != 1 {
		f.Fatalf("retry of finished jobs by filter: %s", text(done))
	}
}

func repeatFailed(f *fixture) {
	s := full()
	s.Due, s.Lane, s.Key = time.Time{}, "a", "k"
	id := f.put(s)[0]
	c := f.claimID("a", id)
	f.ok(f.begin(c.Token))
	settlement := failed(&c)
	settlement.Attempt.Outcome = smtp.Unknown
	settlement.Recipients[0].State, settlement.Recipients[0].Outcome = queue.Sent, smtp.Accepted
	f.ok(f.settle(settlement))
	queued := f.putOne("a")
	f.changes()
	f.advance(time.Minute)
	done := f.control(queue.Command{Action: queue.DoRetry, IDs: []queue.ID{queued, id}})
	if done.Changed != 2 || len(done.Repeated) != 2 || done.Repeated[0] != 0 || done.Repeated[1] <= queued {
		f.Fatalf("retry of a queued and a failed job: %s", text(done))
	}
	again := f.state(done.Repeated[1], queue.Queued)
	want := s.Job
	want.ID, want.State, want.Again, want.Key, want.Size = again.ID, queue.Queued, id, "", 7
	want.Created, want.Due, want.Expires = f.now, f.now, f.now.Add(50*time.Hour)
	want.Recipients = want.Recipients[1:]
	f.same("the new job", again.Job, want)
	f.same("its history", len(again.History), 0)
	f.state(id, queue.Failed)
	f.kinds(id, queue.Tried, queue.WasSentAgain)
	f.same("changes", f.changes(), []string{"a"})
	f.restart()
	c = f.claimID("a", again.ID)
	f.same("its body", f.content(&c.Body), "a\x00b\r\n\xff\xfe")
}

func repeatTime(f *fixture) {
	for _, state := range []queue.State{queue.Cancelled, queue.Expired, queue.Failed} {
		id := f.finish("a", state)
		f.advance(time.Hour)
		done := f.control(queue.Command{Action: queue.DoRetry, IDs: []queue.ID{id}})
		if len(done.Repeated) != 1 {
			f.Fatalf("retry of a job that is %s: %s", state, text(done))
		}
		d := f.state(done.Repeated[0], queue.Queued)
		if !d.Expires.IsZero() || !d.Due.Equal(f.now) || d.Again != id {
			f.Fatalf("the new job: %s", text(d.Job))
		}
		f.claimID("a", d.ID)
	}
}

func repeatSent(f *fixture) {
	id := f.finish("a", queue.Sent)
	for range 2 {
		done := f.control(queue.Command{Action: queue.DoRetry, IDs: []queue.ID{id}})
		if len(done.Not) != 1 || !errors.Is(done.Not[0].Err, queue.ErrAllSent) || done.Changed != 0 {
			f.Fatalf("retry of a job that was sent: %s", text(done))
		}
		f.advance(time.Hour)
		f.purge(queue.Retention{}) // its body
	}
	f.same("jobs", f.list(queue.Filter{}), []queue.ID{id})
}

func repeatEnds(f *fixture) {
	const jobs = 1500
	for range jobs / 100 {
		batch := make([]queue.Submission, 100)
		for i := range batch {
			batch[i] = job("a")
		}
		f.put(batch...)
	}
	f.control(queue.Command{Action: queue.DoCancel, Filter: queue.Filter{Lane: "a"}})
	done := f.control(queue.Command{Action: queue.DoRetry, Filter: queue.Filter{States: []queue.State{queue.Cancelled, queue.Queued}}})
	if done.Changed != jobs || len(done.IDs) != queue.Named || len(done.Repeated) != queue.Named {
		f.Fatalf("repeated %d jobs, named %d and %d; want %d and %d", done.Changed, len(done.IDs), len(done.Repeated), jobs, queue.Named)
	}
	f.counts("a", map[queue.State]int{queue.Cancelled: jobs, queue.Queued: jobs})
	for i := range done.IDs {
		if d := f.get(done.Repeated[i]); d.Again != done.IDs[i] || len(d.History) > 0 {
			f.Fatalf("job %s was repeated as %s: %s", done.IDs[i], done.Repeated[i], text(d))
		}
		if i == 20 {
			break
		}
	}
}
