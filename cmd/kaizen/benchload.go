package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// benchPlan is a load: how many messages, by whom, to where.
type benchPlan struct {
	account     kaizen.Account
	source      benchSource
	messages    int
	senders     int
	once        bool
	maxFailures int
	client      *kaizen.Client // is closed at the end; default: a new one
}

// benchGrace is how long messages on their way may take after Ctrl-C.
const benchGrace = 3 * time.Second

// run sends until all messages have their verdict, too many have failed, or ctx
// ends. What was measured until then is returned beside any error.
func (p *benchPlan) run(ctx context.Context) (*benchResult, error) {
	var dialled atomic.Int64
	p.account.Trace = &smtp.Trace{ConnectDone: func(_, _ string, err error) {
		if err == nil {
			dialled.Add(1)
		}
	}}
	if p.client == nil {
		p.client = kaizen.New(kaizen.Config{})
	}
	load := &load{plan: p, client: p.client, began: time.Now(), stop: make(chan struct{})}
	cpu := cpuTime()
	load.send(ctx)
	took := time.Since(load.began)
	cpu = cpuTime() - cpu
	// How the goodbyes went says nothing about the messages.
	_ = p.client.Close()
	result := load.result(p, took, cpu)
	result.Connections = int(dialled.Load())
	return result, load.verdict(ctx)
}

func (p *benchPlan) server() string {
	return serverOf(&p.account)
}

// load is a plan being carried out.
type load struct {
	plan   *benchPlan
	client *kaizen.Client
	began  time.Time
	taken  atomic.Int64
	stop   chan struct{} // closed when too much has failed

	mu       sync.Mutex // guards what follows
	senders  []*sender
	failures int
	first    error // of the failures
}

// sender is one who sends, waits and sends again, with tallies of its own.
type sender struct {
	latencies  []time.Duration // of messages accepted
	first      time.Duration   // since the beginning, until the first verdict
	outcomes   [4]int
	roundTrips int
}

// send starts the senders and waits for them. When ctx ends they take nothing
// new; what is on its way may finish, so that its outcome gets known.
func (l *load) send(ctx context.Context) {
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(benchGrace, cut) })()
	var running sync.WaitGroup
	for range l.plan.senders {
		s := new(sender)
		l.senders = append(l.senders, s)
		running.Go(func() {
			for l.more(ctx) {
				l.one(sending, s)
			}
		})
	}
	running.Wait()
}

// more takes a message, if there is one to send.
func (l *load) more(ctx context.Context) bool {
	select {
	case <-l.stop:
		return false
	default:
	}
	return ctx.Err() == nil && l.taken.Add(1) <= int64(l.plan.messages)
}

func (l *load) one(ctx context.Context, s *sender) {
	began := time.Now()
	receipt, err := l.deliver(ctx, l.plan.source.next())
	now := time.Now()
	if receipt != nil {
		s.roundTrips += receipt.RoundTrips()
	}
	outcome := outcomeOf(receipt, err)
	s.outcomes[outcome]++
	if err != nil {
		l.failed(err)
	}
	if outcome != smtp.Accepted {
		return
	}
	if len(s.latencies) == 0 {
		s.first = now.Sub(l.began)
	}
	s.latencies = append(s.latencies, now.Sub(began))
}

func (l *load) deliver(ctx context.Context, m kaizen.Message) (*kaizen.Receipt, error) {
	if l.plan.once {
		return kaizen.DialAndSend(ctx, l.plan.account, m)
	}
	return l.client.Send(ctx, l.plan.account, m)
}

func outcomeOf(receipt *kaizen.Receipt, err error) kaizen.Outcome {
	if receipt != nil {
		return receipt.Outcome
	}
	if e, ok := errors.AsType[*kaizen.Error](err); ok {
		return e.Outcome
	}
	return smtp.NotSent
}

// failed keeps the first failure and stops the load at the last permitted one.
func (l *load) failed(err error) {
	if e, ok := errors.AsType[*kaizen.Error](err); ok && e.Class == smtp.ClassCanceled && e.Outcome == smtp.NotSent {
		return // the end of the load is no failure of the server
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = err
	}
	if l.failures++; l.failures == l.plan.maxFailures {
		close(l.stop)
	}
}

// verdict is the error of the load as a whole.
func (l *load) verdict(ctx context.Context) error {
	if l.first != nil {
		return fmt.Errorf("%d of %d messages failed, the first one: %w", l.failures, l.plan.messages, l.first)
	}
	if err := context.Cause(ctx); err != nil && l.taken.Load() < int64(l.plan.messages) {
		return fmt.Errorf("stopped early: %w", err)
	}
	return nil
}
