package queuetest

import (
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

var beginning = []behaviour{
	{promise: "nothing begins without a standing token", check: beginNeedsToken},
	{promise: "a job that has begun begins again", check: beginsAgain},
	{promise: "nothing begins that has expired", check: beginNotAfterExpiry},
	{promise: "tokens are answered in their order", check: tokensInOrder},
}

var settling = []behaviour{
	{promise: "a job is sent", check: settleSent},
	{promise: "a job is tried again", check: settleAgain},
	{promise: "a job that was given back is as it was", check: settleGivenBack},
	{promise: "a job is held", check: settleHeld},
	{promise: "recipients have outcomes of their own", check: settlePartly},
	{promise: "an attempt is kept whole", check: settleKeepsAttempt},
	{promise: "a late settlement changes nothing and leaves a line", check: settleLate},
	{promise: "settlements are answered in their order", check: settlementsInOrder},
	{promise: "an unknown outcome is doubt for good", check: settleDoubt},
	{promise: "a job can have 50,000 recipients", check: settleManyRecipients, large: true},
}

// Invariant 4: no content goes out without this.
func beginNeedsToken(f *fixture) {
	ids := f.put(job("a"), job("a"), job("a"), job("a"))
	stale := func(what string, t queue.Token) {
		f.Helper()
		f.is("Begin of "+what, f.begin(t), queue.ErrStale)
		f.is("Settle of "+what, f.settle(accepted(t)), queue.ErrStale)
		if t.ID != 0 && t.ID < 1000 {
			if d := f.get(t.ID); d.Begun || d.Attempts > 0 && d.State != queue.Sent {
				f.Fatalf("Begin of %s: %s", what, text(d))
			}
		}
	}
	stale("no token", queue.Token{})
	stale("no job", queue.Token{ID: 1 << 40, Nonce: 7})
	stale("a job that is not claimed", queue.Token{ID: ids[0], Nonce: 7})
	stale("a job that is not claimed, without a nonce", queue.Token{ID: ids[0]})
	c := f.claim("a", 3)
	stale("another nonce", queue.Token{ID: ids[0], Nonce: c[0].Token.Nonce + 1})
	stale("no nonce", queue.Token{ID: ids[0]})
	stale("another job's token", queue.Token{ID: ids[0], Nonce: c[1].Token.Nonce})
	f.ok(f.begin(c[0].Token))
	f.ok(f.settle(accepted(c[0].Token)))
	stale("a job that was sent", c[0].Token)
	stale("a job that was sent, without a nonce", queue.Token{ID: ids[0]})
	f.control(queue.Command{Action: queue.DoHold, IDs: ids[1:2]})
	stale("a job that was held", c[1].Token)
	f.restart()
	stale("a job that was claimed before a restart", c[2].Token)
	f.state(ids[2], queue.Queued)
}

func beginsAgain(f *fixture) {
	id := f.putOne("a", policy(queue.Never))
	c := f.claimID("a", id)
	for range 3 {
		f.ok(f.begin(c.Token))
		if d := f.state(id, queue.Active); !d.Begun || d.Attempts != 0 {
			f.Fatalf("after Begin: %s, begun %t", text(d.Job), d.Begun)
		}
	}
	f.ok(f.settle(accepted(c.Token)))
	if f.state(id, queue.Sent).Begun {
		f.Fatal("a job that was sent says that it has begun")
	}
}

// Invariant 17.
func beginNotAfterExpiry(f *fixture) {
	at := epoch.Add(time.Minute)
	ids := f.put(job("a", expires(at)), job("a", expires(at)))
	c := f.claim("a", 2)
	f.now = at.Add(-time.Millisecond)
	f.ok(f.begin(c[0].Token))
	f.now = at
	f.is("Begin after its time", f.begin(c[1].Token), queue.ErrExpired)
	f.is("Begin again of a job that began in time", f.begin(c[0].Token), nil)
	f.state(ids[1], queue.Expired)
	f.kinds(ids[1], queue.DidExpire)
	f.is("Begin of an expired job", f.begin(c[1].Token), queue.ErrStale)
	f.is("Settle of an expired job", f.settle(accepted(c[1].Token)), queue.ErrStale)
	f.same("expired of the waiting", len(f.expire()), 0) // the one that has begun does not wait
	f.ok(f.settle(accepted(c[0].Token)))
	f.state(ids[0], queue.Sent)
}

func tokensInOrder(f *fixture) {
	f.put(job("a"), job("a"))
	c := f.claim("a", 2)
	errs, err := f.store.Begin(f.ctx, f.now, []queue.Token{{}, c[1].Token, {ID: c[0].Job.ID, Nonce: 1}, c[0].Token})
	f.ok(err)
	f.same("errors", fmt.Sprint(errs), fmt.Sprint([]error{queue.ErrStale, nil, queue.ErrStale, nil}))
}

func settleSent(f *fixture) {
	id := f.putOne("a", to("one@example.org", "two@example.org"))
	c := f.claimID("a", id)
	f.ok(f.begin(c.Token))
	f.advance(time.Second)
	f.ok(f.settle(accepted(c.Token)))
	check := func() {
		f.Helper()
		d := f.state(id, queue.Sent)
		reply := smtp.Reply{Code: 250, Text: "taken"}
		if !d.Ended.Equal(epoch.Add(time.Second)) || d.Attempts != 1 || d.Last != reply || d.Doubt {
			f.Fatalf("sent: %s", text(d.Job))
		}
		for _, r := range d.Recipients {
			if r.State != queue.Sent || r.Outcome != smtp.Accepted || r.Reply != reply {
				f.Fatalf("recipient: %s", text(r))
			}
		}
		f.kinds(id, queue.Tried)
	}
	check()
	f.restart()
	check()
	f.nothing("a")
	f.counts("a", map[queue.State]int{queue.Sent: 1})
}

// Invariant 9.
func settleAgain(f *fixture) {
	id := f.putOne("a")
	for n := range 3 {
		c := f.claimID("a", id)
		if c.Job.Attempts != n {
			f.Fatalf("in try %d the job has %d attempts", n+1, c.Job.Attempts)
		}
		next := f.now.Add(time.Hour)
		f.ok(f.settle(refused(c.Token, queue.Queued, next)))
		d := f.state(id, queue.Queued)
		if d.Attempts != n+1 || !d.Due.Equal(next) || d.Last.Code != 450 || !d.Ended.IsZero() || d.Recipients[0].State != queue.Queued {
			f.Fatalf("after try %d: %s", n+1, text(d.Job))
		}
		if got := f.nothing("a"); !got.Next.Equal(next) {
			f.Fatalf("next is %v, want %v", got.Next, next)
		}
		f.now = next
	}
	f.kinds(id, queue.Tried, queue.Tried, queue.Tried)
}

// Invariant 15: waiting costs no attempt.
func settleGivenBack(f *fixture) {
	ids := f.put(job("a"), job("a"))
	before := text(f.get(ids[0]))
	for range 3 {
		c := f.claimID("a", ids[0])
		f.ok(f.settle(queue.Settlement{Token: c.Token, State: queue.Queued}))
		f.is("Begin after it was given back", f.begin(c.Token), queue.ErrStale)
	}
	if after := text(f.get(ids[0])); after != before {
		f.Fatalf("given back:\n got %s\nwant %s", after, before)
	}
	c := f.claimID("a", ids[0])
	f.ok(f.settle(queue.Settlement{Token: c.Token, State: queue.Queued, Due: epoch.Add(time.Hour)}))
	d := f.state(ids[0], queue.Queued)
	if d.Attempts != 0 || !d.Due.Equal(epoch.Add(time.Hour)) || len(d.History) != 0 {
		f.Fatalf("given back for later: %s", text(d))
	}
	f.claimID("a", ids[1])
}

func settleHeld(f *fixture) {
	id := f.putOne("a")
	c := f.claimID("a", id)
	s := refused(c.Token, queue.Held, time.Time{})
	s.Reason = "the file is gone"
	f.ok(f.settle(s))
	d := f.state(id, queue.Held)
	if d.Reason != "the file is gone" || d.Attempts != 1 || !d.Ended.IsZero() {
		f.Fatalf("held: %s", text(d.Job))
	}
	f.nothing("a")
}

func settlePartly(f *fixture) {
	id := f.putOne("a", to("one@example.org", "two@example.org", "three@example.org"))
	c := f.claimID("a", id)
	f.ok(f.begin(c.Token))
	s := refused(c.Token, queue.Queued, epoch.Add(time.Hour))
	s.Recipients = append(s.Recipients, c.Job.Recipients...)
	s.Recipients[0].State, s.Recipients[0].Outcome, s.Recipients[0].Reply = queue.Sent, smtp.Accepted, smtp.Reply{Code: 250, Text: "ok"}
	s.Recipients[1].State, s.Recipients[1].Outcome, s.Recipients[1].Reply = queue.Failed, smtp.Rejected, smtp.Reply{Code: 550, Text: "no"}
	s.Recipients[2].Outcome, s.Recipients[2].Reply = smtp.Rejected, smtp.Reply{Code: 450, Text: "later"}
	f.ok(f.settle(s))
	f.same("recipients", f.get(id).Recipients, s.Recipients)
	f.now = epoch.Add(time.Hour)
	c = f.claimID("a", id)
	f.same("open", c.Job.Open(), smtp.To("three@example.org"))
	f.ok(f.begin(c.Token))
	last := accepted(c.Token)
	last.State = queue.Failed // two of three were accepted
	last.Recipients = append([]queue.Recipient(nil), c.Job.Recipients...)
	last.Recipients[2].State, last.Recipients[2].Outcome, last.Recipients[2].Reply = queue.Sent, smtp.Accepted, smtp.Reply{Code: 250, Text: "now"}
	f.ok(f.settle(last))
	f.same("recipients", f.state(id, queue.Failed).Recipients, last.Recipients)
}

func settleKeepsAttempt(f *fixture) {
	id := f.putOne("a")
	c := f.claimID("a", id)
	attempt := queue.Attempt{
		Started: epoch.Add(1500 * time.Millisecond), Duration: 2*time.Second + 3*time.Microsecond, Server: "mx:25", Remote: "192.0.2.1:25",
		Phase: smtp.PhaseFinal, Outcome: smtp.Rejected, Class: smtp.ClassContent, QueueID: "4711",
		Reply: smtp.Reply{Code: 554, Enhanced: smtp.EnhancedCode{5, 7, 1}, Text: "no\n\"spam\""}, Error: "refused",
		Recipients: []smtp.RecipientResult{{Address: "one@example.org", Outcome: smtp.Rejected, Class: smtp.ClassContent, Reply: smtp.Reply{Code: 554}}},
		Transcript: "C: MAIL\nS: 250 ok\n",
	}
	f.ok(f.settle(queue.Settlement{Token: c.Token, State: queue.Held, Reason: "look at it", Attempt: &attempt}))
	f.restart()
	want := []queue.Entry{{Number: 1, At: epoch, Kind: queue.Tried, State: queue.Held, Detail: "look at it", Attempt: &attempt}}
	f.same("history", f.get(id).History, want)
}

// Invariants 3 and 7.
func settleLate(f *fixture) {
	ids := f.put(job("a"), job("a"))
	c := f.claim("a", 2)
	f.ok(f.begin(c[0].Token))
	f.ok(f.settle(failed(&c[0])))
	f.control(queue.Command{Action: queue.DoCancel, IDs: ids[1:]})
	for i, want := range []queue.State{queue.Failed, queue.Cancelled} {
		before := f.get(ids[i]).Job
		f.advance(time.Minute)
		f.is("a late Settle", f.settle(accepted(c[i].Token)), queue.ErrStale)
		d := f.state(ids[i], want)
		f.same("the job", d.Job, before)
		line := d.History[len(d.History)-1]
		if line.Kind != queue.Late || line.State != 0 || line.Attempt == nil || line.Attempt.QueueID != "Q1" || !line.At.Equal(f.now) {
			f.Fatalf("the last line is %s, want one of the kind late with the attempt", text(line))
		}
	}
	f.purge(queue.Retention{Failed: time.Second})
	f.is("Settle of a forgotten job", f.settle(accepted(c[0].Token)), queue.ErrStale)
	f.gone(ids[0])
}

func settlementsInOrder(f *fixture) {
	ids := f.put(job("a"), job("a"))
	c := f.claim("a", 2)
	errs, err := f.store.Settle(f.ctx, f.now, []queue.Settlement{
		accepted(queue.Token{ID: 1 << 40, Nonce: 1}), accepted(c[1].Token), accepted(c[1].Token), {Token: c[0].Token, State: queue.Queued},
	})
	f.ok(err)
	f.same("errors", fmt.Sprint(errs), fmt.Sprint([]error{queue.ErrStale, nil, queue.ErrStale, nil}))
	f.kinds(ids[1], queue.Tried, queue.Late)
	f.state(ids[0], queue.Queued)
}

func settleDoubt(f *fixture) {
	id := f.putOne("a")
	c := f.claimID("a", id)
	f.ok(f.begin(c.Token))
	s := refused(c.Token, queue.Queued, f.now)
	s.Attempt.Outcome, s.Attempt.Reply = smtp.Unknown, smtp.Reply{}
	f.ok(f.settle(s))
	if !f.get(id).Doubt {
		f.Fatal("an unknown outcome is no doubt")
	}
	c = f.claimID("a", id)
	f.ok(f.settle(accepted(c.Token)))
	if d := f.state(id, queue.Sent); !d.Doubt || d.Attempts != 2 {
		f.Fatalf("sent after an unknown outcome: %s", text(d.Job))
	}
	f.same("jobs in doubt", f.list(queue.Filter{Doubt: true}), []queue.ID{id})
}

func settleManyRecipients(f *fixture) {
	addresses := make([]string, queue.MaxRecipients)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("user%d@example.org", i)
	}
	id := f.putOne("a", to(addresses...))
	f.restart()
	c := f.claimID("a", id)
	if len(c.Job.Recipients) != len(addresses) || c.Job.Recipients[49_999].Address != "user49999@example.org" {
		f.Fatalf("claimed with %d recipients", len(c.Job.Recipients))
	}
	f.ok(f.begin(c.Token))
	s := refused(c.Token, queue.Queued, f.now)
	s.Recipients = c.Job.Recipients
	for i := range s.Recipients {
		if i%1000 != 7 {
			s.Recipients[i].State = queue.Sent
		}
	}
	f.ok(f.settle(s))
	c = f.claimID("a", id)
	if open := c.Job.Open(); len(open) != 50 || open[1].Address != "user1007@example.org" {
		f.Fatalf("%d recipients are open, want 50", len(open))
	}
	f.ok(f.settle(accepted(c.Token)))
	d := f.state(id, queue.Sent)
	if open := d.Open(); len(open) > 0 {
		f.Fatalf("%d recipients are open after all were accepted", len(open))
	}
	f.same("jobs to the last", f.list(queue.Filter{Recipient: "USER49999@"}), []queue.ID{id})
}
