package delivery

import (
	"container/heap"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// lane is what is known of a lane. runner.mu guards it.
type lane struct {
	name string

	hot   bool // it stands in runner.hot
	probe bool // the store may have more than it said

	next, urgent time.Time // when a job, and an urgent one, is due as far as is known; zero: there is none
	paused       bool
	stopped      bool // nothing can be sent until somebody acts
	turn         uint64

	claims, answered uint64 // how many were begun, and the latest of those that ended

	asked     int // jobs that are being claimed, at most
	flight    int // jobs claimed whose outcome is not known
	urgents   int // those of them that are urgent
	depth     int // how many are claimed for each connection
	claimedAt time.Time
	vain      int       // jobs given back in a row, as nothing could be sent
	notBefore time.Time // because of that
	wake      time.Time // when to look again; zero: when something happens
	index     int       // in runner.sleeping, if wake is set

	// stuck are jobs that were given back until somebody acts, and not tried since.
	stuck map[queue.ID]struct{}

	// The loop's own.
	outlet Outlet
	found  time.Time
}

// How far ahead a lane claims, for each connection: one message on its way and one
// behind it; more if the connections run dry while jobs wait.
const (
	shallowest = 2
	deepest    = 8
	// quick is the time between two claims of a lane that goes fast, slow that of one
	// that does not.
	quick, slow = 50 * time.Millisecond, time.Second
)

// due reports whether there may be something to claim, and whether an urgent job
// may be among it.
func (l *lane) due(now time.Time) (any, urgent bool) {
	urgent = l.probe || !l.urgent.IsZero() && !l.urgent.After(now)
	return urgent || !l.next.IsZero() && !l.next.After(now), urgent
}

// empty: there is nothing that could be sent.
func (l *lane) empty() bool {
	return l.flight+l.asked == 0 && !l.hot && (l.stopped || !l.probe && (l.next.IsZero() || l.paused))
}

// deepen claims further ahead if the connections have run dry since the last claim.
func (l *lane) deepen(now time.Time, connections int) {
	since := now.Sub(l.claimedAt)
	switch {
	case l.depth == 0 || since > slow:
		l.depth = shallowest
	case since < quick && l.flight+l.asked <= connections*l.depth/2:
		l.depth = min(l.depth*2, deepest)
	}
}

// heatLocked has the lane looked at.
func (r *runner) heatLocked(l *lane) {
	if l.hot {
		return
	}
	l.hot = true
	r.hot = append(r.hot, l)
	r.kick()
}

func (r *runner) kick() {
	select {
	case r.kicked <- struct{}{}:
	default:
	}
}

func (r *runner) laneLocked(name string) *lane {
	l := r.lanes[name]
	if l == nil {
		l = &lane{name: name, index: -1}
		r.lanes[name] = l
	}
	return l
}

// sleepLocked has the lane looked at again at that time, or earlier.
func (r *runner) sleepLocked(l *lane, until time.Time) {
	switch {
	case until.IsZero(), !l.wake.IsZero() && !until.Before(l.wake):
		return
	case l.index >= 0:
		l.wake = until
		heap.Fix(&r.sleeping, l.index)
	default:
		l.wake = until
		heap.Push(&r.sleeping, l)
	}
}

// wakeLocked heats the lanes whose time has come.
func (r *runner) wakeLocked(now time.Time) {
	for len(r.sleeping) > 0 && !r.sleeping[0].wake.After(now) {
		l := heap.Pop(&r.sleeping).(*lane)
		l.wake = time.Time{}
		r.heatLocked(l)
	}
}

// sleepers are lanes by the time at which they are looked at again.
type sleepers []*lane

func (s sleepers) Len() int           { return len(s) }
func (s sleepers) Less(i, j int) bool { return s[i].wake.Before(s[j].wake) }
func (s sleepers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push is heap.Interface's.
func (s *sleepers) Push(x any) {
	l := x.(*lane)
	l.index = len(*s)
	*s = append(*s, l)
}

// Pop is heap.Interface's.
func (s *sleepers) Pop() any {
	last := len(*s) - 1
	l := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	l.index = -1
	return l
}
