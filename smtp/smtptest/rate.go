package smtptest

import (
	"slices"
	"sync"
	"time"
)

// rateWindow holds when messages were accepted.
type rateWindow struct {
	mu    sync.Mutex
	times []time.Time
}

// take counts one more message, unless the window is full.
func (w *rateWindow) take(r Rate, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.times) > 0 && now.Sub(w.times[0]) >= r.Per {
		w.times = w.times[1:]
	}
	if len(w.times) >= r.N {
		return false
	}
	w.times = append(w.times, now)
	return true
}

// giveBack undoes a take: the message was refused for another reason.
func (w *rateWindow) giveBack(taken time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.times, taken); i >= 0 {
		w.times = slices.Delete(w.times, i, i+1)
	}
}
