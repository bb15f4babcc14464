package kaizen

import (
	"sync"
	"time"
)

// announcements keep Config.OnJob in order: that a job was queued is told before
// anything else of it, though it can be sent before Enqueue has a word to say.
type announcements struct {
	mu   sync.Mutex
	made sync.Cond // L is &mu
	open map[announcement]int
}

// announcement is to be made of a job that is put into a lane at that time. Its ID is
// not known before.
type announcement struct {
	lane    string
	created int64 // in milliseconds, as stores keep it
}

// begin is called before a job is put, end when it was told of, or not put.
func (a *announcements) begin(lane string, created time.Time) (end func()) {
	key := announcement{lane, created.UnixMilli()}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = make(map[announcement]int)
		a.made.L = &a.mu
	}
	a.open[key]++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.open[key]--; a.open[key] == 0 {
			delete(a.open, key)
		}
		a.made.Broadcast()
	}
}

// await waits until none is open that may be of this job.
func (a *announcements) await(lane string, created time.Time) {
	key := announcement{lane, created.UnixMilli()}
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.open[key] > 0 {
		a.made.Wait()
	}
}
