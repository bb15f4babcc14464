package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
)

// table tells rates against the backlog: enqueueing by 64 callers, a claim, and the
// cycle of claim, begin and settle.
func table(ctx context.Context, s settings) error {
	backlogs, err := numbers(s.backlogs)
	if err != nil {
		return err
	}
	say("| waiting | enqueue, 64 callers | p99 | claim of 40 | claim, begin, settle | open | on disk | peak memory |")
	say("|---|---|---|---|---|---|---|---|")
	for _, backlog := range backlogs {
		if err := s.row(ctx, backlog, 0); err != nil {
			return err
		}
	}
	if s.behind > 0 {
		return s.row(ctx, 1000, s.behind)
	}
	return nil
}

// row measures with a backlog, and so many more in another lane that is paused.
func (s *settings) row(ctx context.Context, backlog, behind int) error {
	store, err := s.fresh("table")
	if err != nil {
		return err
	}
	letter := s.letter()
	label := strconv.Itoa(backlog)
	if behind > 0 {
		label += ", behind " + strconv.Itoa(behind) + " of a paused account"
		if err := fill(ctx, store, behind, always("paused"), queue.Normal, letter); err != nil {
			return err
		}
		if err := store.Pause(ctx, time.Now(), "paused", ""); err != nil {
			return err
		}
	}
	if err := fill(ctx, store, backlog, always("ses"), queue.Normal, letter); err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	began := time.Now()
	if store, err = sqlite.Open(filepath.Join(s.folder, "table"), sqlite.Options{}); err != nil {
		return err
	}
	defer store.Close()
	if _, err := store.Recover(ctx, time.Now()); err != nil {
		return err
	}
	opened := time.Since(began)
	var rates, cycles []float64
	var p99, claims []time.Duration
	for range s.turns {
		rate, slow, err := enqueueFor(ctx, store, letter, 2*time.Second)
		if err != nil {
			return err
		}
		claim, err := claimAlone(ctx, store)
		if err != nil {
			return err
		}
		cycle, err := cycleFor(ctx, store, 2*time.Second)
		if err != nil {
			return err
		}
		rates, cycles, p99, claims = append(rates, rate), append(cycles, cycle), append(p99, slow), append(claims, claim)
	}
	say("| %s | %.0f/s | %.1f ms | %.2f ms | %.0f/s | %.2f s | %.0f MB | %.0f MB |", label, median(rates), ms(at(0.5, p99)),
		ms(at(0.5, claims)), median(cycles), opened.Seconds(), diskUse(filepath.Join(s.folder, "table")), peakMemory())
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func diskUse(folder string) (mb float64) {
	_ = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if info, ierr := os.Stat(path); err == nil && ierr == nil && !entry.IsDir() {
			mb += float64(info.Size()) / (1 << 20)
		}
		return nil
	})
	return mb
}

// enqueueFor is how many messages 64 callers put, each waiting until it is on disk.
func enqueueFor(ctx context.Context, store queue.Store, letter []byte, d time.Duration) (rate float64, p99 time.Duration, err error) {
	var n atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var parts sync.WaitGroup
	began := time.Now()
	for range callers {
		parts.Go(func() {
			var own []time.Duration
			for time.Since(began) < d {
				at := time.Now()
				_, perr := store.Put(ctx, at, []queue.Submission{submission("ses", queue.Normal, letter)})
				if perr != nil {
					mu.Lock()
					err = perr
					mu.Unlock()
					return
				}
				own = append(own, time.Since(at))
				n.Add(1)
			}
			mu.Lock()
			took = append(took, own...)
			mu.Unlock()
		})
	}
	parts.Wait()
	return perSecond(int(n.Load()), time.Since(began)), at(0.99, took), err
}

// claimAlone is how long a claim takes that nothing else goes on beside.
func claimAlone(ctx context.Context, store queue.Store) (time.Duration, error) {
	var claims []time.Duration
	for range 100 {
		c, err := cycle(ctx, store, batch)
		if err != nil || c.n == 0 {
			return at(0.5, claims), err
		}
		claims = append(claims, c.claim)
	}
	return at(0.5, claims), nil
}

// batch is how many jobs are claimed at a time.
const batch = 40

// cycleFor is how many jobs go through claim, begin and settle, 40 at a time, by 8
// workers.
func cycleFor(ctx context.Context, store queue.Store, d time.Duration) (rate float64, err error) {
	const workers = 8
	var n atomic.Int64
	var mu sync.Mutex
	var parts sync.WaitGroup
	began := time.Now()
	for range workers {
		parts.Go(func() {
			for time.Since(began) < d {
				got, cerr := cycle(ctx, store, batch)
				n.Add(int64(got.n))
				if cerr != nil {
					mu.Lock()
					err = cerr
					mu.Unlock()
				}
				if cerr != nil || got.n == 0 {
					return
				}
			}
		})
	}
	parts.Wait()
	return perSecond(int(n.Load()), time.Since(began)), err
}

type cycled struct {
	n     int
	claim time.Duration
}

func cycle(ctx context.Context, store queue.Store, batch int) (c cycled, err error) {
	began := time.Now()
	got, err := store.Claim(ctx, began, []queue.Want{{Lane: "ses", Count: batch}})
	if err != nil {
		return c, err
	}
	c.claim = time.Since(began)
	var tokens []queue.Token
	var settlements []queue.Settlement
	for _, claim := range got[0].Claims {
		tokens = append(tokens, claim.Token)
		settlements = append(settlements, queue.Settlement{Token: claim.Token, State: queue.Sent, Attempt: &queue.Attempt{Started: began, Outcome: 1}})
	}
	if len(tokens) == 0 {
		return c, nil
	}
	if _, err := store.Begin(ctx, time.Now(), tokens); err != nil {
		return c, err
	}
	_, err = store.Settle(ctx, time.Now(), settlements)
	c.n = len(tokens)
	return c, err
}
