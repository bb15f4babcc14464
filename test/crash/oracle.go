package main

import (
	"fmt"
	"slices"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/test/crash/task"
)

// tally counts what became of letters.
type tally struct {
	letters, acked                            int
	sent, failed, expired, cancelled, inDoubt int
	doubled                                   int // arrived more than once, as the queue knows
	unknown                                   int // outcomes that nobody knows
	lost                                      int // of durability memory
	byFirst, byNext                           int // letters of a chain, by the account that sent them
}

// judge compares what was acknowledged, what the queue remembers, and what arrived.
func (l *ledger) judge() (t tally, violations []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wrong := func(format string, a ...any) { violations = append(violations, fmt.Sprintf(format, a...)) }
	for _, finding := range l.findings {
		wrong("the check found: %s", finding)
	}
	for _, foreign := range l.foreign {
		wrong("%s", foreign)
	}
	jobs := map[string]*queue.Details{}
	for i := range l.jobs {
		j := &l.jobs[i]
		switch e := l.find(j.MessageID); {
		case e == nil:
			wrong("job %s has the Message-ID %q, which nobody has written", j.ID, j.MessageID)
		case jobs[e.letter.Key] != nil:
			wrong("%s is queued twice: as job %s and as job %s", e.letter.Key, jobs[e.letter.Key].ID, j.ID)
		default:
			jobs[e.letter.Key] = j
		}
	}
	t.letters = len(l.entries)
	for key, e := range l.entries {
		v := verdict{entry: e, job: jobs[key]}
		v.judge(&t)
		for _, complaint := range v.wrong {
			wrong("%s (%s, %s): %s", key, e.letter.Unknown, e.letter.Durability, complaint)
		}
	}
	slices.Sort(violations)
	return t, violations
}

// verdict is about one letter.
type verdict struct {
	*entry
	job   *queue.Details // nil: the queue does not know it
	wrong []string
}

func (v *verdict) complain(format string, a ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, a...))
}

func (v *verdict) judge(t *tally) {
	if v.acked != 0 {
		t.acked++
	} else if !v.abandoned {
		v.complain("it was never acknowledged: %s", v.refused)
	}
	if v.spoilt != "" {
		v.complain("it arrived spoilt: %s", v.spoilt)
	}
	for to := range v.arrived {
		if !slices.Contains(v.letter.To, to) {
			v.complain("it arrived at %s, which is none of its recipients", to)
		}
	}
	if v.job == nil {
		v.judgeLost(t)
		return
	}
	v.judgeRecord()
	doubts := v.judgeHistory()
	t.unknown += doubts
	v.judgeState(t)
	v.judgeArrivals(t, doubts)
	v.judgeChain(t)
}

// judgeChain: what arrived is where the history says, and at one account only, unless
// a crash has left nobody who knows which one had it.
func (v *verdict) judgeChain(t *tally) {
	v.judgeDoubt()
	first, next, crashes := map[string]bool{}, map[string]bool{}, 0
	for i := range v.job.History {
		e := &v.job.History[i]
		switch {
		case e.Kind == queue.Lost:
			crashes++
		case e.Attempt == nil || v.letter.Account != task.Chain:
		case e.Attempt.Account == task.Shaky:
			v.mayHave(e.Attempt, first)
		default:
			v.mayHave(e.Attempt, next)
		}
	}
	shaky, other := false, false
	for to, n := range v.arrived {
		here, there := v.shaky[to], n-v.shaky[to]
		shaky, other = shaky || here > 0, other || there > 0
		switch {
		case here > 0 && v.letter.Account != task.Chain:
			v.complain("%s got it from another account", to)
		case crashes > 0:
		case here > 0 && there > 0:
			v.complain("TWICE: %s got it from two accounts, and no crash made anybody unsure", to)
		case v.letter.Account == task.Chain && (here > 0 && !first[to] || there > 0 && !next[to]):
			v.complain("%s got it (%d, %d), and the history names another account", to, here, there)
		}
	}
	if v.letter.Account == task.Chain {
		t.byFirst += one(shaky)
		t.byNext += one(other)
	}
}

