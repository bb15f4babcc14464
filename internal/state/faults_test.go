package state_test

import (
	"errors"
	"os"
	"path/filepath"
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
		if _, err := ledger.Exchange(t.Context(), limit.Exchange{Rates: rates, Done: []limit.Done{{At: done, Use: limit.Use{Messages: 1}, Granted: limit.Use{Messages: 1}}}}); err != nil {
			t.Fatal(err)
		}
		held = 0
		time.Sleep(time.Until(done.Add(time.Second - time.Nanosecond)))
		if g, err := ledger.Exchange(t.Context(), ask); err != nil || g.Count != 0 {
			t.Errorf("%v after the last message: %+v, %v", time.Since(done), g, err)
		}
	})
}

// What is left of credit goes back, though it is not enough for any message: a
// smaller one took the turn of the one it was asked for.
func TestLeftoversAreGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{booted: time.Now()}
		p := start(t, t.TempDir(), m, []limit.Rate{{Count: 100, Per: time.Hour, Unit: limit.Recipients}})
		defer p.stop(t)
		if _, ok := p.limiter.Take(time.Now(), limit.Message(50, 0)); ok {
			t.Fatal("taken before anything was granted")
		}
		synctest.Wait()
		slot, ok := p.limiter.Take(time.Now(), limit.Message(1, 0))
		if !ok {
			t.Fatal("nothing was granted")
		}
		slot.Done(time.Now())
		time.Sleep(time.Second)
		all, err := p.dir.Usages()
		if err != nil || len(all) != 1 || all[0].Windows[0].Used != 1 {
			t.Errorf("1 recipient got a message: %+v, %v", all, err)
		}
	})
}

// Others cannot see a process any more whose folder was removed; nothing is
// granted to it then, though the folder is there again.
func TestFolderIsReplacedWhileInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	first, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	second, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	x := limit.Exchange{Rates: []limit.Rate{{Count: 5, Per: time.Hour}}, Each: limit.Message(1, 0), Count: 1}
	if g, err := first.Ledger("ann").Exchange(t.Context(), x); err == nil || g.Count != 0 {
		t.Errorf("granted to a process that nobody sees: %+v, %v", g, err)
	}
	if g, err := second.Ledger("ann").Exchange(t.Context(), x); err != nil || g.Count != 1 {
		t.Errorf("%+v, %v", g, err)
	}
}

// Two machines that share a folder, one's clock ahead of the other's: going to
// and fro between them must not make time pass.
func TestTwoMachines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		machines := []*machine{{boot: 1, booted: time.Now()}, {boot: 2, booted: time.Now(), stepped: time.Minute}}
		var ledgers []limit.Ledger
		for _, m := range machines {
			dir, err := state.OpenClock(path, m.read)
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			ledgers = append(ledgers, dir.Ledger("ann"))
		}
		x := limit.Exchange{Rates: []limit.Rate{{Count: 1, Per: time.Hour}}, Each: limit.Message(1, 0), Count: 1}
		ask := func(i int) int {
			g, err := ledgers[i%2].Exchange(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			return g.Count
		}
		if ask(0) != 1 {
			t.Fatal("nothing granted")
		}
		x.Done, x.Count = []limit.Done{{At: time.Now(), Use: limit.Use{Messages: 1}, Granted: limit.Use{Messages: 1}}}, 0
		ask(0)
		x.Done, x.Count = nil, 1
		began := time.Now()
		for i := range 3 * 56 { // the minute that the clock is ahead may be lost once
			time.Sleep(20 * time.Second)
			if ask(i) != 0 {
				t.Fatalf("granted after %v", time.Since(began))
			}
		}
		time.Sleep(10 * time.Minute)
		if ask(0)+ask(1) != 1 {
			t.Error("nothing is granted any more")
		}
	})
}

// The folder's name may have signs in it that patterns are made of.
func TestFolderWithBrackets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state [of *]")
	dir, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	x := limit.Exchange{Rates: []limit.Rate{{Count: 5, Per: time.Hour}}, Each: limit.Message(1, 0), Count: 1}
	if _, err := dir.Ledger("ann").Exchange(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if err := dir.Update(t.Context(), "ann", func(*state.Record) bool { return true }); err != nil {
		t.Fatal(err)
	}
	usages, err := dir.Usages()
	records, err2 := dir.Records()
	if err != nil || err2 != nil || len(usages) != 1 || len(records) != 1 {
		t.Errorf("%v, %v; %v, %v", usages, err, records, err2)
	}
}

