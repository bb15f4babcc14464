package pool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// endpoint is one server of a target. Of a target with one alone, what fails is
// booked for the target. Pool.mu guards it, but for what is atomic.
type endpoint struct {
	address          string
	priority, weight int
	dial             func(ctx context.Context) (Conn, error)

	open           int // connections, in whatever state
	live, dialling int // of the target's
	stranded       int // connections that wait for its answer since it fell silent
	dials          int

	failures int // since it last worked
	lapses   int // those before it let us log in, until it answers a message
	losses   int // connections that it dropped unused, until then
	failure  *smtp.Error
	since    time.Time // of the first of them
	retryAt  time.Time // it is not dialled before

	capacity   int // connections that it was seen to take, fewer than a pool may open; 0: unknown
	capacityAt time.Time
	crowded    *smtp.Error // by what we know

	flying  atomic.Int32 // messages that wait for its answer, but on stranded connections
	heard   atomic.Int64 // when it last gave a sign of life, in Unix nanoseconds
	doubted atomic.Bool  // failures > 0
	watched bool         // the alarm is set for its silence
}

// defaultPatience is a Target's.
const defaultPatience = 10 * time.Second

func newTarget(to Target) *target {
	t := &target{key: to.Key, server: to.Server, patience: cmp.Or(to.Patience, defaultPatience)}
	add := func(address string, priority, weight int) {
		t.endpoints = append(t.endpoints, &endpoint{address: address, priority: priority, weight: max(weight, 1)})
	}
	add(to.Server, to.Priority, to.Weight)
	for _, s := range to.Others {
		add(s.Address, s.Priority, s.Weight)
	}
	slices.SortStableFunc(t.endpoints, func(a, b *endpoint) int { return cmp.Compare(a.priority, b.priority) })
	return t
}

// redial takes the dials of the latest Target: they may know newer credentials of
// the same key.
func (t *target) redial(to Target) {
	if len(t.endpoints) == 1 {
		t.endpoints[0].dial = to.Dial
		return
	}
	for _, e := range t.endpoints {
		if e.address == to.Server {
			e.dial = to.Dial
		}
		for i := range to.Others {
			if e.address == to.Others[i].Address {
				e.dial = to.Others[i].Dial
			}
		}
	}
}

// barredLocked: it is not to be dialled now. One that fails is asked by one
// connection at a time, and never has more than a pool may open.
func (e *endpoint) barredLocked(now time.Time, most int) bool {
	return now.Before(e.retryAt) || e.failures > 0 && e.dialling > 0 || e.fullLocked(most)
}

// fullLocked: it has as many connections as a pool may open, or as it takes.
func (e *endpoint) fullLocked(most int) bool { return e.open >= e.limit(most) }

func (e *endpoint) limit(most int) int {
	if e.capacity > 0 {
		return min(e.capacity, most)
	}
	return most
}

// crowdedLocked notes that a server wants fewer connections than it has. Where there
// are others that is no reason to have fewer of them.
func (p *Pool) crowdedLocked(c *connection, err *smtp.Error, now time.Time) {
	e := c.endpoint
	switch {
	case len(c.target.endpoints) == 1:
		p.crowd.grewLocked(p.capacity, now)
		p.lowerLocked(p.capacity-1, err, now)
	case e.failures == 0:
		p.lowerServerLocked(e, e.limit(p.config.Connections)-1, err, now)
	}
}

// refusedLocked notes that a server took no further connection than it has.
func (p *Pool) refusedLocked(c *connection, err *smtp.Error, now time.Time) {
	e := c.endpoint
	switch {
	case len(c.target.endpoints) == 1:
		p.lowerLocked(min(p.capacity-1, p.usedLocked()), err, now)
	case e.live > 0:
		p.lowerServerLocked(e, min(e.limit(p.config.Connections)-1, e.open), err, now)
	}
}

func (p *Pool) lowerServerLocked(e *endpoint, capacity int, err *smtp.Error, now time.Time) {
	e.capacity, e.capacityAt, e.crowded = max(1, capacity), now, shared(e.address, err)
	p.reviewHealthLocked(now)
}

// raiseLocked allows one connection more after a minute of success.
func (e *endpoint) raiseLocked(most int, now time.Time) {
	if e.capacity == 0 || now.Sub(e.capacityAt) < time.Minute {
		return
	}
	if e.capacity, e.capacityAt = e.capacity+1, now; e.capacity >= most {
		e.capacity = 0
	}
}

