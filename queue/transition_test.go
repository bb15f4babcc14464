package queue_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// mail is a claimed job to three, one of whom was refused before.
func mail() queue.Job {
	j := queue.Job{ID: 7, State: queue.Active, Lane: "a", Created: noon, Due: noon, Recipients: queue.To(smtp.To("one@x.example", "two@x.example", "three@x.example"))}
	j.Recipients[2].State, j.Recipients[2].Reply = queue.Failed, smtp.Reply{Code: 550}
	return j
}

func states(j *queue.Job) (s []queue.State) {
	for _, r := range j.Recipients {
		s = append(s, r.State)
	}
	return s
}

func wantStates(t *testing.T, j *queue.Job, job queue.State, recipients ...queue.State) {
	t.Helper()
	if j.State != job || !reflect.DeepEqual(states(j), recipients) {
		t.Errorf("job %s, recipients %v; want %s, %v", j.State, states(j), job, recipients)
	}
}

func TestSettleSent(t *testing.T) {
	t.Parallel()
	j, reply := mail(), smtp.Reply{Code: 250, Text: "ok"}
	e := j.Settle(noon.Add(time.Minute), &queue.Settlement{State: queue.Sent, Attempt: &queue.Attempt{Outcome: smtp.Accepted, Reply: reply}})
	wantStates(t, &j, queue.Sent, queue.Sent, queue.Sent, queue.Failed)
	if j.Attempts != 1 || j.Last != reply || j.Recipients[0].Reply != reply || j.Recipients[2].Reply.Code != 550 || !j.Ended.Equal(noon.Add(time.Minute)) || j.Doubt {
		t.Errorf("job: %+v", j)
	}
	if e.Kind != queue.Tried || e.State != queue.Sent || e.Attempt == nil || e.Number != 0 {
		t.Errorf("entry: %+v", e)
	}
}

func TestSettleGivenBack(t *testing.T) {
	t.Parallel()
	j := mail()
	want := mail()
	want.State = queue.Queued
	if e := j.Settle(noon, &queue.Settlement{State: queue.Queued}); e.Kind != 0 || !reflect.DeepEqual(j, want) {
		t.Errorf("entry %+v, job %+v", e, j)
	}
	j.Settle(noon, &queue.Settlement{State: queue.Queued, Due: noon.Add(time.Hour + time.Microsecond)})
	if !j.Due.Equal(noon.Add(time.Hour)) || j.Attempts != 0 {
		t.Errorf("for later: %+v", j)
	}
}

func TestSettleWithoutAttempt(t *testing.T) {
	t.Parallel()
	j := mail()
	e := j.Settle(noon, &queue.Settlement{State: queue.Failed, Reason: "no\x00 file\xff"})
	if e.Kind != queue.Tried || e.State != queue.Failed || e.Attempt != nil || j.Attempts != 0 || j.Reason != "no\uFFFD file\uFFFD" || e.Detail != j.Reason {
		t.Errorf("entry %+v, job %+v", e, j)
	}
}

