package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// Runner delivers what is in a store. New makes one, Run runs it, once.
type Runner struct{ r *runner }

// New returns a runner.
func New(config Config) *Runner {
	r := &runner{config: config.withDefaults(), lanes: make(map[string]*lane), kicked: make(chan struct{}, 1),
		claims:   make(chan struct{}, claimsAtOnce),
		carriers: make(map[*carrier]struct{})}
	r.store = r.config.Store
	r.begins.init(r)
	r.settles.init(r)
	return &Runner{r}
}

// Kick says that jobs were put into a lane by this process: it is looked at at once,
// and not only when the store is asked next. urgent says that one may be urgent.
func (x *Runner) Kick(lane string, urgent bool) {
	r := x.r
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.laneLocked(lane)
	if known := !l.next.IsZero() && !l.next.After(time.Now()); known && !urgent {
		return // it has a backlog already
	}
	l.probe = true
	r.heatLocked(l)
}

// Wake has lanes looked at again whose outlet may have changed its mind.
func (x *Runner) Wake(lane string) {
	r := x.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lanes[lane]; l != nil {
		l.notBefore = time.Time{}
		r.heatLocked(l)
	}
}

type runner struct {
	config   Config
	store    queue.Store
	kicked   chan struct{} // something is hot
	claims   chan struct{} // a place for each claim that is going on
	claimed  sync.WaitGroup
	carrying sync.WaitGroup
	begins   begins
	settles  settles
	telling  sync.Mutex // held while Config.OnTrouble is called; taken before mu
	closed   bool       // the store was; the loop's own

	mu       sync.Mutex // guards what follows; nothing blocks under it
	lanes    map[string]*lane
	hot      []*lane
	sleeping sleepers
	carriers map[*carrier]struct{}
	draining bool
	troubles
}

// Run delivers until ctx ends, then drains and returns nil; or until the store
// cannot be recovered, or is closed. One that is delivered from already is a
// [*queue.LockedError].
func (x *Runner) Run(ctx context.Context) error { return x.r.run(ctx, false) }

// RunUntilEmpty is Run, but returns when nothing is queued any more that could be
// sent: lanes that are paused, or stopped until somebody acts, do not count.
func (x *Runner) RunUntilEmpty(ctx context.Context) error { return x.r.run(ctx, true) }

func (r *runner) run(ctx context.Context, untilEmpty bool) error {
	if err := r.recover(ctx); err != nil {
		return err
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var parts sync.WaitGroup
	parts.Go(func() { r.begins.run(work) })
	parts.Go(func() { r.settles.run(work) })
	chores, endChores := context.WithCancel(ctx)
	parts.Go(func() { r.chores(chores) })
	r.loop(ctx, untilEmpty)
	endChores()
	r.claimed.Wait()
	err := r.drain(ctx)
	if !r.closed { // nobody waits, but for the end of ctx
		r.inPieces(ctx, 0, purging, r.purge)
	}
	stop()
	parts.Wait()
	return errors.Join(err, r.store.Release())
}

// recover settles what an earlier run has left.
func (r *runner) recover(ctx context.Context) error {
	found, err := r.store.Recover(ctx, time.Now())
	if err != nil {
		return err
	}
	for i := range found.Unknown {
		r.settles.tell(Event{Kind: Lost, Job: found.Unknown[i]})
	}
	return nil
}

func (r *runner) loop(ctx context.Context, untilEmpty bool) {
	poll := time.NewTicker(r.config.Poll)
	defer poll.Stop()
	again := time.NewTicker(probeEvery)
	defer again.Stop()
	if !untilEmpty {
		again.Stop()
	}
	r.pollStore(ctx)
	look := false // whether only what is stuck is left
	for ctx.Err() == nil && !r.closed {
		if untilEmpty && (r.empty() || look && r.onlyStuck(ctx)) && !r.pollStore(ctx) {
			return
		}
		look = false
		timer := time.NewTimer(r.nextWake())
		select {
		case <-ctx.Done():
		case <-r.kicked:
		case <-timer.C:
		case <-poll.C:
			r.pollStore(ctx)
			look = true
		case <-again.C:
			r.probeAll()
		}
		timer.Stop()
		for ctx.Err() == nil && r.round(ctx) {
			select {
			case <-poll.C: // however busy it is here
				r.pollStore(ctx)
			default:
			}
		}
	}
}

// probeEvery is when RunUntilEmpty asks whether what it waits for is still there: a
// job that was taken back is no change worth a claim.
const probeEvery = time.Second

func (r *runner) probeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lanes {
		if l.flight+l.asked == 0 && !l.next.IsZero() {
			l.probe = true
			r.heatLocked(l)
		}
	}
}

// nextWake is how long the loop may sleep; the poll comes earlier, or it.
func (r *runner) nextWake() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sleeping) == 0 {
		return time.Hour
	}
	return max(time.Until(r.sleeping[0].wake), 0)
}

// pollStore asks which lanes have changed, and reports whether any has.
func (r *runner) pollStore(ctx context.Context) bool {
	changed, err := r.store.Changes(ctx, time.Now())
	if err != nil {
		r.closed = errors.Is(err, queue.ErrClosed)
		r.sick(polling, err)
		return true
	}
	r.well(polling)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range changed {
		l := r.laneLocked(name)
		l.probe = true
		r.heatLocked(l)
	}
	if r.shutLocked() && len(r.hot) > 0 {
		r.kick()
	}
	return len(changed) > 0
}

// empty reports whether nothing is left to do.
func (r *runner) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.hot) > 0 || len(r.carriers) > 0 || r.settles.busy() {
		return false
	}
	for _, l := range r.lanes {
		if !l.empty() {
			return false
		}
	}
	return true
}
