//go:build unix

package test

import (
	"os"
	"syscall"
	"testing"
)

// A signal is how a sink without --exit-after ends: in good order, having told
// what it counted.
func TestSinkEndsOnSignal(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]os.Signal{"interrupt": os.Interrupt, "terminate": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := startSink(t)
			if code, out := send(t, "smtp://"+sink.addr+"?tls=none", short...); code != 0 {
				t.Errorf("exit code %d: %s", code, out)
			}
			if err := sink.process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if stats, _ := sink.end(); stats["accepted"] != 1.0 {
				t.Errorf("%v", stats)
			}
		})
	}
}
