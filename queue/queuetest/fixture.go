package queuetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// epoch is when tests begin.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixture is a store under test, at a time of its own.
type fixture struct {
	testing.TB
	h     Harness
	dir   string
	store queue.Store
	ctx   context.Context
	now   time.Time
}

// newFixture opens an empty store, which delivers.
func newFixture(tb testing.TB, h Harness) *fixture {
	f := &fixture{TB: tb, h: h, dir: tb.TempDir(), ctx: context.Background(), now: epoch}
	f.store = h.Open(tb, f.dir)
	tb.Cleanup(func() { _ = f.store.Close() })
	f.recover()
	return f
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// is wants an error that is another.
func (f *fixture) is(what string, got, want error) {
	f.Helper()
	if !errors.Is(got, want) {
		f.Fatalf("%s: got the error %v, want %v", what, got, want)
	}
}

// same wants two things to be the same in JSON.
func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if g, w := text(got), text(want); g != w {
		f.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v (%v)", v, err)
	}
	return string(b)
}

func (f *fixture) advance(d time.Duration) { f.now = f.now.Add(d) }

// recover makes the store the one that delivers.
func (f *fixture) recover() queue.Recovered {
	f.Helper()
	found, err := f.store.Recover(f.ctx, f.now)
	f.ok(err)
	return found
}

// restart ends whoever delivers, in the way the harness knows, and begins again.
func (f *fixture) restart() queue.Recovered {
	f.Helper()
	switch {
	case !f.h.Durable:
		f.ok(f.store.Release())
	case f.h.Crash != nil:
		f.h.Crash(f.TB, f.store)
		f.store = f.h.Open(f.TB, f.dir)
	default:
		f.ok(f.store.Close())
		f.store = f.h.Open(f.TB, f.dir)
	}
	return f.recover()
}

