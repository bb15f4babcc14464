package limit

import "time"

// acceptances remembers how many messages were accepted when, for two hours:
// the last two seconds exactly to 10 ms, the last two minutes to 1 s, the rest
// to a minute. The zero value is ready; its size does not depend on the
// traffic.
type acceptances struct {
	fine   [200]bucket
	middle [120]bucket
	coarse [120]bucket
}

// bucket counts what fell into one stretch of time; number tells which.
type bucket struct {
	number int64
	count  int
}

// ring is one resolution.
type ring struct {
	buckets []bucket
	width   time.Duration
}

func (a *acceptances) rings() [3]ring {
	return [3]ring{{a.fine[:], 10 * time.Millisecond}, {a.middle[:], time.Second}, {a.coarse[:], time.Minute}}
}

// covering is the finest ring that remembers so long.
func (a *acceptances) covering(span time.Duration) ring {
	rings := a.rings()
	for _, r := range rings {
		if span <= r.width*time.Duration(len(r.buckets)-1) {
			return r
		}
	}
	return rings[len(rings)-1]
}

func (a *acceptances) add(now time.Time) {
	for _, r := range a.rings() {
		number := r.number(now)
		b := &r.buckets[number%int64(len(r.buckets))]
		if b.number != number {
			*b = bucket{number: number}
		}
		b.count++
	}
}

// count is how many were accepted in (now-span, now], to the resolution that
// remembers age and span.
func (a *acceptances) count(at time.Time, span, age time.Duration) (n int) {
	r := a.covering(span + age)
	for i := r.number(at.Add(-span)) + 1; i <= r.number(at); i++ {
		if b := r.buckets[i%int64(len(r.buckets))]; b.number == i {
			n += b.count
		}
	}
	return n
}

// oldest is when the first of those in (now-span, now] was accepted, at the
// latest.
func (a *acceptances) oldest(now time.Time, span time.Duration) (time.Time, bool) {
	r := a.covering(span)
	for i := r.number(now.Add(-span)) + 1; i <= r.number(now); i++ {
		if b := r.buckets[i%int64(len(r.buckets))]; b.number == i && b.count > 0 {
			end := time.Unix(0, 0).Add(time.Duration(i+1) * r.width)
			return earlier(end, now), true
		}
	}
	return time.Time{}, false
}

func (r ring) number(at time.Time) int64 { return at.UnixNano() / int64(r.width) }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
