package state_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/state"
)

// machine is a computer whose clock people set, and which is restarted.
type machine struct {
	mu      sync.Mutex // guards all below
	boot    int
	booted  time.Time
	stepped time.Duration
}

func (m *machine) step(by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stepped += by
}

func (m *machine) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boot++
	m.booted = time.Now()
}

func (m *machine) read() state.Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return state.Reading{Boot: fmt.Sprint(m.boot), Up: time.Since(m.booted), Wall: time.Now().Add(m.stepped)}
}

// process is one that sends: a folder joined, and a limiter of its own.
type process struct {
	dir     *state.Dir
	limiter *limit.Limiter
	dead    bool
}

func start(t *testing.T, path string, m *machine, rates []limit.Rate) *process {
	t.Helper()
	dir, err := state.OpenClock(path, m.read)
	if err != nil {
		t.Fatal(err)
	}
	notice := func(s string) { t.Error(s) }
	return &process{dir: dir, limiter: limit.NewShared(dir.Ledger("ann"), notice, rates...)}
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.limiter.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := p.dir.Close(); err != nil {
		t.Error(err)
	}
}

// kill ends the process without a word. The limiter's goroutines, which a real
// kill would end, are let go without an exchange.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.dead = true
	if err := p.dir.Die(); err != nil {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.limiter.Close(gone)
}

// counted is a message as the server saw it.
type counted struct {
	at  time.Time
	use limit.Use
}

// fullest is the most that any window of the server's held.
func fullest(seen []counted, r limit.Rate) (most int64) {
	sort.Slice(seen, func(i, j int) bool { return seen[i].at.Before(seen[j].at) })
	sum, tail := int64(0), 0
	for _, c := range seen {
		sum += c.use.Of(r.Unit)
		for ; !seen[tail].at.Add(r.Per).After(c.at); tail++ {
			sum -= seen[tail].use.Of(r.Unit)
		}
		most = max(most, sum)
	}
	return most
}

// flight is a message under way.
type flight struct {
	from *process
	slot limit.Slot
	use  limit.Use
	done time.Time
	at   time.Time // when the server counts it
}

// world is some processes and the server they send to.
type world struct {
	*testing.T
	*rand.Rand
	path      string
	machine   *machine
	rates     []limit.Rate
	processes []*process
	flights   []flight
	seen      []counted
}

// Whatever happens to the processes, their machine and its clock, the server
// never sees more than it permits.
func TestNoWindowOverflowsAcrossProcesses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 7))
				w := &world{T: t, Rand: random, path: t.TempDir(), machine: &machine{booted: time.Now()}, rates: []limit.Rate{
					{Count: 1 + random.IntN(20), Per: time.Second},
					{Count: 20 + random.IntN(80), Per: time.Minute},
					{Count: 50 + random.IntN(100), Per: time.Minute, Unit: limit.Recipients},
					{Count: 100_000, Per: 10 * time.Minute, Unit: limit.Octets},
				}}
				for range 3000 {
					w.step()
				}
				w.end()
				for _, r := range w.rates {
					n := fullest(w.seen, r)
					t.Logf("%v: %d of %d in all", r, n, len(w.seen))
					if n > int64(r.Count) {
						t.Errorf("the server saw %d, limit %v", n, r)
					}
				}
			})
		})
	}
}

func (w *world) step() {
	w.T.Helper()
	time.Sleep(time.Duration(w.Int64N(int64(60 * time.Millisecond))))
	w.land()
	switch n := w.IntN(300); {
	case n == 0 && len(w.processes) > 0:
		w.leave(w.IntN(len(w.processes)), (*process).stop)
	case n == 1 && len(w.processes) > 0:
		w.leave(w.IntN(len(w.processes)), (*process).kill)
	case n == 2 && len(w.processes) > 0: // somebody sets the clock
		w.machine.step(time.Duration(w.Int64N(int64(4*time.Hour))) - 2*time.Hour)
		// What nobody saw before the machine was restarted can be told by nobody.
		if _, err := w.processes[0].dir.Ledger("ann").Exchange(w.Context(), limit.Exchange{Rates: w.rates}); err != nil {
			w.Error(err)
		}
	case n == 3: // a power failure; at worst the clock of the machine stood still meanwhile
		for len(w.processes) > 0 {
			w.leave(0, (*process).kill)
		}
		w.machine.restart()
		time.Sleep(time.Second)
		w.machine.step(-time.Duration(w.Int64N(int64(time.Second))))
	case n < 8 && len(w.processes) < 4 || len(w.processes) == 0:
		w.processes = append(w.processes, start(w.T, w.path, w.machine, w.rates))
	default:
		w.send(w.processes[w.IntN(len(w.processes))])
	}
}