func TestSettleSharesNothing(t *testing.T) {
	t.Parallel()
	j := mail()
	s := queue.Settlement{State: queue.Queued, Recipients: mail().Recipients, Attempt: &queue.Attempt{
		Outcome: smtp.Rejected, Error: "bad\xff", Duration: time.Microsecond + 1, Started: noon.Add(1),
		Reply: smtp.Reply{Code: 450, Text: "\xc3"}, Recipients: []smtp.RecipientResult{{Address: "\xff", Outcome: smtp.Unknown}},
	}}
	s.Recipients[0].Reply.Text = "\xff"
	e := j.Settle(noon, &s)
	if s.Recipients[0].Reply.Text != "\xff" || s.Attempt.Error != "bad\xff" || s.Attempt.Recipients[0].Address != "\xff" {
		t.Errorf("Settle wrote into the settlement: %+v", s)
	}
	s.Recipients[1].Address, s.Attempt.Recipients[0].Outcome = "changed", smtp.Accepted
	if j.Recipients[1].Address != "two@x.example" || e.Attempt.Recipients[0].Outcome != smtp.Unknown {
		t.Errorf("the job changed with the settlement: %+v", j)
	}
	if e.Attempt.Error != "bad\uFFFD" || j.Last.Text != "\uFFFD" || j.Recipients[0].Reply.Text != "\uFFFD" || e.Attempt.Duration != time.Microsecond || !e.Attempt.Started.Equal(noon) {
		t.Errorf("not as it can be kept: %+v", e.Attempt)
	}
	if !j.Doubt {
		t.Error("an unknown outcome of one recipient is no doubt")
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	later := noon.Add(time.Hour)
	j, want := mail(), mail()
	want.State = queue.Queued
	if e := j.Interrupt(later, false); e.Kind != queue.Interrupted || e.State != queue.Queued || !reflect.DeepEqual(j, want) {
		t.Errorf("not begun: %+v, %+v", e, j)
	}
	for policy, state := range map[queue.Policy]queue.State{queue.Retry: queue.Queued, queue.Hold: queue.Held, queue.Never: queue.Failed} {
		j := mail()
		j.Unknown = policy
		e := j.Interrupt(later, true)
		open := queue.Queued
		if policy == queue.Never {
			open = queue.Failed
		}
		wantStates(t, &j, state, open, open, queue.Failed)
		if e.Kind != queue.Lost || e.State != state || e.Detail == "" || j.Attempts != 1 || !j.Doubt || j.Recipients[0].Outcome != smtp.Unknown || j.Recipients[2].Outcome != smtp.NotSent {
			t.Errorf("policy %s: %+v, %+v", policy, e, j)
		}
		if (policy == queue.Never) == j.Ended.IsZero() || (policy == queue.Retry) != (j.Reason == "") || policy == queue.Retry && !j.Due.Equal(later) {
			t.Errorf("policy %s: %+v", policy, j)
		}
	}
}

func TestExpireAndDamage(t *testing.T) {
	t.Parallel()
	j := mail()
	if e := j.Expire(noon); e.Kind != queue.DidExpire || e.State != queue.Expired || !j.Ended.Equal(noon) {
		t.Errorf("expired: %+v, %+v", e, j)
	}
	wantStates(t, &j, queue.Expired, queue.Expired, queue.Expired, queue.Failed)
	j = mail()
	if e := j.Damage(noon, "bad sum"); e.Kind != queue.WasDamaged || e.State != queue.Held || e.Detail != "bad sum" || j.Reason != "bad sum" || !j.Ended.IsZero() {
		t.Errorf("damaged: %+v, %+v", e, j)
	}
	wantStates(t, &j, queue.Held, queue.Queued, queue.Queued, queue.Failed)
}

func TestHasExpired(t *testing.T) {
	t.Parallel()
	j := queue.Job{Expires: noon}
	if j.HasExpired(noon.Add(-1)) || !j.HasExpired(noon) || !j.HasExpired(noon.Add(1)) || (&queue.Job{}).HasExpired(noon) {
		t.Error("a job expires when its time is there, and not without one")
	}
}

func TestApplyCopiesRecipients(t *testing.T) {
	t.Parallel()
	j := mail()
	before := j
	if _, err := j.Apply(noon, &queue.Command{Action: queue.DoCancel}, false); err != nil {
		t.Fatal(err)
	}
	wantStates(t, &before, queue.Active, queue.Queued, queue.Queued, queue.Failed)
	wantStates(t, &j, queue.Cancelled, queue.Cancelled, queue.Cancelled, queue.Failed)
}

func TestApplyRefusesAndChangesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state  queue.State
		action queue.Action
		begun  bool
		want   error
	}{
		{queue.Active, queue.DoCancel, true, queue.ErrTooLate}, {queue.Active, queue.DoRetry, true, queue.ErrTooLate},
		{queue.Sent, queue.DoCancel, false, queue.ErrFinished}, {queue.Failed, queue.DoRetry, false, queue.ErrFinished},
		{queue.Queued, queue.DoRelease, false, queue.ErrNotHeld}, {queue.Cancelled, queue.DoRelease, false, queue.ErrFinished},
	} {
		j := mail()
		j.State = tt.state
		before := j
		if _, err := j.Apply(noon, &queue.Command{Action: tt.action, Lane: "b"}, tt.begun); !errors.Is(err, tt.want) || !reflect.DeepEqual(j, before) {
			t.Errorf("%s of a job that is %s: %v, %+v", tt.action, tt.state, err, j)
		}
	}
}

