package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/internal/crashpoint"
	"github.com/kaizenmail/kaizen/queue"
)

// carrier takes one claimed job to its outcome.
type carrier struct {
	runner *runner
	lane   *lane
	outlet Outlet
	claim  *queue.Claim

	ctx    context.Context // ends when the job shall not be sent any more
	cancel context.CancelFunc

	asked   sync.Once
	begun   chan struct{} // closed when the store has answered
	refusal error         // its answer, once begun is closed

	mu        sync.Mutex
	committed bool // the octets that can deliver it may go
	taken     bool // back, before that
}

var errDraining = errors.New("the queue is not delivered from any more")

// carryLocked sends a claimed job on its way.
func (r *runner) carryLocked(l *lane, outlet Outlet, claim *queue.Claim) {
	c := &carrier{runner: r, lane: l, outlet: outlet, claim: claim, begun: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if claim.Begun {
		c.asked.Do(func() { close(c.begun) })
	}
	l.flight++
	delete(l.stuck, claim.Job.ID)
	if claim.Job.Priority == queue.Urgent {
		l.urgents++
	}
	r.carriers[c] = struct{}{}
	r.carrying.Go(c.carry)
}

func (c *carrier) carry() {
	defer c.cancel()
	job := &c.claim.Job
	to, places := next(job)
	result := c.outlet.Send(c.ctx, Message{Job: job, To: to, Content: &c.claim.Body, Pulled: c.pulled, Commit: c.commit})
	now := time.Now()
	r := c.runner
	settled := settled{lane: c.lane, job: job, Settlement: verdict(job, places, result, now, r.config.Backoff)}
	settled.Token = c.claim.Token
	if c.lostClaim() {
		r.finished(c, now, true, nil)
		if errors.Is(c.refusal, queue.ErrExpired) {
			expired := *job
			expired.Expire(now)
			r.settles.tell(Event{Kind: Expired, Job: expired})
		}
		return
	}
	if result.Stopped {
		r.stick(c)
	}
	r.finished(c, now, settled.Attempt != nil || settled.State != queue.Queued || !result.Again.IsZero(), &settled)
}

// lostClaim: the store has refused to begin, as the job is not ours any more.
func (c *carrier) lostClaim() bool {
	select {
	case <-c.begun:
		return errors.Is(c.refusal, queue.ErrStale) || errors.Is(c.refusal, queue.ErrExpired)
	default:
		return false
	}
}

// pulled: a connection has taken the job, so it is about to begin.
func (c *carrier) pulled() {
	c.askBegin()
	r := c.runner
	r.mu.Lock() // short: nothing blocks under it
	defer r.mu.Unlock()
	r.heatLocked(c.lane)
}

func (c *carrier) askBegin() {
	c.asked.Do(func() { c.runner.begins.add(c) })
}

// commit waits until it is on record that the job may be delivered.
func (c *carrier) commit() error {
	c.askBegin()
	select {
	case <-c.begun:
	case <-c.ctx.Done():
		return errDraining
	}
	if c.refusal != nil {
		return c.refusal
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken {
		return errDraining
	}
	c.committed = true
	crashpoint.Hit("final.before")
	return nil
}

// takeBack ends the try, unless the message may be on its way out.
func (c *carrier) takeBack() {
	c.mu.Lock()
	committed := c.committed
	c.taken = c.taken || !committed
	c.mu.Unlock()
	if !committed {
		c.cancel()
	}
}

// finished books the end of a try. useful says that it told something of the
// message; if nothing but the account was in the way the lane has a rest.
func (r *runner) finished(c *carrier, now time.Time, useful bool, s *settled) {
	r.mu.Lock()
	l := c.lane
	l.flight--
	if c.claim.Job.Priority == queue.Urgent {
		l.urgents--
	}
	delete(r.carriers, c)
	if useful {
		l.vain, l.notBefore = 0, time.Time{}
	} else if !r.draining && !now.Before(l.notBefore) {
		l.vain++
		l.notBefore = now.Add(storePause(l.vain))
	}
	if s != nil {
		r.settles.add(*s)
	}
	r.heatLocked(l)
	r.mu.Unlock()
}

// drain waits for what is on its way, and takes back what is not yet.
func (r *runner) drain(ctx context.Context) error {
	r.mu.Lock()
	r.draining = true
	for c := range r.carriers {
		c.takeBack()
	}
	r.mu.Unlock()
	done := make(chan struct{})
	go func() { r.carrying.Wait(); close(done) }()
	deadline := time.NewTimer(max(r.config.Drain, 0))
	defer deadline.Stop()
	select {
	case <-done:
	case <-deadline.C:
		r.cutAll()
		<-done
	}
	return r.settles.flush(max(r.config.Drain/2, time.Second))
}

// cutAll ends the tries that are left: what they have sent is unknown.
func (r *runner) cutAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.carriers {
		c.cancel()
	}
}