func (w *world) send(p *process) {
	use := limit.Message(1+w.IntN(5), 100+w.Int64N(2000))
	slot, ok := p.limiter.Take(time.Now(), use)
	switch {
	case !ok:
	case w.IntN(10) == 0:
		slot.Cancel(time.Now())
	default:
		takes := time.Duration(w.Int64N(int64(2 * time.Second)))
		at := time.Now().Add(time.Duration(w.Int64N(int64(takes) + 1)))
		w.flights = append(w.flights, flight{p, slot, use, time.Now().Add(takes), at})
	}
}

// land ends what has been answered by now.
func (w *world) land() {
	now := time.Now()
	w.flights = slices.DeleteFunc(w.flights, func(f flight) bool {
		if f.done.After(now) {
			return false
		}
		w.seen = append(w.seen, counted{f.at, f.use})
		f.slot.Done(now)
		return true
	})
}

// leave ends a process. What it has under way is counted then at the latest.
func (w *world) leave(i int, how func(*process, *testing.T)) {
	p := w.processes[i]
	w.processes = slices.Delete(w.processes, i, i+1)
	now := time.Now()
	w.flights = slices.DeleteFunc(w.flights, func(f flight) bool {
		if f.from != p {
			return false
		}
		if f.at.After(now) {
			f.at = now
		}
		w.seen = append(w.seen, counted{f.at, f.use})
		f.slot.Done(now)
		return true
	})
	how(p, w.T)
}

func (w *world) end() {
	for len(w.processes) > 0 {
		w.leave(0, (*process).stop)
	}
}

// drive sends as fast as the limiter permits for so long, one message at a time.
func drive(p *process, span time.Duration) (sent int) {
	wake := make(chan struct{}, 1)
	stop := p.limiter.Notify(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	defer stop()
	end := time.After(span)
	for {
		if slot, ok := p.limiter.Take(time.Now(), limit.Message(1, 0)); ok {
			slot.Done(time.Now())
			sent++
			continue
		}
		at, _, known := p.limiter.Next(time.Now(), limit.Message(1, 0))
		var due <-chan time.Time
		if known {
			due = time.After(time.Until(at))
		}
		select {
		case <-end:
			return sent
		case <-wake:
		case <-due:
		}
	}
}

// One process is not slowed down by what could be shared, and two of them get
// what one gets, both of them a part of it.
func TestThroughputOfTheLedger(t *testing.T) {
	t.Parallel()
	for _, r := range []limit.Rate{{Count: 10, Per: time.Second}, {Count: 200, Per: time.Second}, {Count: 30, Per: time.Minute}, {Count: 3, Per: time.Second}} {
		for _, processes := range []int{1, 2, 3} {
			t.Run(fmt.Sprint(r.Count, " per ", r.Per, " by ", processes), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					const windows = 20
					path, m := t.TempDir(), &machine{booted: time.Now()}
					results := make(chan int)
					for range processes {
						p := start(t, path, m, []limit.Rate{r})
						go func() {
							n := drive(p, windows*r.Per-time.Nanosecond)
							p.stop(t)
							results <- n
						}()
					}
					sum, least := 0, 1<<30
					for range processes {
						n := <-results
						sum, least = sum+n, min(least, n)
					}
					t.Logf("%d of %d, the least %d", sum, windows*r.Count, least)
					if sum > windows*r.Count || sum < windows*r.Count*9/10 {
						t.Errorf("%d sent, %d permitted", sum, windows*r.Count)
					}
					if least < sum/processes/10 {
						t.Errorf("one process sent %d of %d", least, sum)
					}
				})
			})
		}
	}
}

func TestDamagedLedgerCountsAsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		m := &machine{booted: time.Now()}
		dir, err := state.OpenClock(path, m.read)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		rates := []limit.Rate{{Count: 5, Per: time.Hour}}
		ledger := dir.Ledger("ann")
		file := filepath.Join(path, "limits", state.FileName("ann")+".json")
		if err := os.WriteFile(file, []byte(`{"account":"ann","do`), 0o600); err != nil {
			t.Fatal(err)
		}
		x := limit.Exchange{Rates: rates, Each: limit.Message(1, 0), Count: 1}
		grant, err := ledger.Exchange(t.Context(), x)
		if err != nil || grant.Count != 0 || !strings.Contains(grant.Notice, "damaged") || grant.Bound != rates[0] {
			t.Errorf("%+v, %v", grant, err)
		}
		time.Sleep(grant.Retry)
		if grant, err = ledger.Exchange(t.Context(), x); err != nil || grant.Count != 1 || grant.Notice != "" {
			t.Errorf("an hour later: %+v, %v", grant, err)
		}
	})
}

