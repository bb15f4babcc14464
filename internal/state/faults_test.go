package state_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/state"
)

// A process that is held up between reading the two clocks must not date what was
// done back.
func TestDoneIsNotDatedBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{booted: time.Now()}
		var held time.Duration
		dir, err := state.OpenClock(t.TempDir(), func() state.Reading {
			r := m.read()
			time.Sleep(held)
			return r
		})
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		ledger, rates := dir.Ledger("ann"), []limit.Rate{{Count: 1, Per: time.Second}}
		ask := limit.Exchange{Rates: rates, Each: limit.Message(1, 0), Count: 1}
		if g, err := ledger.Exchange(t.Context(), ask); err != nil || g.Count != 1 {
			t.Fatalf("%+v, %v", g, err)
		}
		done := time.Now()
		held = 50 * time.Millisecond
		if _, err := ledger.Exchange(t.Context(), limit.Exchange{Rates: rates, Done: []limit.Done{{At: done, Use: limit.Use{Messages: 1}}}}); err != nil {
			t.Fatal(err)
		}
		held = 0
		time.Sleep(time.Until(done.Add(time.Second - time.Nanosecond)))
		if g, err := ledger.Exchange(t.Context(), ask); err != nil || g.Count != 0 {
			t.Errorf("%v after the last message: %+v, %v", time.Since(done), g, err)
		}
	})
}
