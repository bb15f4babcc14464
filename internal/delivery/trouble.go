package delivery

import (
	"context"
	"errors"
	"time"
)

// call is one of those to the store that can fail.
type call uint8

const (
	claiming call = iota
	beginning
	settling
	hindering // those before hinder claims while they fail
	polling
	expiring
	purging
	calls
)

// troubles are those of the store. runner.mu guards them.
type troubles struct {
	failing [calls]error
	retryAt time.Time // nothing is claimed before
	pauses  int       // in a row
}

// shutLocked reports whether the store fails so that claims are hindered.
func (t *troubles) shutLocked() bool {
	for _, err := range t.failing[:hindering] {
		if err != nil {
			return true
		}
	}
	return false
}

func (t *troubles) anyLocked() bool { return t.failing != [calls]error{} }

// sick notes that the store fails.
func (r *runner) sick(c call, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.mu.Lock()
	first := !r.anyLocked()
	r.failing[c] = err
	// What fails during a pause was begun before it, and says nothing new.
	if now := time.Now(); c < hindering && !now.Before(r.retryAt) {
		r.pauses++
		r.retryAt = now.Add(storePause(r.pauses))
	}
	r.mu.Unlock()
	if first {
		r.config.OnTrouble(err)
	}
}

// storePause is how long a failing store is left alone.
func storePause(failures int) time.Duration {
	return min(100*time.Millisecond<<min(failures-1, 6), 5*time.Second)
}

// well notes that the store works.
func (r *runner) well(c call) {
	r.mu.Lock()
	was := r.failing[c]
	r.mu.Unlock()
	if was == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	if r.mended(c) {
		r.config.OnTrouble(nil)
	}
}

// mended reports whether nothing fails any more.
func (r *runner) mended(c call) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.failing[c]
	r.failing[c] = nil
	if !r.shutLocked() {
		r.pauses, r.retryAt = 0, time.Time{}
		r.kick()
	}
	return was != nil && !r.anyLocked()
}