// judgeDoubt: what an account may have sent is given to no other one.
func (v *verdict) judgeDoubt() {
	in := ""
	for i := range v.job.History {
		a := v.job.History[i].Attempt
		switch {
		case a == nil:
		case in != "" && a.Account != in && v.letter.Unknown != queue.Never:
			v.complain("%s may have sent it, and %s was given it", in, a.Account)
		case isUnknown(a):
			in = a.Account
		}
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// mayHave notes who may have got it by this try.
func (v *verdict) mayHave(a *queue.Attempt, who map[string]bool) {
	for _, to := range v.letter.To {
		i := slices.IndexFunc(a.Recipients, func(r smtp.RecipientResult) bool { return r.Address == to })
		outcome := a.Outcome
		if i >= 0 {
			outcome = a.Recipients[i].Outcome
		}
		if outcome == smtp.Accepted || outcome == smtp.Unknown {
			who[to] = true
		}
	}
}

// judgeLost is about a letter that the queue does not know.
func (v *verdict) judgeLost(t *tally) {
	switch {
	case len(v.arrived) > 0:
		v.complain("it arrived, and the queue does not know it")
	case v.acked != 0 && v.letter.Durability == queue.Memory:
		t.lost++
	case v.acked != 0:
		v.complain("LOST: it was acknowledged as job %s, and the queue does not know it", v.acked)
	}
}

// judgeRecord: a job is there as it was put, or not at all.
func (v *verdict) judgeRecord() {
	j, l := v.job, &v.letter
	if v.acked != 0 && v.acked != j.ID {
		v.complain("it was acknowledged as job %s, and is job %s", v.acked, j.ID)
	}
	addresses := make([]string, len(j.Recipients))
	for i := range j.Recipients {
		addresses[i] = j.Recipients[i].Address
	}
	if j.Lane != l.Account || j.Unknown != l.Unknown || j.Key != l.JobKey() || j.MessageID != l.MessageID() || !slices.Equal(addresses, l.To) || j.Durability != l.Durability {
		v.complain("the queue remembers something else: %s, %s, %s, to %q", j.Lane, j.Unknown, j.MessageID, addresses)
	}
	if octets := int64(len(l.Octets())); j.Size != octets {
		v.complain("its body has %d octets, not %d", j.Size, octets)
	}
}

// judgeHistory returns how many tries have an outcome that nobody knows.
func (v *verdict) judgeHistory() (doubts int) {
	attempts, ends, late := 0, 0, 0
	for i, e := range v.job.History {
		if e.Number != i+1 {
			v.complain("line %d of its history has the number %d", i+1, e.Number)
		}
		if e.State.Finished() {
			ends++
		}
		switch {
		case e.Kind == queue.Lost:
			attempts++
			doubts++
		case e.Attempt == nil:
		case e.Kind == queue.Tried:
			attempts++
			if isUnknown(e.Attempt) {
				doubts++
			}
		case isUnknown(e.Attempt):
			late++
		}
	}
	if attempts != v.job.Attempts {
		v.complain("its history has %d attempts, and it counts %d", attempts, v.job.Attempts)
	}
	if want := v.job.State.Finished(); want != (ends == 1) {
		v.complain("it is %s, and its history ends it %d times", v.job.State, ends)
	}
	if doubts > 0 != v.job.Doubt {
		v.complain("its history has %d unknown outcomes, and its mark of doubt is %t", doubts, v.job.Doubt)
	}
	if v.unanswered && doubts == 0 {
		v.complain("the process was killed when the server had all of it and had not replied, and its history does not say that this is unknown")
	}
	return doubts + late
}

func isUnknown(a *queue.Attempt) bool {
	return a.Outcome == smtp.Unknown || slices.ContainsFunc(a.Recipients, func(r smtp.RecipientResult) bool { return r.Outcome == smtp.Unknown })
}

// judgeState: every job has ended, in one way.
func (v *verdict) judgeState(t *tally) {
	j := v.job
	switch {
	case j.State == queue.Held && j.Doubt && j.Unknown == queue.Hold:
		t.inDoubt++
	case j.State == queue.Sent:
		t.sent++
	case j.State == queue.Failed:
		t.failed++
	case j.State == queue.Expired:
		t.expired++
	case j.State == queue.Cancelled:
		t.cancelled++
	default:
		v.complain("it is %s in the end (doubt %t): %s", j.State, j.Doubt, j.Reason)
	}
	if v.cancelled && j.State != queue.Cancelled {
		v.complain("it was cancelled, and is %s", j.State)
	}
	if j.State.Finished() {
		v.judgeRecipients()
	}
}

// judgeRecipients: all are finished when the job is, and one has the job's state, all
// if that is Sent.
func (v *verdict) judgeRecipients() {
	same := 0
	for i := range v.job.Recipients {
		r := &v.job.Recipients[i]
		if r.State == v.job.State {
			same++
		}
		if !r.State.Finished() {
			v.complain("it is %s, and %s is %s", v.job.State, r.Address, r.State)
		}
	}
	if same == 0 || v.job.State == queue.Sent && same < len(v.job.Recipients) {
		v.complain("it is %s, and %d of its recipients are", v.job.State, same)
	}
}

// judgeArrivals: what is called sent has arrived; what has arrived more than once,
// or is not called sent, was in doubt.
func (v *verdict) judgeArrivals(t *tally, doubts int) {
	most := 0
	for i := range v.job.Recipients {
		r := &v.job.Recipients[i]
		n := v.arrived[r.Address]
		most = max(most, n)
		switch {
		case r.State == queue.Sent && n == 0:
			v.complain("LOST: %s is said to have got it, and has not", r.Address)
		case r.State != queue.Sent && n > doubts:
			v.complain("%s got it %d times, is said to be %s, and %d outcomes are unknown", r.Address, n, r.State, doubts)
		case r.State == queue.Sent && n > 1+doubts:
			v.complain("TWICE: %s got it %d times, and %d outcomes are unknown", r.Address, n, doubts)
		case n > 1 && v.letter.Unknown != queue.Retry:
			v.complain("TWICE: %s got it %d times", r.Address, n)
		}
	}
	if most > 1 {
		t.doubled++
	}
}