// job is a submission to one recipient, with what else it shall have.
func job(lane string, change ...func(*queue.Submission)) queue.Submission {
	s := queue.Submission{
		Job: queue.Job{
			Lane:       lane,
			Envelope:   smtp.Envelope{From: "sender@example.com"},
			Recipients: queue.To(smtp.To("one@example.org")),
		},
		Body: queue.Octets([]byte("Subject: x\r\n\r\nhello\r\n")),
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func to(addresses ...string) func(*queue.Submission) {
	return func(s *queue.Submission) { s.Recipients = queue.To(smtp.To(addresses...)) }
}

func priority(p queue.Priority) func(*queue.Submission) {
	return func(s *queue.Submission) { s.Priority = p }
}

func policy(p queue.Policy) func(*queue.Submission) {
	return func(s *queue.Submission) { s.Unknown = p }
}

func due(at time.Time) func(*queue.Submission) { return func(s *queue.Submission) { s.Due = at } }

func expires(at time.Time) func(*queue.Submission) {
	return func(s *queue.Submission) { s.Expires = at }
}

func withKey(k string) func(*queue.Submission) { return func(s *queue.Submission) { s.Key = k } }

func withBody(b string) func(*queue.Submission) {
	return func(s *queue.Submission) { s.Body = queue.Octets([]byte(b)) }
}

// put puts jobs and returns their IDs.
func (f *fixture) put(jobs ...queue.Submission) []queue.ID {
	f.Helper()
	receipts, err := f.store.Put(f.ctx, f.now, jobs)
	f.ok(err)
	if len(receipts) != len(jobs) {
		f.Fatalf("Put gave %d receipts for %d jobs", len(receipts), len(jobs))
	}
	ids := make([]queue.ID, len(jobs))
	for i, r := range receipts {
		ids[i] = r.ID
	}
	return ids
}

func (f *fixture) putOne(lane string, change ...func(*queue.Submission)) queue.ID {
	f.Helper()
	return f.put(job(lane, change...))[0]
}

// want claims once.
func (f *fixture) want(w queue.Want) queue.Claimed {
	f.Helper()
	claimed, err := f.store.Claim(f.ctx, f.now, []queue.Want{w})
	f.ok(err)
	if len(claimed) != 1 || claimed[0].Lane != w.Lane {
		f.Fatalf("Claim of lane %q answered %s", w.Lane, text(claimed))
	}
	return claimed[0]
}

// claim claims so many jobs of a lane, and wants as many.
func (f *fixture) claim(lane string, count int) []queue.Claim {
	f.Helper()
	got := f.want(queue.Want{Lane: lane, Count: count})
	if len(got.Claims) != count {
		f.Fatalf("Claim of %d jobs of lane %q got %d", count, lane, len(got.Claims))
	}
	return got.Claims
}

func (f *fixture) claimOne(lane string) queue.Claim {
	f.Helper()
	return f.claim(lane, 1)[0]
}

// nothing wants that there is nothing to claim.
func (f *fixture) nothing(lane string) queue.Claimed {
	f.Helper()
	got := f.want(queue.Want{Lane: lane, Count: 1000, Urgent: 1000})
	if len(got.Claims) > 0 {
		f.Fatalf("Claim of lane %q got job %s; nothing was to be claimed", lane, got.Claims[0].Job.ID)
	}
	return got
}

func (f *fixture) begin(t queue.Token) error {
	f.Helper()
	errs, err := f.store.Begin(f.ctx, f.now, []queue.Token{t})
	f.ok(err)
	if len(errs) != 1 {
		f.Fatalf("Begin gave %d errors for 1 token", len(errs))
	}
	return errs[0]
}

func (f *fixture) settle(s queue.Settlement) error {
	f.Helper()
	errs, err := f.store.Settle(f.ctx, f.now, []queue.Settlement{s})
	f.ok(err)
	if len(errs) != 1 {
		f.Fatalf("Settle gave %d errors for 1 settlement", len(errs))
	}
	return errs[0]
}

// accepted settles a job as sent.
func accepted(t queue.Token) queue.Settlement {
	return queue.Settlement{Token: t, State: queue.Sent, Attempt: &queue.Attempt{
		Started: epoch, Duration: time.Second, Server: "mx.example.org:25", Outcome: smtp.Accepted,
		Reply: smtp.Reply{Code: 250, Text: "taken"}, QueueID: "Q1",
	}}
}

// refused settles a job, refused for now or for good, in a state.
func refused(t queue.Token, state queue.State, due time.Time) queue.Settlement {
	return queue.Settlement{Token: t, State: state, Due: due, Attempt: &queue.Attempt{
		Started: epoch, Server: "mx.example.org:25", Phase: smtp.PhaseRcpt, Outcome: smtp.Rejected,
		Class: smtp.ClassRecipient, Reply: smtp.Reply{Code: 450, Text: "not now"},
	}}
}

// failed settles a job as failed, with its recipients.
func failed(c *queue.Claim) queue.Settlement {
	s := refused(c.Token, queue.Failed, time.Time{})
	for _, r := range c.Job.Recipients {
		r.State, r.Outcome, r.Class, r.Reply = queue.Failed, smtp.Rejected, smtp.ClassRecipient, smtp.Reply{Code: 550, Text: "no"}
		s.Recipients = append(s.Recipients, r)
	}
	return s
}

// finish brings a fresh job to a finished state.
func (f *fixture) finish(lane string, state queue.State, change ...func(*queue.Submission)) queue.ID {
	f.Helper()
	id := f.putOne(lane, change...)
	switch state {
	case queue.Cancelled:
		f.control(queue.Command{Action: queue.DoCancel, IDs: []queue.ID{id}})
		return id
	case queue.Expired:
		c := f.claimID(lane, id)
		f.ok(f.settle(queue.Settlement{Token: c.Token, State: queue.Expired}))
	case queue.Sent:
		c := f.claimID(lane, id)
		f.ok(f.begin(c.Token))
		f.ok(f.settle(accepted(c.Token)))
	case queue.Failed:
		c := f.claimID(lane, id)
		f.ok(f.begin(c.Token))
		f.ok(f.settle(failed(&c)))
	}
	f.state(id, state)
	return id
}

// claimID claims one job, which must be the next.
func (f *fixture) claimID(lane string, id queue.ID) queue.Claim {
	f.Helper()
	c := f.claimOne(lane)
	if c.Job.ID != id || c.Token.ID != id {
		f.Fatalf("claimed job %s with a token of %s, want job %s", c.Job.ID, c.Token.ID, id)
	}
	return c
}

func (f *fixture) control(c queue.Command) queue.Controlled {
	f.Helper()
	done, err := f.store.Control(f.ctx, f.now, c)
	f.ok(err)
	return done
}

func (f *fixture) get(id queue.ID) queue.Details {
	f.Helper()
	d, err := f.store.Get(f.ctx, f.now, id)
	f.ok(err)
	f.wellFormed(&d)
	return d
}

// wellFormed wants the history of a job to be one (invariants 8 and 9).
func (f *fixture) wellFormed(d *queue.Details) {
	f.Helper()
	finishes := 0
	for i, e := range d.History {
		if e.Number != i+1 {
			f.Fatalf("job %s: line %d of the history has the number %d", d.ID, i+1, e.Number)
		}
		if e.State.Finished() {
			finishes++
		}
	}
	want := 0
	if d.State.Finished() {
		want = 1
	}
	if finishes != want {
		f.Fatalf("job %s is %s; %d lines of its history say that it was finished, want %d: %s", d.ID, d.State, finishes, want, text(d.History))
	}
}

// state wants a job to have a state.
func (f *fixture) state(id queue.ID, want queue.State) queue.Details {
	f.Helper()
	d := f.get(id)
	if d.State != want {
		f.Fatalf("job %s is %s, want %s", id, d.State, want)
	}
	return d
}

// gone wants that a job is not known.
func (f *fixture) gone(id queue.ID) {
	f.Helper()
	_, err := f.store.Get(f.ctx, f.now, id)
	var missing *queue.NotFoundError
	if !errors.As(err, &missing) || missing.ID != id {
		f.Fatalf("Get of job %s: got the error %v, want a NotFoundError that names it", id, err)
	}
}

// kinds wants the history of a job to have lines of these kinds.
func (f *fixture) kinds(id queue.ID, want ...queue.Kind) {
	f.Helper()
	var got []queue.Kind
	for _, e := range f.get(id).History {
		got = append(got, e.Kind)
	}
	f.same(fmt.Sprintf("history of job %s", id), got, want)
}

func (f *fixture) list(filter queue.Filter) []queue.ID {
	f.Helper()
	jobs, err := f.store.List(f.ctx, f.now, filter)
	f.ok(err)
	var ids []queue.ID
	for i := range jobs {
		ids = append(ids, jobs[i].ID)
	}
	return ids
}

func (f *fixture) stats() queue.Stats {
	f.Helper()
	stats, err := f.store.Stats(f.ctx, f.now)
	f.ok(err)
	return stats
}

// lane is how a lane is doing; the zero value if it is not listed.
func (f *fixture) lane(name string) (found queue.Lane) {
	f.Helper()
	for _, l := range f.stats().Lanes {
		if l.Name == name {
			return l
		}
	}
	return found
}

// counts wants a lane to have so many jobs of each state.
func (f *fixture) counts(lane string, want map[queue.State]int) {
	f.Helper()
	l := f.lane(lane)
	for _, state := range queue.States() {
		if l.Count[state] != want[state] {
			f.Fatalf("lane %q has %d jobs that are %s, want %d", lane, l.Count[state], state, want[state])
		}
	}
}

func (f *fixture) changes() []string {
	f.Helper()
	names, err := f.store.Changes(f.ctx, f.now)
	f.ok(err)
	return names
}

func (f *fixture) content(c *queue.Content) string {
	f.Helper()
	if c == nil {
		f.Fatal("the body is gone")
	}
	octets, err := octetsOf(c)
	f.ok(err)
	return string(octets)
}

// octetsOf reads a body that has the size it says.
func octetsOf(c *queue.Content) ([]byte, error) {
	r, err := c.Reader()
	if err != nil {
		return nil, err
	}
	octets, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if int64(len(octets)) != c.Size {
		return nil, fmt.Errorf("it has %d octets and the size %d", len(octets), c.Size)
	}
	return octets, nil
}

func readsAs(c *queue.Content, want []byte) error {
	octets, err := octetsOf(c)
	if err == nil && !bytes.Equal(octets, want) {
		err = fmt.Errorf("it has %d octets that differ from the %d put", len(octets), len(want))
	}
	return err
}

// purge forgets all that r lets go, in pieces.
func (f *fixture) purge(r queue.Retention) (total queue.Purged) {
	f.Helper()
	for range 10_000 {
		purged, err := f.store.Purge(f.ctx, f.now, r, 100)
		f.ok(err)
		if purged.Jobs > 100 {
			f.Fatalf("Purge forgot %d jobs, at most 100 were wanted", purged.Jobs)
		}
		if purged == (queue.Purged{}) {
			return total
		}
		total.Jobs += purged.Jobs
		total.Bodies += purged.Bodies
	}
	f.Fatal("Purge never said that nothing was left")
	return total
}

func (f *fixture) expire() []queue.Job {
	f.Helper()
	expired, err := f.store.Expire(f.ctx, f.now, 1000)
	f.ok(err)
	return expired
}
