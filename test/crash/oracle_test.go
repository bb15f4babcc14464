package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/kaizenmail/kaizen/test/crash/task"
)

var now = time.UnixMilli(1)

// sound is a ledger in which a letter of the policy was acknowledged, sent and
// received.
func sound(policy queue.Policy) (*ledger, *entry, *queue.Details) {
	letter := task.Letter{Key: "1", Account: "shop", To: []string{"a@example.net", "b@example.net"}, Size: 10, Unknown: policy}
	l := newLedger()
	l.add(producer, []task.Letter{letter})
	l.note(task.Event{What: task.Trying, Key: "1"})
	l.note(task.Event{What: task.Queued, Key: "1", ID: 7})
	l.arrive(&smtptest.Message{ID: "<" + letter.MessageID() + ">", From: task.From, Data: letter.Octets(),
		To: []smtptest.Recipient{{Address: "a@example.net"}, {Address: "b@example.net"}}})
	j := queue.Job{ID: 7, State: queue.Active, Lane: "shop", Key: "1", MessageID: letter.MessageID(), Unknown: policy,
		Size: int64(len(letter.Octets())), Recipients: queue.To(smtp.To(letter.To...))}
	entry := j.Settle(now, &queue.Settlement{State: queue.Sent, Attempt: &queue.Attempt{Outcome: smtp.Accepted}})
	entry.Number = 1
	l.note(task.Event{What: task.Dumped, Job: &queue.Details{Job: j, History: []queue.Entry{entry}}})
	return l, l.entries["1"], &l.jobs[0]
}

func TestJudgeAcceptsWhatIsRight(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ledger, *entry, *queue.Details){
		"nothing": func(*ledger, *entry, *queue.Details) {},
		"twice with a doubt": func(_ *ledger, e *entry, j *queue.Details) {
			e.arrived["a@example.net"]++
			loseFirst(j)
		},
		"abandoned and not there": func(l *ledger, e *entry, _ *queue.Details) {
			e.acked, e.abandoned, l.jobs = 0, true, nil
			clear(e.arrived)
		},
		"lost with its memory": func(l *ledger, e *entry, _ *queue.Details) {
			e.letter.Durability, l.jobs = queue.Memory, nil
			clear(e.arrived)
		},
	} {
		l, e, j := sound(queue.Retry)
		change(l, e, j)
		if _, violations := l.judge(); len(violations) > 0 {
			t.Errorf("%s: %q", name, violations)
		}
	}
}

func loseFirst(j *queue.Details) {
	j.History[0].Number = 2
	j.History = append([]queue.Entry{{Number: 1, Kind: queue.Lost, State: queue.Queued}}, j.History...)
	j.Attempts++
	j.Doubt = true
}

// chained makes the letter one for a chain, whose first account has sent it.
func chained(e *entry, j *queue.Details) {
	e.letter.Account, j.Lane = task.Chain, task.Chain
	j.History[0].Attempt.Account = task.Shaky
	maps.Copy(e.shaky, e.arrived)
}

func TestJudgeChains(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want   string // nothing: it is right
		change func(e *entry, j *queue.Details)
	}{
		"first": {"", func(*entry, *queue.Details) {}},
		"next": {"", func(e *entry, j *queue.Details) {
			j.History[0].Attempt.Account = "desk"
			clear(e.shaky)
		}},
		"both after a crash": {"", func(e *entry, j *queue.Details) {
			loseFirst(j)
			e.arrived["a@example.net"]++
		}},
		"elsewhere": {"names another account", func(e *entry, _ *queue.Details) { clear(e.shaky) }},
		"both": {"from two accounts", func(e *entry, j *queue.Details) {
			loseFirst(j)
			j.History[0].Kind, j.History[0].Attempt = queue.Tried, &queue.Attempt{Account: "desk", Outcome: smtp.Unknown}
			e.arrived["a@example.net"]++
		}},
		"given on": {"desk may have sent it, and shaky was given it", func(_ *entry, j *queue.Details) {
			loseFirst(j)
			j.History[0].Kind, j.History[0].Attempt = queue.Tried, &queue.Attempt{Account: "desk", Outcome: smtp.Unknown}
		}},
		"another account": {"from another account", func(e *entry, j *queue.Details) { e.letter.Account, j.Lane = "shop", "shop" }},
	} {
		l, e, j := sound(queue.Retry)
		chained(e, j)
		c.change(e, j)
		tally, violations := l.judge()
		if said := strings.Join(violations, "\n"); (said == "") != (c.want == "") || !strings.Contains(said, c.want) {
			t.Errorf("%s: want %q, got %q", name, c.want, violations)
		}
		if c.want == "" && tally.byFirst+tally.byNext == 0 {
			t.Errorf("%s: it is not counted", name)
		}
	}
}

func TestJudgeFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy queue.Policy
		want   string
		change func(*ledger, *entry, *queue.Details)
	}{
		"lost":             {want: "LOST: it was acknowledged", change: func(l *ledger, e *entry, _ *queue.Details) { l.jobs = nil; clear(e.arrived) }},
		"sent, not come":   {want: "LOST: a@example.net", change: func(_ *ledger, e *entry, _ *queue.Details) { delete(e.arrived, "a@example.net") }},
		"come, not known":  {want: "does not know it", change: func(l *ledger, e *entry, _ *queue.Details) { l.jobs = nil; e.acked, e.abandoned = 0, true }},
		"twice":            {want: "TWICE", change: func(_ *ledger, e *entry, _ *queue.Details) { e.arrived["a@example.net"]++ }},
		"thrice, 1 doubt":  {want: "TWICE", change: func(_ *ledger, e *entry, j *queue.Details) { e.arrived["a@example.net"] += 2; loseFirst(j) }},
		"twice with never": {policy: queue.Never, want: "TWICE", change: func(_ *ledger, e *entry, j *queue.Details) { e.arrived["a@example.net"]++; loseFirst(j) }},
		"twice with hold":  {policy: queue.Hold, want: "TWICE", change: func(_ *ledger, e *entry, j *queue.Details) { e.arrived["a@example.net"]++; loseFirst(j) }},
		"queued for ever":  {want: "queued in the end", change: func(_ *ledger, _ *entry, j *queue.Details) { j.State = queue.Queued }},
		"held for nothing": {want: "held in the end", change: func(_ *ledger, _ *entry, j *queue.Details) { j.State = queue.Held }},
		"cancelled, sent":  {want: "it was cancelled, and is sent", change: func(_ *ledger, e *entry, _ *queue.Details) { e.cancelled = true }},
		"cancelled, come": {want: "said to be cancelled", change: func(_ *ledger, e *entry, j *queue.Details) {
			e.cancelled = true
			j.State = queue.Cancelled
			for i := range j.Recipients {
				j.Recipients[i].State = queue.Cancelled
			}
		}},
		"failed, come": {want: "said to be failed", change: func(_ *ledger, _ *entry, j *queue.Details) {
			j.State, j.Recipients[1].State = queue.Failed, queue.Failed
		}},
		"unanswered": {want: "does not say that this is unknown", change: func(l *ledger, e *entry, _ *queue.Details) { l.leaveUnanswered(e.letter.MessageID()) }},
		"two jobs": {want: "queued twice", change: func(l *ledger, _ *entry, j *queue.Details) {
			again := *j
			again.ID++
			l.jobs = append(l.jobs, again)
		}},
		"two receipts": {want: "then as job 8", change: func(l *ledger, _ *entry, _ *queue.Details) { l.note(task.Event{What: task.Queued, Key: "1", ID: 8}) }},
		"another job":  {want: "is job 9", change: func(_ *ledger, _ *entry, j *queue.Details) { j.ID = 9 }},
		"half of it":   {want: "octets, not", change: func(_ *ledger, _ *entry, j *queue.Details) { j.Size-- }},
		"half of them": {want: "remembers something else", change: func(_ *ledger, _ *entry, j *queue.Details) { j.Recipients = j.Recipients[:1] }},
		"spoilt":       {want: "spoilt", change: func(l *ledger, e *entry, _ *queue.Details) { l.arrive(&smtptest.Message{ID: e.letter.MessageID()}) }},
		"foreign":      {want: "nobody has written", change: func(l *ledger, _ *entry, _ *queue.Details) { l.arrive(&smtptest.Message{ID: "<x@y>"}) }},
		"elsewhere":    {want: "none of its recipients", change: func(_ *ledger, e *entry, _ *queue.Details) { e.arrived["eve@example.org"]++ }},
		"miscounted":   {want: "it counts 2", change: func(_ *ledger, _ *entry, j *queue.Details) { j.Attempts++ }},
		"a gap":        {want: "has the number 3", change: func(_ *ledger, _ *entry, j *queue.Details) { j.History[0].Number = 3 }},
		"ended twice": {want: "ends it 2 times", change: func(_ *ledger, _ *entry, j *queue.Details) {
			j.History = append(j.History, j.History[0])
			j.History[1].Number, j.Attempts = 2, 2
		}},
		"unmarked":        {want: "its mark of doubt is false", change: func(_ *ledger, _ *entry, j *queue.Details) { loseFirst(j); j.Doubt = false }},
		"a finding":       {want: "the check found: x", change: func(l *ledger, _ *entry, _ *queue.Details) { l.note(task.Event{What: task.Found, Finding: "x"}) }},
		"no receipt ever": {want: "never acknowledged", change: func(_ *ledger, e *entry, _ *queue.Details) { e.acked = 0 }},
	} {
		l, e, j := sound(c.policy)
		c.change(l, e, j)
		_, violations := l.judge()
		if !strings.Contains(strings.Join(violations, "\n"), c.want) {
			t.Errorf("%s: want %q, got %q", name, c.want, violations)
		}
	}
}

// The same seed makes the same plan, and every point has its turn.
func TestPlan(t *testing.T) {
	t.Parallel()
	points := append([]point{codePoint("put.before"), codePoint("migrate.middle")}, otherPoints...)
	seen := map[string]bool{}
	for seed := range uint64(len(points)) {
		first, second := newRun(seed, "", programs{}, points, 10), newRun(seed, "", programs{}, points, 10)
		if first.planned != second.planned || first.letters[9].Key != second.letters[9].Key || first.letters[9].Size != second.letters[9].Size {
			t.Errorf("seed %d: %s, then %s", seed, first.planned, second.planned)
		}
		seen[first.first] = true
	}
	if len(seen) != len(points) {
		t.Errorf("%d of %d points have a turn", len(seen), len(points))
	}
}
