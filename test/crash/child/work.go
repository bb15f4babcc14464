package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/test/crash/task"
)

type worker struct {
	client  *kaizen.Client
	store   *sqlite.Store
	callers int
}

// put queues the letters of the input, several at once.
func (w *worker) put(ctx context.Context) error {
	letters := make(chan task.Letter)
	var callers sync.WaitGroup
	for range w.callers {
		callers.Go(func() {
			for l := range letters {
				w.queue(ctx, &l)
			}
		})
	}
	err := read(letters)
	close(letters)
	callers.Wait()
	return err
}

func read(letters chan<- task.Letter) error {
	lines := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var l task.Letter
		err := lines.Decode(&l)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read letters: %w", err)
		}
		letters <- l
	}
}

var patience = []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond}

// queue puts a letter, says so, and does its deed.
func (w *worker) queue(ctx context.Context, l *task.Letter) {
	m := &kaizen.Prepared{
		Envelope:  smtp.Envelope{From: task.From, To: smtp.To(l.To...)},
		Content:   smtp.Bytes(l.Octets()),
		MessageID: l.MessageID(),
		Priority:  kaizen.Priority(l.Priority),
	}
	o := kaizen.EnqueueOptions{Key: l.JobKey(), Unknown: l.Unknown, Durability: l.Durability, Expire: l.Expire, Backoff: patience}
	if l.Delay > 0 {
		o.NotBefore = time.Now().Add(l.Delay)
	}
	if l.Expire == 0 {
		o.Expire = time.Hour
	}
	say(task.Event{What: task.Trying, Key: l.Key})
	receipt, err := w.client.Enqueue(ctx, l.Account, m, o)
	if err != nil {
		say(task.Event{What: task.Refused, Key: l.Key, Error: err.Error()})
		return
	}
	say(task.Event{What: task.Queued, Key: l.Key, ID: receipt.ID})
	if err := w.do(ctx, l, receipt.ID); err != nil {
		fmt.Fprintf(os.Stderr, "child: %s %s: %v\n", l.Then, l.Key, err)
	}
}

func (w *worker) do(ctx context.Context, l *task.Letter, id queue.ID) error {
	command := func(action queue.Action) (queue.Controlled, error) {
		return w.store.Control(ctx, time.Now(), queue.Command{Action: action, IDs: []queue.ID{id}, Priority: queue.Urgent})
	}
	switch l.Then {
	case task.Cancel:
		done, err := command(queue.DoCancel)
		if err != nil {
			return err
		}
		what := task.TooLate
		if done.Changed == 1 {
			what = task.DidIt
		}
		say(task.Event{What: what, Key: l.Key, ID: id})
	case task.Hold:
		if _, err := command(queue.DoHold); err != nil {
			return err
		}
		_, err := command(queue.DoRelease)
		return err
	case task.Reorder:
		_, err := command(queue.DoReorder)
		return err
	case task.Pause:
		if err := w.store.Pause(ctx, time.Now(), l.Account, "a crash test"); err != nil {
			return err
		}
		return w.store.Resume(ctx, time.Now(), l.Account)
	}
	return nil
}

// deliver delivers, queues what it is given meanwhile, and ends when the input has
// ended and nothing waits any more.
func (w *worker) deliver(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.client.Run(ctx) }()
	say(task.Event{What: task.Resumed})
	err := w.put(ctx)
	if err == nil {
		err = w.wait(ctx, ended)
	}
	stop()
	if runErr := <-ended; err == nil && !errors.Is(runErr, context.Canceled) {
		err = runErr
	}
	return err
}

// wait returns when no job waits, or delivery has ended by itself. Meanwhile it
// undoes what a killed process has left half done: pauses and holds.
func (w *worker) wait(ctx context.Context, ended chan error) error {
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		more, err := w.tidy(ctx)
		if err == nil && !more {
			return nil
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "child: look whether the queue is empty:", err)
		}
		select {
		case err := <-ended:
			ended <- nil
			return fmt.Errorf("delivery ended by itself: %w", err)
		case <-tick.C:
		}
	}
}

// tidy reports whether a job waits.
func (w *worker) tidy(ctx context.Context) (more bool, err error) {
	now := time.Now()
	stats, err := w.store.Stats(ctx, now)
	if err != nil {
		return true, err
	}
	for _, lane := range stats.Lanes {
		if !lane.Paused.IsZero() {
			if err := w.store.Resume(ctx, now, lane.Name); err != nil {
				return true, err
			}
		}
	}
	held, err := w.store.List(ctx, now, queue.Filter{States: []queue.State{queue.Held}, Limit: 1 << 20})
	if err != nil {
		return true, err
	}
	released := 0
	for i := range held {
		if held[i].Doubt {
			continue
		}
		released++
		if _, err := w.store.Control(ctx, now, queue.Command{Action: queue.DoRelease, IDs: []queue.ID{held[i].ID}}); err != nil {
			return true, err
		}
	}
	return released > 0 || stats.Total(queue.Queued, queue.Active) > 0, nil
}
