package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// demoWay is one of the three ways of the comparison.
type demoWay uint8

const (
	demoSingly    demoWay = iota // a connection each, one message after the other
	demoPooled                   // the document's limits, all messages at once
	demoUnlimited                // the same without the rate limit
	demoWays
)

var demoWayNames = [demoWays]string{"a connection each", "pool, 10 per second", "pool, no rate limit"}

// String names the way as the table does.
func (w demoWay) String() string { return demoWayNames[w] }

// demoRun is one way with one number of messages. While it goes on only sent and
// ended may be read.
type demoRun struct {
	way      demoWay
	messages int
	speed    float64
	sent     atomic.Int64
	ended    atomic.Bool

	began     time.Time
	took      time.Duration // as it would be in life
	traffic   demoTraffic
	estimated bool // not run; derived from a smaller number
}

// run sends against a server of its own and waits for all verdicts.
func (r *demoRun) run(ctx context.Context) error {
	defer r.ended.Store(true)
	server, err := startDemoServer(r.speed)
	if err != nil {
		return err
	}
	defer server.server.Close()
	r.began = time.Now()
	var goodbye func() error
	if r.way == demoSingly {
		err = r.inTurn(ctx, server)
		r.took = time.Since(r.began)
	} else {
		goodbye, err = r.atOnce(ctx, server)
		r.took = time.Since(r.began)
		err = errors.Join(err, goodbye())
	}
	r.took = time.Duration(float64(r.took) * r.speed)
	r.traffic = server.traffic()
	return err
}

func (r *demoRun) inTurn(ctx context.Context, server *demoServer) error {
	send, _ := server.singly()
	for i := range r.messages {
		if err := send(ctx, demoMessage(i+1)); err != nil {
			return err
		}
		r.sent.Add(1)
	}
	return nil
}

// atOnce hands all messages over at the same time. The goodbye, which closes the
// connections, is no part of the time: all verdicts are there before.
func (r *demoRun) atOnce(ctx context.Context, server *demoServer) (goodbye func() error, err error) {
	send, goodbye := server.pooled(r.way == demoPooled)
	errs := make([]error, r.messages)
	var sending sync.WaitGroup
	for i := range r.messages {
		sending.Go(func() {
			if errs[i] = send(ctx, demoMessage(i+1)); errs[i] == nil {
				r.sent.Add(1)
			}
		})
	}
	sending.Wait()
	for _, err := range errs {
		if err != nil {
			return goodbye, err
		}
	}
	return goodbye, nil
}

// estimate stands for r what a smaller number of messages showed, which is exact
// enough where one message goes after the other.
func (r *demoRun) estimate(from *demoRun) {
	times := int64(r.messages / from.messages)
	r.estimated = true
	r.took = from.took * time.Duration(times)
	r.traffic = demoTraffic{from.traffic.connections * int(times), from.traffic.roundTrips * times,
		from.traffic.octets * times, from.traffic.accepted * int(times)}
	r.ended.Store(true)
}

// demoRound is the three ways with one number of messages, side by side.
type demoRound struct {
	messages int
	runs     [demoWays]*demoRun
}

func newDemoRound(messages int, speed float64) *demoRound {
	round := &demoRound{messages: messages}
	for way := range demoWays {
		round.runs[way] = &demoRun{way: way, messages: messages, speed: speed}
	}
	return round
}

// run lets the ways run at the same time, each against a server of its own, and
// calls finished after each. The first error ends them all.
func (d *demoRound) run(ctx context.Context, finished func(*demoRun)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, r := range d.runs {
		if r.estimated {
			continue
		}
		running.Go(func() {
			if err := r.run(ctx); err != nil {
				cancel(err)
				return
			}
			finished(r)
		})
	}
	running.Wait()
	return context.Cause(ctx)
}
