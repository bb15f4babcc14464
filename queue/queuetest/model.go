package queuetest

import (
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// model is a store as plain as can be: a slice, searched from end to end. It uses
// none of the transitions of package queue, so that an error in them shows.
type model struct {
	jobs   []*known // by ID; those that are forgotten are taken out
	paused map[string]pause
	// must and may are lanes that the next Changes has to name, and those it can.
	must, may map[string]bool
}

type pause struct {
	since  time.Time
	reason string
}

// known is what the model knows of a job.
type known struct {
	job     queue.Job
	body    string
	putLane string // where its key holds
	token   queue.Token
	begun   bool
	spent   bool // its body may be gone
	history []queue.Entry
}

// someReason stands for a reason in words that nobody can foresee.
const someReason = "*"

func newModel() *model {
	return &model{paused: map[string]pause{}, must: map[string]bool{}, may: map[string]bool{}}
}

func (m *model) find(id queue.ID) *known {
	for _, k := range m.jobs {
		if k.job.ID == id {
			return k
		}
	}
	return nil
}

// standing is the job whose token this is.
func (m *model) standing(t queue.Token) *known {
	if k := m.find(t.ID); k != nil && k.job.State == queue.Active && k.token == t {
		return k
	}
	return nil
}

// keyed is the job that was put with a key.
func (m *model) keyed(lane, key string) *known {
	for _, k := range m.jobs {
		if key != "" && k.job.Key == key && k.putLane == lane {
			return k
		}
	}
	return nil
}

func (m *model) put(now time.Time, id queue.ID, s *queue.Submission, body string) {
	j := s.Job
	j.ID, j.State, j.Size, j.Created = id, queue.Queued, int64(len(body)), now
	if j.Due.IsZero() || j.Due.Before(now) {
		j.Due = now
	}
	j.Recipients = slices.Clone(j.Recipients)
	m.add(&known{job: j, body: body, putLane: j.Lane})
	m.touch(j.Lane, true)
}

// add keeps jobs in the order of IDs; those of two processes do not grow together.
func (m *model) add(k *known) {
	at := len(m.jobs)
	for at > 0 && m.jobs[at-1].job.ID > k.job.ID {
		at--
	}
	m.jobs = slices.Insert(m.jobs, at, k)
}

func (m *model) touch(lane string, must bool) {
	m.may[lane] = true
	if must {
		m.must[lane] = true
	}
}

// became notes what a job is now, and a line of its history.
func (m *model) became(k *known, now time.Time, state queue.State, kind queue.Kind, attempt *queue.Attempt) {
	k.job.State, k.begun, k.token = state, false, queue.Token{}
	if state.Finished() {
		k.job.Ended = now
	}
	m.touch(k.job.Lane, state == queue.Queued)
	if kind != 0 {
		k.history = append(k.history, queue.Entry{Number: len(k.history) + 1, At: now, Kind: kind, State: state, Attempt: attempt})
	}
}

func (k *known) openTo(state queue.State) {
	for i := range k.job.Recipients {
		if r := &k.job.Recipients[i]; r.State == queue.Queued {
			r.State = state
		}
	}
}

func (k *known) over(now time.Time) bool {
	return !k.job.Expires.IsZero() && !now.Before(k.job.Expires)
}

func (m *model) expire(k *known, now time.Time) {
	k.openTo(queue.Expired)
	m.became(k, now, queue.Expired, queue.DidExpire, nil)
}

// queued are the waiting jobs of a lane.
func (m *model) queued(lane string) (found []*known) {
	for _, k := range m.jobs {
		if k.job.Lane == lane && k.job.State == queue.Queued {
			found = append(found, k)
		}
	}
	return found
}

// turn is the job that goes next.
func (m *model) turn(lane string, now time.Time, turn uint64) (next *known) {
	var aged *known
	for _, k := range m.queued(lane) {
		if k.job.Due.After(now) {
			continue
		}
		if next == nil || goesBefore(&k.job, &next.job) {
			next = k
		}
		old := now.Sub(k.job.Due) >= queue.AgedAfter && (k.job.Priority == queue.Normal || k.job.Priority == queue.Bulk)
		if old && (aged == nil || k.job.Due.Before(aged.job.Due) || k.job.Due.Equal(aged.job.Due) && goesBefore(&k.job, &aged.job)) {
			aged = k
		}
	}
	if turn%4 == 3 && aged != nil && next.job.Priority != queue.Urgent {
		return aged
	}
	return next
}

var places = map[queue.Priority]int{queue.Urgent: 1, queue.High: 2, queue.Normal: 3, queue.Bulk: 4}

func goesBefore(a, b *queue.Job) bool {
	switch {
	case places[a.Priority] != places[b.Priority]:
		return places[a.Priority] < places[b.Priority]
	case !a.Due.Equal(b.Due):
		return a.Due.Before(b.Due)
	}
	return a.ID < b.ID
}

// next is when the next job of a lane is due; if only, when the next urgent one is.
func (m *model) next(lane string, only bool) (at time.Time) {
	for _, k := range m.queued(lane) {
		if (!only || k.job.Priority == queue.Urgent) && (at.IsZero() || k.job.Due.Before(at)) {
			at = k.job.Due
		}
	}
	return at
}

func (m *model) ahead(k *known, now time.Time) (n int) {
	by := k.job.Due
	if by.Before(now) {
		by = now
	}
	for _, other := range m.jobs {
		o := &other.job
		switch {
		case k.job.State != queue.Queued || o.Lane != k.job.Lane:
		case o.State == queue.Active:
			n++
		case o.State != queue.Queued || o.ID == k.job.ID:
		case o.Priority == k.job.Priority && goesBefore(o, &k.job), places[o.Priority] < places[k.job.Priority] && !o.Due.After(by):
			n++
		}
	}
	return n
}

func (m *model) begin(t queue.Token, now time.Time) error {
	k := m.standing(t)
	switch {
	case k == nil:
		return queue.ErrStale
	case k.over(now) && !k.begun:
		m.expire(k, now)
		return queue.ErrExpired
	}
	k.begun = true
	return nil
}

func (m *model) settle(s *queue.Settlement, now time.Time) error {
	k := m.standing(s.Token)
	if k == nil {
		if k := m.find(s.Token.ID); k != nil {
			k.history = append(k.history, queue.Entry{Number: len(k.history) + 1, At: now, Kind: queue.Late, Attempt: s.Attempt})
		}
		return queue.ErrStale
	}
	j := &k.job
	j.Reason = s.Reason
	if s.Recipients != nil {
		j.Recipients = slices.Clone(s.Recipients)
	} else if s.State == queue.Sent {
		for i := range j.Recipients {
			if r := &j.Recipients[i]; r.State == queue.Queued {
				*r = queue.Recipient{Recipient: r.Recipient, State: queue.Sent, Outcome: smtp.Accepted, Reply: s.Attempt.Reply}
			}
		}
	}
	if s.State == queue.Queued && !s.Due.IsZero() {
		j.Due = s.Due
	}
	kind := queue.Tried
	if s.Attempt == nil {
		kind = 0
	} else {
		j.Attempts++
		j.Doubt = j.Doubt || s.Attempt.Outcome == smtp.Unknown
		if s.Attempt.Reply.Code != 0 {
			j.Last = s.Attempt.Reply
		}
	}
	m.became(k, now, s.State, kind, s.Attempt)
	return nil
}

// restart settles what was active.
func (m *model) restart(now time.Time) (requeued int, unknown []queue.ID) {
	for _, k := range m.jobs {
		m.touch(k.job.Lane, k.job.State == queue.Queued)
		switch {
		case k.job.State != queue.Active:
			continue
		case !k.begun:
			requeued++
			m.became(k, now, queue.Queued, queue.Interrupted, nil)
			continue
		}
		unknown = append(unknown, k.job.ID)
		for i := range k.job.Recipients {
			if r := &k.job.Recipients[i]; r.State == queue.Queued {
				r.Outcome = smtp.Unknown
			}
		}
		k.job.Attempts++
		k.job.Doubt = true
		m.lost(k, now)
	}
	for lane := range m.paused {
		m.touch(lane, true)
	}
	return requeued, unknown
}

func (m *model) lost(k *known, now time.Time) {
	switch k.job.Unknown {
	case queue.Retry:
		k.job.Due, k.job.Reason = now, ""
		m.became(k, now, queue.Queued, queue.Lost, nil)
	case queue.Hold:
		k.job.Reason = someReason
		m.became(k, now, queue.Held, queue.Lost, nil)
	case queue.Never:
		k.job.Reason = someReason
		k.openTo(queue.Failed)
		m.became(k, now, queue.Failed, queue.Lost, nil)
	}
}

// control does what a command wants to one job; repeat says that a new one is to
// be made of it.
func (m *model) control(k *known, c *queue.Command, now time.Time) (repeat bool, err error) {
	j := &k.job
	finished := j.State == queue.Sent || j.State == queue.Failed || j.State == queue.Expired || j.State == queue.Cancelled
	switch {
	case k.begun:
		return false, queue.ErrTooLate
	case finished && c.Action == queue.DoRetry:
		if !slices.ContainsFunc(j.Recipients, func(r queue.Recipient) bool { return r.State != queue.Sent }) {
			return false, queue.ErrAllSent
		}
		k.history = append(k.history, queue.Entry{Number: len(k.history) + 1, At: now, Kind: queue.WasSentAgain})
		return true, nil
	case finished:
		return false, queue.ErrFinished
	case c.Action == queue.DoRelease && j.State != queue.Held:
		return false, queue.ErrNotHeld
	}
	waits := queue.Queued
	if j.State == queue.Held {
		waits = queue.Held
	}
	switch c.Action {
	case queue.DoCancel:
		j.Reason = c.Reason
		k.openTo(queue.Cancelled)
		m.became(k, now, queue.Cancelled, queue.DidCancel, nil)
	case queue.DoRetry:
		j.Reason, j.Due = "", now
		m.became(k, now, queue.Queued, queue.DidRetry, nil)
	case queue.DoHold:
		j.Reason = c.Reason
		m.became(k, now, queue.Held, queue.DidHold, nil)
	case queue.DoRelease:
		j.Reason = ""
		m.became(k, now, queue.Queued, queue.DidRelease, nil)
	case queue.DoReorder:
		j.Priority = c.Priority
		m.became(k, now, waits, queue.DidReorder, nil)
		k.history[len(k.history)-1].State = 0
	case queue.DoMove:
		m.touch(j.Lane, false)
		j.Lane = c.Lane
		m.became(k, now, waits, queue.DidMove, nil)
		k.history[len(k.history)-1].State = 0
	}
	return false, nil
}

// repeat is the job that a finished one is repeated by.
func (m *model) repeat(k *known, id queue.ID, now time.Time) {
	again := known{job: k.job, body: k.body}
	j := &again.job
	j.ID, j.Again, j.State, j.Key, j.Attempts, j.Doubt, j.Reason = id, k.job.ID, queue.Queued, "", 0, false, ""
	j.Last, j.Ended, j.Created, j.Due, j.Recipients = smtp.Reply{}, time.Time{}, now, now, nil
	if !j.Expires.IsZero() {
		j.Expires = now.Add(k.job.Expires.Sub(k.job.Created))
	}
	for _, r := range k.job.Recipients {
		if r.State != queue.Sent {
			j.Recipients = append(j.Recipients, queue.Recipient{Recipient: r.Recipient, State: queue.Queued})
		}
	}
	m.add(&again)
	m.touch(j.Lane, true)
}

// matches chooses as a filter does.
func (k *known) matches(f *queue.Filter) bool {
	j := &k.job
	address := f.Recipient == ""
	for _, r := range j.Recipients {
		address = address || strings.Contains(r.Address, f.Recipient)
	}
	return address && (len(f.States) == 0 || slices.Contains(f.States, j.State)) && (f.Lane == "" || f.Lane == j.Lane) &&
		(f.Key == "" || f.Key == j.Key) && (f.Tag == "" || slices.Contains(j.Tags, f.Tag)) && (!f.Doubt || j.Doubt) &&
		(f.Since.IsZero() || !j.Created.Before(f.Since)) && (f.Until.IsZero() || j.Created.Before(f.Until))
}

// purge forgets, and counts the jobs it forgot.
func (m *model) purge(r queue.Retention, now time.Time) (n int) {
	m.jobs = slices.DeleteFunc(m.jobs, func(k *known) bool {
		age := now.Sub(k.job.Ended)
		old := k.job.State >= queue.Sent && (k.job.State == queue.Sent && age >= r.Sent || k.job.State != queue.Sent && age >= r.Failed)
		if old {
			n++
			m.touch(k.job.Lane, false)
		}
		k.spent = k.spent || k.job.State == queue.Sent && age >= r.SentBodies
		return old
	})
	return n
}
