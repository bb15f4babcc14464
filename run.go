package kaizen

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/kaizenmail/kaizen/internal/delivery"
	"github.com/kaizenmail/kaizen/queue"
)

// JobEvent tells of a job of the queue that has changed.
type JobEvent struct {
	Kind JobEventKind
	Job  queue.Job // as it is now; its State tells what became of it
	// Attempt is the try that led to it; nil if there was none.
	Attempt *queue.Attempt
}

// JobEventKind is what a [JobEvent] is about.
type JobEventKind string

// The kinds.
const (
	// JobQueued: it was put into the queue.
	JobQueued JobEventKind = "queued"
	// JobTried: a try has ended. The job is Sent, Failed or Held, or Queued again for
	// its Due.
	JobTried JobEventKind = "tried"
	// JobLost: the process that sent it ended without an answer, so that its outcome is
	// unknown; its policy says what it is now.
	JobLost JobEventKind = "lost"
	// JobExpired: its time was over.
	JobExpired JobEventKind = "expired"
	// JobDamaged: it cannot be read any more, and is held.
	JobDamaged JobEventKind = "damaged"
	// JobStale: it was changed by somebody while it was on its way; what came of that
	// is in its history.
	JobStale JobEventKind = "stale"
)

var jobEventKinds = [...]JobEventKind{delivery.Settled: JobTried, delivery.Lost: JobLost, delivery.Expired: JobExpired,
	delivery.Damaged: JobDamaged, delivery.Stale: JobStale}

// deliveries are the runs of a client.
type deliveries struct {
	mu       sync.Mutex
	runner   *delivery.Runner           // nil: none
	unusable map[string]string          // why the accounts of these lanes cannot be used
	chains   map[string]map[string]bool // lanes that these accounts are a part of

	pauses pauses
}

// found notes whether the account of a lane can be used.
func (d *deliveries) found(lane string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.unusable, lane)
		return
	}
	if d.unusable == nil {
		d.unusable = make(map[string]string)
	}
	d.unusable[lane] = err.Error()
}

// shown are the accounts that cannot be used.
func (d *deliveries) shown() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.unusable)
}

func (d *deliveries) current() *delivery.Runner {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runner
}

func (d *deliveries) kick(lane string, urgent bool) {
	if r := d.current(); r != nil {
		r.Kick(lane, urgent)
	}
}

// wake has an account's jobs looked at: its health has changed.
func (d *deliveries) wake(lane string) {
	r := d.current()
	if r == nil {
		return
	}
	r.Wake(lane)
	for _, chain := range d.chainsOf(lane) {
		r.Wake(chain)
	}
}

var errRunning = errors.New("the client delivers from its queue already")

// Run delivers what is in Config.Queue, through the same pools, limits and
// priorities as [Client.Send], until ctx ends. Then it takes nothing more, waits up
// to Config.DrainTimeout for what is on its way, and returns nil. What an earlier
// run has left, of this process or another, is settled first: what was certainly
// not sent is queued again, and where nobody knows the message's policy decides.
//
// One process at a time can deliver from a store: others get a
// [*queue.LockedError]. They may put messages there and change them meanwhile,
// which is noticed within 200 ms. A store that is closed ends the run with
// [queue.ErrClosed]. Close the client after Run has returned.
func (c *Client) Run(ctx context.Context) error { return c.run(ctx, (*delivery.Runner).Run) }

// RunUntilEmpty is [Client.Run], but returns when nothing is queued any more that
// could be sent, ever so late: accounts that are paused, stopped or not there do not
// count, and neither do jobs that are held.
func (c *Client) RunUntilEmpty(ctx context.Context) error {
	return c.run(ctx, (*delivery.Runner).RunUntilEmpty)
}

func (c *Client) run(ctx context.Context, deliver func(*delivery.Runner, context.Context) error) error {
	if c.config.Queue == nil {
		return errNoQueue
	}
	runner := delivery.New(c.deliveryConfig())
	c.deliveries.mu.Lock()
	if c.deliveries.runner != nil {
		c.deliveries.mu.Unlock()
		return errRunning
	}
	c.deliveries.runner = runner
	c.deliveries.mu.Unlock()
	defer func() {
		c.deliveries.mu.Lock()
		defer c.deliveries.mu.Unlock()
		c.deliveries.runner, c.deliveries.unusable, c.deliveries.chains = nil, nil, nil
	}()
	_, _ = c.stateDir() // others see how it is doing; that it fails, the first message says
	c.reportAgain(ctx)
	return deliver(runner, ctx)
}

func (c *Client) deliveryConfig() delivery.Config {
	return delivery.Config{
		Store:     c.config.Queue,
		Outlet:    c.outlet,
		Drain:     c.config.DrainTimeout,
		Retention: c.config.Retention,
		OnEvent:   c.jobChanged,
		OnTrouble: c.queueTrouble,
	}
}

func (c *Client) jobChanged(e delivery.Event) {
	if e.Kind != delivery.Stale && e.Job.Report && (e.Job.State == queue.Failed || e.Job.State == queue.Expired) {
		c.report(&e.Job)
	}
	if c.config.OnJob != nil {
		c.announcements.await(e.Job.Lane, e.Job.Created)
		c.config.OnJob(JobEvent{jobEventKinds[e.Kind], e.Job, e.Attempt})
	}
}

func (c *Client) queueTrouble(err error) {
	if err != nil {
		c.config.Logger.Error("the queue fails; what could not be done is tried again", "error", err)
		return
	}
	c.config.Logger.Info("the queue works again")
}
