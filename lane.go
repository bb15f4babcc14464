package kaizen

import (
	"context"
	"slices"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// lane is all a client knows of one account identity.
type lane struct {
	name    string
	limiter *limit.Limiter
	keeper  *keeper
	limits  Limits // of the account seen first
	// counters outlive the pools, so that totals never go down.
	counters pool.Counters

	// Guarded by Client.mu.
	differ bool // other limits were seen, and it was said
	// connections and messages on each: the least of all limits seen.
	connections, messages int

	pool    *pool.Pool
	recent  route // how the account was reached last
	closing []*pool.Pool
	drained chan struct{} // closed when closing is empty again; nil if it is
	// memories by host:port: what servers were seen to take.
	memories map[string]*smtp.Memory
}

// route is an account with what was derived from it.
type route struct {
	account  Account
	target   pool.Target
	memories memories
}

func (c *Client) newRoute(l *lane, a *Account) route {
	if a.Mailer != nil {
		return l.mailerRoute(a)
	}
	key := a.connectionKey()
	l.keeper.use(key, a.auth())
	r := route{account: *a}
	r.account.Servers = slices.Clone(a.Servers)
	r.target, r.memories = c.poolTarget(l, a, key)
	return r
}

// way is how one message goes.
type way struct {
	account  string
	keeper   *keeper
	pool     *pool.Pool
	target   pool.Target
	memories memories
	drained  <-chan struct{} // nil: go at once
}

// open waits until the connections of a CloseAccount are gone: those that follow
// them must not be too many for the server.
func (w *way) open(ctx context.Context) error {
	if w.drained == nil {
		return nil
	}
	select {
	case <-w.drained:
		return nil
	case <-ctx.Done():
		return &Error{Account: w.account, Server: w.target.Server, Phase: smtp.PhaseWaiting, Class: ErrCanceled, Err: ctx.Err()}
	}
}

// way finds the account's lane and how to reach its server.
func (c *Client) way(a *Account) (way, error) {
	w, differ, err := c.find(a, nil)
	if err == nil && w.pool == nil {
		var k *keeper
		if k, err = c.keep(a); err != nil {
			return way{}, err
		}
		w, differ, err = c.find(a, k)
	}
	if differ {
		c.config.Logger.Warn("two accounts of one identity have different limits; the stricter hold", "account", w.account)
	}
	return w, err
}

// find finds the lane, or makes it with a keeper. Without one there may be
// nothing to find.
func (c *Client) find(a *Account, k *keeper) (w way, differ bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return way{}, false, &Error{Account: a.label(), Phase: smtp.PhaseWaiting, Class: ErrClosed, Err: errClientClosed}
	}
	l := c.latest
	if l == nil || !l.recent.account.same(a) {
		if k == nil && c.lanes[a.label()] == nil {
			return way{}, false, nil
		}
		l, differ = c.laneLocked(a, k)
		c.latest = l
	}
	if l.pool == nil {
		l.pool = pool.New(c.poolConfig(l, a))
	}
	return way{l.name, l.keeper, l.pool, l.recent.target, l.recent.memories, l.drained}, differ, nil
}

func (c *Client) laneLocked(a *Account, k *keeper) (l *lane, differ bool) {
	label := a.label()
	if l = c.lanes[label]; l == nil {
		full := a.Limits.withDefaults()
		l = &lane{name: label, keeper: k, limiter: k.limiter(limits(full.Rates)), limits: a.Limits,
			connections: full.Connections, messages: full.MessagesPerConnection, memories: make(map[string]*smtp.Memory)}
		c.lanes[label] = l
	} else if !l.limits.equal(&a.Limits) {
		l.restrictLocked(&a.Limits)
		differ, l.differ = !l.differ, true
	}
	l.recent = c.newRoute(l, a)
	return l, differ
}

// restrictLocked makes other limits hold besides.
func (l *lane) restrictLocked(other *Limits) {
	full := other.withDefaults()
	l.limiter.Restrict(limits(full.Rates)...)
	l.connections = min(l.connections, full.Connections)
	if n := full.MessagesPerConnection; n > 0 && (l.messages < 0 || n < l.messages) {
		l.messages = n
	}
	if l.pool != nil {
		l.pool.Restrict(l.connections, l.messages)
	}
}

// takeLocked takes the pool out of service and returns all that are closing.
func (l *lane) takeLocked() []*pool.Pool {
	if l.pool != nil {
		l.closing = append(l.closing, l.pool)
		l.pool = nil
		if l.drained == nil {
			l.drained = make(chan struct{})
		}
	}
	return slices.Clone(l.closing)
}

// goneLocked notes that these pools have ended.
func (l *lane) goneLocked(pools []*pool.Pool) {
	l.closing = slices.DeleteFunc(l.closing, func(p *pool.Pool) bool { return slices.Contains(pools, p) })
	if len(l.closing) == 0 && l.drained != nil {
		close(l.drained)
		l.drained = nil
	}
}

func limits(rates []Rate) []limit.Rate {
	out := make([]limit.Rate, len(rates))
	for i, r := range rates {
		out[i] = limit.Rate{Count: r.Count, Per: r.Per, Unit: limit.Unit(r.Unit)}
	}
	return out
}
