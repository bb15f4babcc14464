package safefile

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Lock waits for the lock until ctx ends. The error is ctx's then, or the
// system's.
func Lock(ctx context.Context, f *os.File) error {
	const longest = 5 * time.Millisecond
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, longest) {
		ok, err := TryLock(f)
		if ok || err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("wait for another process to unlock %s: %w", f.Name(), ctx.Err())
		case <-timer.C:
		}
	}
}
