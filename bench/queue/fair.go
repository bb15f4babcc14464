package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
)

// stopwatch times jobs from when they are about to be put until they were sent.
type stopwatch struct {
	mu    sync.Mutex
	began map[queue.ID]time.Time
	ended map[queue.ID]time.Time // those that were faster than their receipts
	took  []time.Duration
}

func newStopwatch() *stopwatch {
	return &stopwatch{began: make(map[queue.ID]time.Time), ended: make(map[queue.ID]time.Time)}
}

func (w *stopwatch) put(id queue.ID, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if end, ok := w.ended[id]; ok {
		w.took = append(w.took, end.Sub(at))
		return
	}
	w.began[id] = at
}

// sent takes the time at which the server was written to.
func (w *stopwatch) sent(e kaizen.JobEvent) {
	if e.Attempt == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	end := e.Attempt.Started
	if at, ok := w.began[e.Job.ID]; ok {
		w.took = append(w.took, end.Sub(at))
		return
	}
	w.ended[e.Job.ID] = end
}

// fair has many accounts, one of them limited to 10 a second with a long line, and
// times messages on the others.
func fair(ctx context.Context, s settings) error {
	limited := kaizen.Rate{Count: 10, Per: time.Second}
	watch := newStopwatch()
	store, client, end, err := s.running(ctx, func(sink *server, name string) kaizen.Account {
		if name == "blocked" {
			return sink.account(name, limited)
		}
		return sink.account(name)
	}, watch, func(store queue.Store) error {
		return fill(ctx, store, s.blocked, always("blocked"), queue.Normal, s.letter())
	})
	if err != nil {
		return err
	}
	defer end()
	letter := s.letter()
	for range s.samples {
		lane := fmt.Sprint("lane", rand.IntN(s.lanes))
		at := time.Now()
		r, err := client.Enqueue(ctx, lane, prepared(letter, queue.Normal), kaizen.EnqueueOptions{})
		if err != nil {
			return err
		}
		watch.put(r.ID, at)
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
	}
	return s.tell(ctx, store, watch, fmt.Sprintf("%d lanes, %d messages on one that is limited", s.lanes, s.blocked))
}

// urgent times urgent messages on an account with many of the priority bulk, without
// a limit.
func urgent(ctx context.Context, s settings) error {
	watch := newStopwatch()
	store, client, end, err := s.running(ctx, func(sink *server, name string) kaizen.Account { return sink.account(name) }, watch,
		func(store queue.Store) error {
			return fill(ctx, store, s.bulk, always("ses"), queue.Bulk, s.letter())
		})
	if err != nil {
		return err
	}
	defer end()
	letter := s.letter()
	for range s.samples {
		at := time.Now()
		r, err := client.Enqueue(ctx, "ses", prepared(letter, queue.Urgent), kaizen.EnqueueOptions{})
		if err != nil {
			return err
		}
		watch.put(r.ID, at)
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	}
	return s.tell(ctx, store, watch, fmt.Sprintf("urgent among %d of the priority bulk", s.bulk))
}

// running is a queue that is filled and delivered from.
func (s *settings) running(ctx context.Context, account func(*server, string) kaizen.Account, watch *stopwatch, fill func(queue.Store) error) (queue.Store, *kaizen.Client, func(), error) {
	store, err := s.fresh("fair")
	if err != nil {
		return nil, nil, nil, err
	}
	if err := fill(store); err != nil {
		return nil, nil, nil, err
	}
	sink, err := startSink(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	client := kaizen.New(kaizen.Config{Queue: store, OnJob: watch.sent,
		Accounts: resolver(func(name string) kaizen.Account { return account(sink, name) })})
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- client.Run(run) }()
	end := func() {
		stop()
		if err := <-ended; err != nil {
			say("run: %v", err)
		}
		client.Close()
		sink.close()
		store.Close()
	}
	return store, client, end, nil
}

// tell waits for the last ones and prints how long all took.
func (s *settings) tell(ctx context.Context, store queue.Store, watch *stopwatch, what string) error {
	for range 100 {
		watch.mu.Lock()
		n := len(watch.took)
		watch.mu.Unlock()
		if n >= s.samples {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	watch.mu.Lock()
	defer watch.mu.Unlock()
	say("%s: %d of %d sent; from Enqueue to MAIL p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, most %.1f ms; peak memory %.0f MB", what,
		len(watch.took), s.samples, ms(at(0.5, watch.took)), ms(at(0.9, watch.took)), ms(at(0.99, watch.took)), ms(at(1, watch.took)), peakMemory())
	return errors.Join(ctx.Err(), s.writeHeap())
}

// writeHeap writes what the memory is used for, if that is wanted.
func (s *settings) writeHeap() error {
	if s.heap == "" {
		return nil
	}
	f, err := os.Create(s.heap)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
}
