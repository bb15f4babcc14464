package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/bench/cputime"
	"github.com/kaizenmail/kaizen/queue"
)

// drain empties a queue that was filled before, and then another one while 64
// callers put messages into it.
func drain(ctx context.Context, s settings) error {
	var alone, beside, put []float64
	for turn := range s.turns {
		rate, err := s.drainOnce(ctx, s.backlog)
		if err != nil {
			return err
		}
		if s.verbose {
			say("turn %d: drained %.0f/s", turn+1, rate)
			continue
		}
		sent, queued, err := s.drainBeside(ctx)
		if err != nil {
			return err
		}
		say("turn %d: drained %.0f/s; beside enqueueing (%.0f/s) %.0f/s; peak memory %.0f MB", turn+1, rate, queued, sent, peakMemory())
		alone, beside, put = append(alone, rate), append(beside, sent), append(put, queued)
	}
	if s.verbose {
		return nil
	}
	say("median: drained %.0f/s; beside enqueueing (%.0f/s) %.0f/s", median(alone), median(put), median(beside))
	return nil
}

// drainOnce is how fast a prefilled queue empties.
func (s *settings) drainOnce(ctx context.Context, backlog int) (float64, error) {
	store, err := s.fresh("drain")
	if err != nil {
		return 0, err
	}
	defer store.Close()
	if err := fill(ctx, store, backlog, always("ses"), queue.Normal, s.letter()); err != nil {
		return 0, err
	}
	sink, err := startSink(ctx)
	if err != nil {
		return 0, err
	}
	defer sink.close()
	watched := newTimed(store)
	client := kaizen.New(kaizen.Config{Queue: watched, StateDir: store.StateDir(), Accounts: resolver(func(name string) kaizen.Account { return sink.account(name) })})
	defer client.Close()
	began, used := time.Now(), cputime.Used()
	if err := client.RunUntilEmpty(ctx); err != nil {
		return 0, err
	}
	if s.verbose {
		watched.tell()
		say("  CPU %.1f µs a message, without the server's", float64((cputime.Used()-used).Microseconds())/float64(backlog))
	}
	return perSecond(backlog, time.Since(began)), nil
}

const (
	callers = 64
	beside  = 5 * time.Second
)

// drainBeside is how fast messages leave while others are put, by callers that wait
// for each to be on disk.
func (s *settings) drainBeside(ctx context.Context) (sent, queued float64, err error) {
	store, err := s.fresh("beside")
	if err != nil {
		return 0, 0, err
	}
	defer store.Close()
	letter := s.letter()
	if err := fill(ctx, store, s.backlog, always("ses"), queue.Normal, letter); err != nil {
		return 0, 0, err
	}
	sink, err := startSink(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer sink.close()
	var left, put atomic.Int64
	client := kaizen.New(kaizen.Config{Queue: store, Accounts: resolver(func(name string) kaizen.Account { return sink.account(name) }),
		OnJob: func(e kaizen.JobEvent) {
			if e.Job.State == queue.Sent {
				left.Add(1)
			}
		}})
	defer client.Close()
	run, end := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { err = client.Run(run) })
	began := time.Now()
	for range callers {
		parts.Go(func() {
			for run.Err() == nil {
				if _, err := store.Put(ctx, time.Now(), []queue.Submission{submission("ses", queue.Normal, letter)}); err == nil {
					put.Add(1)
				}
			}
		})
	}
	select {
	case <-time.After(beside):
	case <-ctx.Done():
	}
	took := time.Since(began)
	sent, queued = perSecond(int(left.Load()), took), perSecond(int(put.Load()), took)
	end()
	parts.Wait()
	return sent, queued, err
}
