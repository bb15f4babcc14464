package kaizen

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/internal/state"
	"github.com/kaizenmail/kaizen/smtp"
)

// clientState is a client's part in its state directory.
type clientState struct {
	opening *opening             // guarded by Client.mu
	clock   func() state.Reading // nil: the machine's
	close   sync.Once
	dir     *state.Dir // set once it was opened
	ended   chan struct{}
	publish sync.WaitGroup
}

// opening is one try to open the state directory, for all who need it at a time.
type opening struct{ once func() (*state.Dir, error) }

func (c *Client) newOpening() *opening { return &opening{sync.OnceValues(c.openState)} }

// stateDir opens the state directory once. After a failure, the next message
// tries again: a disk may have been full, or not been there yet.
func (c *Client) stateDir() (*state.Dir, error) {
	c.mu.Lock()
	try := c.state.opening
	c.mu.Unlock()
	dir, err := try.once()
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.state.opening == try {
			c.state.opening = c.newOpening()
		}
	}
	return dir, err
}

// openState opens Config.StateDir and begins to show others how we are doing.
func (c *Client) openState() (*state.Dir, error) {
	if c.config.StateDir == "" {
		return nil, nil
	}
	dir, err := state.OpenClock(c.config.StateDir, c.state.clock)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.Join(errClientClosed, dir.Close())
	}
	c.state.dir = dir
	c.state.ended = make(chan struct{})
	c.state.publish.Go(c.publish)
	return dir, nil
}

// keep makes the keeper of an account.
func (c *Client) keep(a *Account) (*keeper, error) {
	dir, err := c.stateDir()
	if err == nil {
		var k *keeper
		if k, err = newKeeper(dir, a.label(), c.config.Logger); err == nil {
			return k, nil
		}
	}
	if errors.Is(err, errClientClosed) {
		return nil, &Error{Account: a.label(), Phase: smtp.PhaseWaiting, Class: ErrClosed, Err: errClientClosed}
	}
	return nil, &Error{Account: a.label(), Phase: smtp.PhaseWaiting, Class: ErrState, Err: err,
		Hint: "make Config.StateDir a folder that can be written"}
}

// closeState leaves the state directory, after all pools have ended.
func (c *Client) closeState(ctx context.Context) (err error) {
	c.state.close.Do(func() {
		c.mu.Lock()
		dir := c.state.dir
		var limiters []*limit.Limiter
		for _, l := range c.lanes {
			limiters = append(limiters, l.limiter)
		}
		c.mu.Unlock()
		if dir == nil {
			return
		}
		var errs []error
		for _, l := range limiters {
			errs = append(errs, l.Close(ctx))
		}
		close(c.state.ended)
		c.state.publish.Wait()
		err = errors.Join(append(errs, dir.Close())...)
	})
	return err
}

// Status is what a state directory tells of one account.
type Status struct {
	Account string `json:"account"`
	// Health is the worst that any process tells; where none is sending, what is
	// remembered.
	Health Health `json:"health"`
	// Limits are those that hold, with what all processes together have used.
	Limits []LimitStatus `json:"limits,omitempty"`
	// Processes are those that use the account now.
	Processes []ProcessStatus `json:"processes,omitempty"`
	// Unusable is why a process that delivers from a queue cannot use it: its settings
	// are wrong, or its password cannot be had. Empty: none says so.
	Unusable string `json:"unusable,omitempty"`

	stopped bool // on record
}

// LimitStatus is how much of a rate is used.
type LimitStatus struct {
	Rate Rate          `json:"rate"`
	Used int64         `json:"used"`           // within its span, up to now
	Free time.Duration `json:"free,omitempty"` // until there is room for one more; 0: there is
}

// ProcessStatus is a process that uses an account.
type ProcessStatus struct {
	PID     int       `json:"pid"`
	Program string    `json:"program"`
	Started time.Time `json:"started"` // when its client began to use the state directory
	Written time.Time `json:"written"` // when it last had something new to tell
	Health  Health    `json:"health"`
	Stats   Stats     `json:"stats"`
	// PerSecond is how many messages the server accepted from it in a second, over
	// the last five.
	PerSecond float64 `json:"per_second"`
}