// A slot is free one window after the message was done, and not before, at
// whatever moment that was; nor is it kept for long.
func TestSlotsAreFreedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{booted: time.Now()}
		dir, err := state.OpenClock(t.TempDir(), m.read)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		for i, rates := range [][]limit.Rate{
			{{Count: 1, Per: time.Second}},
			{{Count: 100, Per: time.Second}, {Count: 1, Per: time.Hour}}, // old ones are made coarser
		} {
			ledger, last := dir.Ledger(string(rune('a'+i))), rates[len(rates)-1]
			ask := limit.Exchange{Rates: rates, Each: limit.Message(1, 0), Count: 1}
			for range 20 {
				time.Sleep(1234567 * time.Nanosecond)
				if g, err := ledger.Exchange(t.Context(), ask); err != nil || g.Count != 1 {
					t.Fatalf("%+v, %v", g, err)
				}
				done := time.Now()
				report := limit.Exchange{Rates: rates, Done: []limit.Done{{At: done, Use: limit.Use{Messages: 1}, Granted: limit.Use{Messages: 1}}}}
				for range 3 {
					if _, err := ledger.Exchange(t.Context(), report); err != nil {
						t.Fatal(err)
					}
					report.Done = nil
					time.Sleep(last.Per / 4)
				}
				time.Sleep(time.Until(done.Add(last.Per - time.Nanosecond)))
				if g, err := ledger.Exchange(t.Context(), ask); err != nil || g.Count != 0 {
					t.Fatalf("%v: granted too soon, %v", last, err)
				}
				time.Sleep(last.Per / 100)
			}
		}
	})
}

// Who cannot be asked whether it is alive is taken for alive.
func TestProcessThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	first, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	x := limit.Exchange{Rates: []limit.Rate{{Count: 1, Per: time.Millisecond}}, Each: limit.Message(1, 0), Count: 1}
	if g, err := first.Ledger("ann").Exchange(t.Context(), x); err != nil || g.Count != 1 {
		t.Fatalf("%+v, %v", g, err)
	}
	// A folder in the place of its lock cannot be opened for writing, not even by root.
	locks, err := filepath.Glob(filepath.Join(path, "processes", "*.lock"))
	if err != nil || len(locks) != 2 {
		t.Fatal(locks, err)
	}
	if err := first.Die(); err != nil {
		t.Fatal(err)
	}
	for _, lock := range locks {
		if !second.IsMine(lock) {
			if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil {
				t.Fatal(err)
			}
		}
	}
	<-time.After(10 * time.Millisecond)
	for range 2 {
		if g, err := second.Ledger("ann").Exchange(t.Context(), x); err != nil || g.Count != 0 {
			t.Errorf("%+v, %v", g, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// What a process of short windows says makes nobody forget what is in long ones.
func TestLongWindowsAreNotForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{booted: time.Now()}
		dir, err := state.OpenClock(t.TempDir(), m.read)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		short, long := limit.Rate{Count: 100, Per: time.Second}, limit.Rate{Count: 1, Per: time.Hour}
		ledger := dir.Ledger("ann")
		exchange := func(x limit.Exchange) limit.Grant {
			g, err := ledger.Exchange(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		if exchange(limit.Exchange{Rates: []limit.Rate{long, short}, Each: limit.Message(1, 0), Count: 1}).Count != 1 {
			t.Fatal("nothing granted")
		}
		exchange(limit.Exchange{Rates: []limit.Rate{long, short}, Done: []limit.Done{{At: time.Now(), Use: limit.Message(1, 0), Granted: limit.Message(1, 0)}}})
		for range 10 {
			time.Sleep(time.Minute)
			exchange(limit.Exchange{Rates: []limit.Rate{short}})
		}
		if exchange(limit.Exchange{Rates: []limit.Rate{long, short}, Each: limit.Message(1, 0), Count: 1}).Count != 0 {
			t.Error("granted within the hour")
		}
	})
}

// A clock that lies behind another one of the same run of the system makes
// nothing pass twice.
func TestReadingsThatLieBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path, began := t.TempDir(), time.Now()
		var ledgers []limit.Ledger
		for _, ahead := range []time.Duration{time.Minute, 0} {
			dir, err := state.OpenClock(path, func() state.Reading {
				return state.Reading{Boot: "this", Up: time.Since(began) + ahead, Wall: time.Now()}
			})
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			ledgers = append(ledgers, dir.Ledger("ann"))
		}
		x := limit.Exchange{Rates: []limit.Rate{{Count: 1, Per: time.Hour}}, Each: limit.Message(1, 0), Count: 1}
		if g, err := ledgers[0].Exchange(t.Context(), x); err != nil || g.Count != 1 {
			t.Fatalf("%+v, %v", g, err)
		}
		x.Done = []limit.Done{{At: time.Now(), Use: limit.Message(1, 0), Granted: limit.Message(1, 0)}}
		for i := range 200 {
			if g, err := ledgers[i%2].Exchange(t.Context(), x); err != nil || g.Count != 0 {
				t.Fatalf("%d: %+v, %v", i, g, err)
			}
			x.Done = nil
			time.Sleep(time.Second)
		}
	})
}