// chooseLocked chooses the server of the next connection: of those with the lowest
// priority that are not barred the one that has the least for its weight. Where all
// are it is the one that is free first.
func (t *target) chooseLocked(now time.Time, most int) *endpoint {
	if best := t.bestLocked(now, most); best != nil {
		return best
	}
	return slices.MinFunc(t.endpoints, func(a, b *endpoint) int { return a.retryAt.Compare(b.retryAt) })
}

// enoughLocked: one of the first n servers works, and has all connections that it
// takes. The others do not stand in for that.
func (t *target) enoughLocked(n int) bool {
	return slices.ContainsFunc(t.endpoints[:n], func(e *endpoint) bool {
		return e.failures == 0 && e.live > 0 && e.capacity > 0 && e.open >= e.capacity
	})
}

// bestLocked is nil if all are barred, or have enough.
func (t *target) bestLocked(now time.Time, most int) (best *endpoint) {
	for i, e := range t.endpoints {
		if i > 0 && best == nil && e.priority > t.endpoints[i-1].priority && t.enoughLocked(i) {
			return nil
		}
		if len(t.endpoints) > 1 && e.barredLocked(now, most) {
			continue
		}
		if best == nil || e.priority == best.priority && e.lighter(best) {
			best = e
		}
	}
	return best
}

// lighter compares what two servers have for their weights, or else have had.
func (e *endpoint) lighter(than *endpoint) bool {
	has, other := (e.live+e.dialling+1)*than.weight, (than.live+than.dialling+1)*e.weight
	if has == other {
		return (e.dials+1)*than.weight < (than.dials+1)*e.weight
	}
	return has < other
}

// noneToDialLocked says that every server is barred, and looks again when one of
// them is not.
func (p *Pool) noneToDialLocked(t *target, now time.Time) bool {
	if len(t.endpoints) == 1 || t.bestLocked(now, p.config.Connections) != nil {
		return false
	}
	var first time.Time
	for _, e := range t.endpoints {
		if e.retryAt.After(now) && (first.IsZero() || e.retryAt.Before(first)) {
			first = e.retryAt
		}
	}
	if !first.IsZero() {
		p.alarmLocked(first, now)
	}
	return true
}

// failedLocked notes that it could not be reached, or did not let us in.
func (e *endpoint) failedLocked(err *smtp.Error, now time.Time) {
	if e.failures == 0 {
		e.since = now
	}
	if !now.Before(e.retryAt) { // those that fail together are one
		e.failures++
		e.retryAt = now.Add(pause(firstPause, longestPause, e.failures+e.lapses))
	}
	e.failure = err
	e.doubted.Store(true)
}

// elsewhereLocked: another server may do, or has connections.
func (t *target) elsewhereLocked(now time.Time) bool {
	return slices.ContainsFunc(t.endpoints, func(e *endpoint) bool {
		return e.live+e.dialling > 0 || !now.Before(e.retryAt)
	})
}

// everywhereLocked is the failure of all servers: that of one which may serve later,
// if there is any, with what each of them said.
func (t *target) everywhereLocked(last *smtp.Error) *smtp.Error {
	told := new(EverywhereError)
	for _, e := range t.endpoints {
		if e.failure != nil {
			told.Failures = append(told.Failures, e.failure)
		}
	}
	all := *last
	if i := slices.IndexFunc(told.Failures, (*smtp.Error).Temporary); i >= 0 {
		all = *told.Failures[i]
	}
	all.Err, all.Hint, all.Reply = told, "", smtp.Reply{}
	return &all
}

// endpointWorkedLocked ends its outage. Idle connections to worse servers are of
// no use then.
func (p *Pool) endpointWorkedLocked(t *target, e *endpoint, now time.Time) {
	if e.failures == 0 {
		return
	}
	e.lapses += e.failures
	e.failures, e.failure, e.since, e.retryAt = 0, nil, time.Time{}, time.Time{}
	e.doubted.Store(false)
	t.idle = slices.DeleteFunc(t.idle, func(c *connection) bool {
		worse := c.endpoint.priority > e.priority
		if worse {
			p.retireLocked(c, closedFailback)
		}
		return worse
	})
	p.reviewHealthLocked(now)
}

// EverywhereError is that none of several servers could be reached.
type EverywhereError struct {
	Failures []*smtp.Error // of each server, those of the lowest priority first
}

// Error tells what each of them said.
func (e *EverywhereError) Error() string {
	text := "none of the servers can be used"
	for i, f := range e.Failures {
		text += fmt.Sprintf("%s%v", [...]string{": ", "; "}[min(i, 1)], f)
	}
	return text
}

// Unwrap returns them all.
func (e *EverywhereError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f
	}
	return errs
}
