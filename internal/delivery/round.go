package delivery

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

const (
	// lanesAtOnce bounds a claim, so that a crowd of lanes does not keep the store
	// from others, and each lane comes to its turn.
	lanesAtOnce = 256
	// claimsAtOnce: while one claim is being committed, what has become free since
	// goes into the next commit.
	claimsAtOnce = 2
	// unsettledMost is how many outcomes may wait to be stored before nothing more is
	// claimed.
	unsettledMost = 2000
	// askAgain is when an outlet without room is asked again if nothing of its lane
	// is on its way: others may be using it.
	askAgain = 50 * time.Millisecond
	// noOutlet is when a lane without an outlet is looked at again.
	noOutlet = 2 * time.Second
	// sameOutlet is how long an outlet is used before it is found anew.
	sameOutlet = 100 * time.Millisecond
)

// wanted is a lane with what is wanted of it.
type wanted struct {
	lane   *lane
	number uint64 // of the lane's claims, from 1
	outlet Outlet
	want   queue.Want
}

// most is how many jobs it may get.
func (w *wanted) most() int { return w.want.Count + w.want.Urgent }

// round has jobs claimed for the lanes that are hot, and reports whether there may
// be more to do at once.
func (r *runner) round(ctx context.Context) (more bool) {
	select {
	case r.claims <- struct{}{}:
	default:
		r.wake(time.Now()) // or the loop would not sleep
		return false       // the first claim to end kicks
	}
	var wants []wanted
	lanes := r.takeHot(time.Now())
	for _, l := range lanes {
		if w, ok := r.want(ctx, l); ok {
			wants = append(wants, w)
		}
	}
	if len(wants) == 0 {
		<-r.claims
	} else {
		r.claimed.Go(func() {
			r.claim(ctx, wants)
			<-r.claims
			r.kick()
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(lanes) > 0 && len(r.hot) > 0
}

func (r *runner) wake(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wakeLocked(now)
}

// takeHot takes lanes to look at, in the order in which they became hot; none
// while the store is not to be asked.
func (r *runner) takeHot(now time.Time) []*lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wakeLocked(now)
	if now.Before(r.retryAt) || r.settles.waiting() > unsettledMost {
		return nil
	}
	lanes := r.hot
	r.hot = nil
	if n := lanesAtOnce; len(lanes) > n {
		r.hot = append(r.hot, lanes[n:]...)
		lanes = lanes[:n:n]
	}
	for _, l := range lanes {
		l.hot = false
	}
	return lanes
}

// want asks the lane's outlet how many jobs are of use.
func (r *runner) want(ctx context.Context, l *lane) (wanted, bool) {
	now := time.Now()
	r.mu.Lock()
	any, urgent := l.due(now)
	if !any || l.paused && !l.probe || now.Before(l.notBefore) {
		r.restLocked(l, now)
		r.mu.Unlock()
		return wanted{}, false
	}
	depth, own := max(l.depth, shallowest), l.flight+l.asked
	r.mu.Unlock()
	outlet, err := r.outlet(ctx, l, now)
	room := Room{Err: err, Stopped: true, Again: now.Add(noOutlet)}
	if err == nil {
		room = outlet.Room(depth, own)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l.stopped = room.Err != nil && room.Stopped
	w := wanted{l, l.claims + 1, outlet, queue.Want{Lane: l.name, Count: room.Messages, Turn: l.turn + uint64(l.asked)}}
	if room.Err == nil && urgent && w.want.Count == 0 {
		w.want.Urgent = max(room.Connections-l.urgents, 0)
	}
	if room.Err != nil || w.most() == 0 {
		r.noRoomLocked(l, room, now)
		return wanted{}, false
	}
	l.deepen(now, room.Connections)
	w.want.Begin = room.Slots && l.depth > shallowest
	l.probe = false // what comes from now on sets it again
	l.claims++
	l.asked += w.most()
	return w, true
}

// outlet finds the way out of a lane, or remembers it for a moment: to find it can
// cost more than to send.
func (r *runner) outlet(ctx context.Context, l *lane, now time.Time) (Outlet, error) {
	if l.outlet != nil && now.Sub(l.found) < sameOutlet && !now.Before(l.found) {
		return l.outlet, nil
	}
	outlet, err := r.config.Outlet(ctx, l.name)
	if l.outlet, l.found = outlet, now; err != nil {
		l.outlet = nil
	}
	return outlet, err
}

// restLocked lets a lane sleep until its next job is due and it may be looked at.
func (r *runner) restLocked(l *lane, now time.Time) {
	at := l.next
	switch {
	case l.probe:
		at = now
	case l.paused:
		return // a change of the store wakes it
	case at.IsZero() || !l.urgent.IsZero() && l.urgent.Before(at):
		at = l.urgent
	}
	if !at.IsZero() {
		r.sleepLocked(l, later(at, l.notBefore))
	}
}

func (r *runner) noRoomLocked(l *lane, room Room, now time.Time) {
	again := room.Again
	if room.Err != nil {
		again = later(again, now.Add(askAgain))
	} else if again.IsZero() && l.flight+l.asked == 0 {
		again = now.Add(askAgain)
	}
	r.sleepLocked(l, again)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// claim claims, and sends what it got on its way.
func (r *runner) claim(ctx context.Context, wants []wanted) {
	asked := make([]queue.Want, len(wants))
	for i := range wants {
		asked[i] = wants[i].want
	}
	now := time.Now()
	got, err := r.store.Claim(context.WithoutCancel(ctx), now, asked)
	if err != nil {
		r.sick(claiming, err)
		r.mu.Lock()
		defer r.mu.Unlock()
		for i := range wants {
			l := wants[i].lane
			l.asked -= wants[i].most()
			l.probe = true
			r.heatLocked(l)
		}
		return
	}
	r.well(claiming)
	for i := range got {
		r.took(&wants[i], &got[i], now)
	}
}

// took sends what was claimed of a lane on its way.
func (r *runner) took(w *wanted, got *queue.Claimed, now time.Time) {
	l := w.lane
	r.mu.Lock()
	l.asked -= w.most()
	if w.number > l.answered { // else another claim knows more
		l.answered, l.next, l.urgent, l.paused = w.number, got.Next, got.Urgent, got.Paused
	}
	l.turn += uint64(len(got.Claims))
	if len(got.Claims) > 0 {
		l.claimedAt = now
	}
	for i := range got.Claims {
		r.carryLocked(l, w.outlet, &got.Claims[i])
	}
	switch any, _ := l.due(now); {
	case l.paused:
	case any && len(got.Claims) < w.want.Count:
		r.heatLocked(l) // what was put aside made room
	case any && l.flight+l.asked == 0:
		r.sleepLocked(l, now.Add(askAgain))
	case !any:
		r.restLocked(l, now)
	}
	r.mu.Unlock()
	for i := range got.Expired {
		r.settles.tell(Event{Kind: Expired, Job: got.Expired[i]})
	}
	for i := range got.Damaged {
		r.settles.tell(Event{Kind: Damaged, Job: got.Damaged[i]})
	}
}