// ReadStatus tells what the state directory of other clients (see
// [Config.StateDir]) knows, in the order of the accounts' names. Nothing is sent
// or changed. A folder that is not there is an empty one.
func ReadStatus(stateDir string) ([]Status, error) {
	dir := state.View(stateDir)
	all := make(map[string]*Status)
	of := func(account string) *Status {
		if all[account] == nil {
			all[account] = &Status{Account: account, Health: Health{Account: account}}
		}
		return all[account]
	}
	records, err := dir.Records()
	for _, r := range records {
		of(r.Account).recall(&r)
	}
	snapshots, err2 := dir.Snapshots()
	for _, s := range snapshots {
		var list []published
		if err := json.Unmarshal(s.Content, &list); err != nil {
			continue // another version's
		}
		for _, p := range list {
			if p.Unusable != "" {
				of(p.Health.Account).Unusable = p.Unusable
			}
			of(p.Health.Account).meet(ProcessStatus{PID: s.PID, Program: s.Program, Started: s.Started, Written: s.Written,
				Health: p.Health, Stats: p.Stats, PerSecond: p.PerSecond})
		}
	}
	usages, err3 := dir.Usages()
	for _, u := range usages {
		of(u.Account).measure(u.Windows)
	}
	list := make([]Status, 0, len(all))
	for _, s := range all {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Account, b.Account) })
	if err := errors.Join(err, err2, err3); err != nil {
		return list, fmt.Errorf("read the state folder %s: %w", stateDir, err)
	}
	return list, nil
}

// recall takes what is remembered of an account.
func (s *Status) recall(r *state.Record) {
	h := &s.Health
	if p := r.Pause; p != nil && time.Now().Before(p.Until) {
		h.Condition, h.Cause, h.Server, h.NextProbe = Down, CauseQuota, p.Server, p.Until
		h.Reason = "an allowance is used up: " + p.Reply.String()
	}
	if r.Stop != nil && !r.Stop.Over {
		s.stopped = true
		h.Condition, h.Cause, h.Server, h.Since = Down, CauseLogin, r.Stop.Server, r.Stop.Since
		h.Reason = "the login was refused: " + r.Stop.Text
	}
	for _, server := range slices.Sorted(maps.Keys(r.Learned)) {
		if h.Server == "" {
			h.Server = server
		}
		for _, l := range learnedLimits(pool.Learned(r.Learned[server]), nil) {
			if time.Since(l.Since) < pool.ForgetAfter {
				h.Learned = append(h.Learned, l)
			}
		}
	}
}

// meet takes what a process tells. A stop on record is the worst of all. What a
// server is known by does not get lost behind the worst: the certificate that ends
// first, warnings, limits, when a message was last accepted.
func (s *Status) meet(p ProcessStatus) {
	if h := &p.Health; h.Stopped() && !s.stopped && time.Since(h.Since) > recordWithin {
		// Somebody has lifted the stop. The process finds out with its next message.
		h.Condition, h.Cause, h.Reason = Healthy, CauseNone, ""
	}
	first := len(s.Processes) == 0
	s.Processes = append(s.Processes, p)
	was, worst := s.Health, s.Health
	if !was.Stopped() && (first || p.Health.Condition > was.Condition) {
		worst = p.Health
	}
	if first && !was.Stopped() {
		was = p.Health // knows what is remembered, and what has changed since
	}
	worst.Server = cmp.Or(worst.Server, p.Health.Server)
	worst.Certificate = earlier(was.Certificate, p.Health.Certificate)
	worst.Warnings = union(was.Warnings, p.Health.Warnings, func(a, b string) bool { return a == b })
	worst.Learned = union(was.Learned, p.Health.Learned, func(a, b LearnedLimit) bool { return a.Limit == b.Limit && a.Value == b.Value })
	if worst.LastAccepted = was.LastAccepted; p.Health.LastAccepted.After(was.LastAccepted) {
		worst.LastAccepted = p.Health.LastAccepted
	}
	s.Health = worst
}

// recordWithin is how soon after a refused login the stop is on record.
const recordWithin = 5 * time.Second

// earlier is the earlier one of two times that may be unknown.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// union is all of a, and what of b is not the same to same.
func union[E any](a, b []E, same func(E, E) bool) []E {
	all := slices.Clone(a)
	for _, e := range b {
		if !slices.ContainsFunc(all, func(known E) bool { return same(known, e) }) {
			all = append(all, e)
		}
	}
	return all
}

func (s *Status) measure(windows []state.Window) {
	for _, w := range windows {
		rate := Rate{Count: w.Rate.Count, Per: w.Rate.Per, Unit: Unit(w.Rate.Unit)}
		s.Limits = append(s.Limits, LimitStatus{Rate: rate, Used: w.Used, Free: w.Free})
	}
}
