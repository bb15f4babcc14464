package memory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// record is all that is kept of a job.
type record struct {
	job     queue.Job
	history []queue.Entry
	body    *body // nil: it is gone
	key     key   // where it was put; zero: it has none
	print   []byte
	nonce   uint64 // of the token that stands; 0: none does
	begun   bool
	gone    bool // forgotten
	place   node // by state: of its lane, or of finished jobs
	limit   node // of expiring or spent
}

// body is the octets that records share.
type body struct {
	octets []byte
	refs   int
}

// lane is the jobs of one account.
type lane struct {
	queued [queue.Ranks]tree // by when they are due
	count  [queue.Cancelled + 1]int
	paused time.Time
	reason string
}

// lane finds a lane, or makes it.
func (s *Store) lane(name string) *lane {
	l := s.lanes[name]
	if l == nil {
		l = &lane{}
		s.lanes[name] = l
	}
	return l
}

// tidy forgets a lane that has neither jobs nor a pause.
func (s *Store) tidy(name string) {
	if l := s.lanes[name]; l != nil && l.paused.IsZero() && l.count == [len(l.count)]int{} {
		delete(s.lanes, name)
	}
}

// heads are when the jobs in front of each rank are due.
func (l *lane) heads() (due [queue.Ranks]time.Time) {
	for rank := range l.queued {
		due[rank] = l.queued[rank].head()
	}
	return due
}

// next is when the next job is due, of all ranks.
func (l *lane) next() (next time.Time) {
	for _, due := range l.heads() {
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}

// change does a transition, after which no token stands. Its entry is written down
// if it has a kind.
func (s *Store) change(r *record, transition func(*queue.Job) queue.Entry) {
	from := r.job.Lane
	s.takeOut(r)
	r.note(transition(&r.job))
	s.putIn(r)
	s.tidy(from)
	if r.job.State == queue.Queued {
		s.changed[r.job.Lane] = true
	}
}

func (r *record) note(e queue.Entry) {
	if e.Kind != 0 {
		e.Number = len(r.history) + 1
		r.history = append(r.history, e)
	}
}

// takeOut takes a record from wherever its state had put it.
func (s *Store) takeOut(r *record) {
	r.place.remove()
	r.limit.remove()
	r.nonce, r.begun = 0, false
	delete(s.active, r.job.ID)
	s.lane(r.job.Lane).count[r.job.State]--
}

// putIn puts a record where its state wants it to be.
func (s *Store) putIn(r *record) {
	j := &r.job
	l := s.lane(j.Lane)
	l.count[j.State]++
	switch {
	case j.State == queue.Queued:
		l.queued[j.Priority.Rank()].add(&r.place, r, j.Due)
	case j.State == queue.Active:
		s.active[j.ID] = r
	case j.State == queue.Sent:
		s.sent.add(&r.place, r, j.Ended)
		if r.body != nil {
			s.spent.add(&r.limit, r, j.Ended)
		}
	case j.State.Finished():
		s.failed.add(&r.place, r, j.Ended)
	}
	if (j.State == queue.Queued || j.State == queue.Held) && !j.Expires.IsZero() {
		s.expiring.add(&r.limit, r, j.Expires)
	}
}

// create keeps a new job, under the next ID.
func (s *Store) create(r *record) queue.ID {
	s.last++
	r.job.ID = s.last
	s.jobs[r.job.ID] = r
	s.order = append(s.order, r)
	if r.key.key != "" {
		s.keys[r.key] = r
	}
	r.body.refs++
	s.putIn(r)
	s.changed[r.job.Lane] = true
	return r.job.ID
}

// standing is the record whose token this is; nil if it does not stand.
func (s *Store) standing(t queue.Token) *record {
	if r := s.active[t.ID]; r != nil && r.nonce == t.Nonce && t.Nonce != 0 {
		return r
	}
	return nil
}

func byID(records map[queue.ID]*record) []*record {
	return slices.SortedFunc(maps.Values(records), func(a, b *record) int { return cmp.Compare(a.job.ID, b.job.ID) })
}

// clone is a job that shares nothing with the other.
func clone(j *queue.Job) queue.Job {
	c := *j
	c.Recipients, c.Tags, c.Backoff = slices.Clone(j.Recipients), slices.Clone(j.Tags), slices.Clone(j.Backoff)
	return c
}

func cloneEntry(e queue.Entry) queue.Entry {
	if e.Attempt != nil {
		a := *e.Attempt
		a.Recipients = slices.Clone(a.Recipients)
		e.Attempt = &a
	}
	return e
}
