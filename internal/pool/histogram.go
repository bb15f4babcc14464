package pool

import (
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of a histogram's buckets: of what a server nearby
// takes for one message, and of what a rate of one per hour may hold back.
var bounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 10 * time.Second,
	30 * time.Second, time.Minute, 10 * time.Minute,
}

// Bounds returns the upper bounds of the buckets of every [Histogram].
func Bounds() []time.Duration { return append([]time.Duration(nil), bounds[:]...) }

// Histogram is a snapshot of how long something took. Counts are by bucket, not
// cumulative: at most Bounds[0], then at most Bounds[1], and at last all longer.
type Histogram struct {
	Counts []uint64
	Sum    time.Duration
}

// histogram counts durations without locks and without garbage.
type histogram struct {
	counts [len(bounds) + 1]atomic.Uint64
	sum    atomic.Int64
}

// observe counts one; what is below zero, as a clock may jump, is zero.
func (h *histogram) observe(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

func (h *histogram) snapshot() Histogram {
	s := Histogram{Counts: make([]uint64, len(h.counts))}
	for i := range h.counts {
		s.Counts[i] = h.counts[i].Load()
	}
	s.Sum = time.Duration(h.sum.Load())
	return s
}