// A ledger that cannot be written grants nothing.
func TestUnwritableLedger(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	dir, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := os.RemoveAll(filepath.Join(path, "limits")); err != nil {
		t.Fatal(err)
	}
	x := limit.Exchange{Rates: []limit.Rate{{Count: 5, Per: time.Hour}}, Each: limit.Message(1, 0), Count: 1}
	if grant, err := dir.Ledger("ann").Exchange(t.Context(), x); err == nil || grant.Count != 0 || !strings.Contains(err.Error(), "ann") {
		t.Errorf("%+v, %v", grant, err)
	}
}

// A program that sends one message and ends must not keep the next one waiting
// for longer than the limits want, be one of them as long as a day.
func TestEndDoesNotUseUpTheShortWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, dir := &machine{booted: time.Now()}, t.TempDir()
		rates := []limit.Rate{{Count: 1, Per: time.Second}, {Count: 1000, Per: 24 * time.Hour}}
		for range 5 {
			p := start(t, dir, m, rates)
			slot, ok := p.limiter.Take(time.Now(), limit.Message(1, 0))
			for tries := 0; !ok && tries < 30; tries++ {
				time.Sleep(50 * time.Millisecond)
				slot, ok = p.limiter.Take(time.Now(), limit.Message(1, 0))
			}
			if !ok {
				t.Error("there was no room for a second and a half")
			}
			slot.Done(time.Now())
			p.stop(t)
			usages, err := state.View(dir).Usages()
			if err != nil || len(usages) != 1 || usages[0].Windows[0].Free > 1100*time.Millisecond {
				t.Errorf("%+v, %v", usages, err)
			}
		}
	})
}

// What a process has no limit for counts for another one that has.
func TestUnitsThatAnotherCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path, m := t.TempDir(), &machine{booted: time.Now()}
		free := start(t, path, m, []limit.Rate{{Count: 100, Per: time.Second}})
		strict := start(t, path, m, []limit.Rate{{Count: 10, Per: time.Hour, Unit: limit.Recipients}})
		if _, ok := strict.limiter.Take(time.Now(), limit.Message(1, 0)); ok {
			t.Error("taken before it was granted")
		}
		synctest.Wait() // the ledger keeps an hour from here on
		if _, ok := free.limiter.Take(time.Now(), limit.Message(8, 0)); ok {
			t.Error("taken before it was granted")
		}
		synctest.Wait()
		slot, ok := free.limiter.Take(time.Now(), limit.Message(8, 0))
		if !ok {
			t.Fatal("not granted")
		}
		slot.Done(time.Now())
		time.Sleep(2 * time.Second)
		for i := range 3 {
			_, ok := strict.limiter.Take(time.Now(), limit.Message(1, 0))
			if !ok { // ask, and see what was granted
				synctest.Wait()
				_, ok = strict.limiter.Take(time.Now(), limit.Message(1, 0))
			}
			if ok != (i < 2) {
				t.Errorf("recipient %d of the two that are left: taken is %v", i+1, ok)
			}
		}
		free.stop(t)
		strict.kill(t)
	})
}

// A message that never fits another process's window fails, instead of waiting
// for ever.
func TestNeverFitsAnothersWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path, m := t.TempDir(), &machine{booted: time.Now()}
		strict := start(t, path, m, []limit.Rate{{Count: 10, Per: time.Hour, Unit: limit.Recipients}})
		_, _ = strict.limiter.Take(time.Now(), limit.Message(1, 0)) // asks
		synctest.Wait()
		free := start(t, path, m, []limit.Rate{{Count: 100, Per: time.Second}, {Count: 1000, Per: time.Hour, Unit: limit.Recipients}})
		told := make(chan struct{}, 10)
		defer free.limiter.Notify(func() { told <- struct{}{} })()
		if _, ok := free.limiter.Take(time.Now(), limit.Message(11, 0)); ok {
			t.Error("taken before it was granted")
		}
		<-told
		var tooMany *limit.TooManyError
		if err := free.limiter.Fits(time.Now(), limit.Message(11, 0)); !errors.As(err, &tooMany) || tooMany.Rate.Count != 10 {
			t.Errorf("%v", err)
		}
		if err := free.limiter.Fits(time.Now(), limit.Message(10, 0)); err != nil {
			t.Errorf("what fits: %v", err)
		}
		free.stop(t)
		strict.stop(t)
	})
}