func TestRepeat(t *testing.T) {
	t.Parallel()
	j := mail()
	j.Key, j.Expires, j.Tags, j.Doubt, j.Reason, j.Last, j.Attempts = "k", noon.Add(time.Hour), []string{"t"}, true, "r", smtp.Reply{Code: 550}, 3
	j.State, j.Ended = queue.Failed, noon
	j.Recipients[0].State = queue.Sent
	again, err := j.Repeat(noon.Add(24 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want := queue.Job{
		Again: 7, State: queue.Queued, Lane: "a", Tags: []string{"t"}, Recipients: queue.To(smtp.To("two@x.example", "three@x.example")),
		Created: noon.Add(24 * time.Hour), Due: noon.Add(24 * time.Hour), Expires: noon.Add(25 * time.Hour),
	}
	if !reflect.DeepEqual(again, want) {
		t.Errorf("again:\n got %+v\nwant %+v", again, want)
	}
	j.Recipients[1].State, j.Recipients[2].State = queue.Sent, queue.Sent
	if _, err := j.Repeat(noon); !errors.Is(err, queue.ErrAllSent) {
		t.Errorf("of one that all have: %v", err)
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		of   []queue.State
		want queue.State
	}{
		{nil, queue.Sent}, {[]queue.State{queue.Sent, queue.Sent}, queue.Sent}, {[]queue.State{queue.Cancelled, queue.Sent}, queue.Cancelled},
		{[]queue.State{queue.Cancelled, queue.Expired}, queue.Expired}, {[]queue.State{queue.Expired, queue.Failed, queue.Cancelled}, queue.Failed},
	} {
		var recipients []queue.Recipient
		for _, s := range tt.of {
			recipients = append(recipients, queue.Recipient{State: s})
		}
		if got := queue.Outcome(recipients); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.of, got, tt.want)
		}
	}
}

func TestLateEntry(t *testing.T) {
	t.Parallel()
	s := queue.Settlement{State: queue.Sent, Attempt: &queue.Attempt{QueueID: "q\xff"}}
	if e := s.LateEntry(noon); e.Kind != queue.Late || e.State != 0 || e.Attempt.QueueID != "q\uFFFD" || s.Attempt.QueueID != "q\xff" {
		t.Errorf("late: %+v", e)
	}
	if e := (&queue.Settlement{}).LateEntry(noon); e.Attempt != nil {
		t.Errorf("late without an attempt: %+v", e)
	}
}

func TestCommandCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []queue.Command{{Action: queue.DoCancel}, {Action: queue.DoReorder, Priority: queue.Bulk}, {Action: queue.DoMove, Lane: "b"}} {
		if err := c.Check(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for want, c := range map[string]queue.Command{
		"there are cancel, retry, hold": {}, "action(7)": {Action: 7}, "priority(4)": {Action: queue.DoReorder, Priority: 4}, "no name": {Action: queue.DoMove},
	} {
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

func TestControlledAdd(t *testing.T) {
	t.Parallel()
	var d queue.Controlled
	d.Add(1, 0)
	d.Add(2, 0)
	if d.Repeated != nil {
		t.Errorf("repeated %v", d.Repeated)
	}
	d.Add(3, 30)
	d.Add(4, 0)
	if !reflect.DeepEqual(d.Repeated, []queue.ID{0, 0, 30, 0}) || !reflect.DeepEqual(d.IDs, []queue.ID{1, 2, 3, 4}) {
		t.Errorf("%+v", d)
	}
	for id := range queue.ID(2 * queue.Named) {
		d.Add(id, 1)
	}
	if d.Changed != 4+2*queue.Named || len(d.IDs) != queue.Named || len(d.Repeated) != queue.Named {
		t.Errorf("changed %d, named %d, repeated %d", d.Changed, len(d.IDs), len(d.Repeated))
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x00\xff\xc3")
	f.Fuzz(func(t *testing.T, s string) {
		c := queue.Clean(s)
		if !utf8.ValidString(c) || strings.Contains(c, "\x00") || queue.Clean(c) != c {
			t.Errorf("%q became %q", s, c)
		}
		if utf8.ValidString(s) && !strings.Contains(s, "\x00") && c != s {
			t.Errorf("%q was changed to %q", s, c)
		}
	})
}
