package queuetest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// Failure runs the behaviours one after the other until one fails. It returns its
// promise and what it said; nothing if all is well.
func Failure(tb testing.TB, h Harness) (promise, said string) {
	for _, b := range behaviours(h) {
		w := &witness{TB: tb}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer w.end()
			b.check(newFixture(w, h))
		}()
		<-done
		if w.Failed() {
			return b.promise, w.said
		}
	}
	return "", ""
}

// witness is a testing.TB that notes failures instead of failing.
type witness struct {
	testing.TB
	mu       sync.Mutex
	failed   bool
	said     string
	cleanups []func()
}

func (w *witness) end() {
	if r := recover(); r != nil {
		w.Errorf("panic: %v", r)
	}
	for i := range w.cleanups {
		w.cleanups[len(w.cleanups)-1-i]()
	}
}

func (w *witness) Errorf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed, w.said = true, fmt.Sprintf(format, args...)
}

func (w *witness) Failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

func (w *witness) Helper()                           {}
func (w *witness) Logf(string, ...any)               {}
func (w *witness) Cleanup(do func())                 { w.cleanups = append(w.cleanups, do) }
func (w *witness) Error(args ...any)                 { w.Errorf("%s", fmt.Sprint(args...)) }
func (w *witness) Fatal(args ...any)                 { w.Fatalf("%s", fmt.Sprint(args...)) }
func (w *witness) Fatalf(format string, args ...any) { w.Errorf(format, args...); runtime.Goexit() }
