package kaizen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// Config says how a [Client] behaves. The zero value is usable.
type Config struct {
	// Logger is told what nobody else is: late verdicts, limits that differ, a
	// Close that takes long. Default: nothing is logged.
	Logger *slog.Logger
	// Accounts resolves an Account that has a Name and no Host.
	Accounts AccountResolver
	// DrainTimeout is how long Close waits for what is in flight. Default 30 s.
	DrainTimeout time.Duration
	// MaxWaiting bounds the messages that wait for an account. Default 100,000.
	MaxWaiting int
}

// AccountResolver finds an account by its name. It must be safe for concurrent
// use and quick: it is asked for each message.
type AccountResolver interface {
	Account(ctx context.Context, name string) (Account, error)
}

// Client sends mail over pooled connections, one pool for each account. One per
// process is enough. It is safe for concurrent use.
type Client struct {
	config Config

	mu     sync.Mutex // guards what follows; no I/O under it
	lanes  map[string]*lane
	latest *lane // of the last message, which the next one often shares
	closed bool
}

// New returns a client. It opens nothing before the first message.
func New(config Config) *Client {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.DrainTimeout == 0 {
		config.DrainTimeout = 30 * time.Second
	}
	return &Client{config: config, lanes: make(map[string]*lane)}
}

// Format tells nothing of the accounts: a client knows their passwords.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprint(f, "kaizen client") }

// lane is all a client knows of one account identity.
type lane struct {
	name    string
	limiter *limit.Limiter

	// Guarded by Client.mu.
	pool   *pool.Pool
	recent route // how the account was reached last
	// memories by host:port: what servers were seen to take.
	memories map[string]*smtp.Memory
}

// route is an account with what was derived from it.
type route struct {
	account Account
	target  pool.Target
	memory  *smtp.Memory
}

func newRoute(a *Account, memory *smtp.Memory) route {
	config := a.config()
	config.Memory = memory
	dial := func(ctx context.Context) (pool.Conn, error) { return smtp.Dial(ctx, config) }
	return route{account: *a, memory: memory,
		target: pool.Target{Key: a.connectionKey(), Server: config.Address(), Dial: dial}}
}

// resolve completes an account that is only a name.
func (c *Client) resolve(ctx context.Context, a Account) (Account, error) {
	if a.Host != "" {
		return a, nil
	}
	if a.Name == "" || c.config.Accounts == nil {
		return a, &Error{Account: a.Name, Phase: smtp.PhaseConnect, Class: ErrConnect,
			Err: errors.New("the account has no host"), Hint: "set Account.Host, or Config.Accounts to find accounts by name"}
	}
	found, err := c.config.Accounts.Account(ctx, a.Name)
	if err != nil {
		return a, &Error{Account: a.Name, Phase: smtp.PhaseConnect, Class: ErrConnect, Err: fmt.Errorf("find the account: %w", err)}
	}
	if found.Name == "" {
		found.Name = a.Name
	}
	return found, nil
}

// way is how one message goes.
type way struct {
	account string
	pool    *pool.Pool
	target  pool.Target
	memory  *smtp.Memory
}

// way finds the account's lane and how to reach its server.
func (c *Client) way(a *Account) (way, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return way{}, &Error{Account: a.label(), Phase: smtp.PhaseWaiting, Class: ErrClosed, Err: errors.New("the client is closed")}
	}
	l := c.latest
	if l == nil || !l.recent.account.same(a) {
		l = c.laneLocked(a)
		c.latest = l
	}
	if l.pool == nil {
		l.pool = pool.New(c.poolConfig(l, a))
	}
	return way{l.name, l.pool, l.recent.target, l.recent.memory}, nil
}

func (c *Client) laneLocked(a *Account) *lane {
	label := a.label()
	l := c.lanes[label]
	if l == nil {
		l = &lane{name: label, limiter: newLimiter(a), memories: make(map[string]*smtp.Memory)}
		c.lanes[label] = l
	} else if !l.recent.account.same(a) && l.limiter.Restrict(limits(a.rates())...) {
		c.config.Logger.Warn("two accounts of one identity have different rates; the stricter hold", "account", l.name)
	}
	address := a.config().Address()
	if l.memories[address] == nil {
		l.memories[address] = new(smtp.Memory)
	}
	l.recent = newRoute(a, l.memories[address])
	return l
}

func (c *Client) poolConfig(l *lane, a *Account) pool.Config {
	return pool.Config{
		Connections:           a.Limits.Connections,
		MessagesPerConnection: a.Limits.MessagesPerConnection,
		IdleTimeout:           a.IdleTimeout,
		MaxLifetime:           a.MaxLifetime,
		MinIdle:               a.MinIdle,
		MaxWaiting:            c.config.MaxWaiting,
		Limiter:               l.limiter,
		OnLate: func(item pool.Item, r *smtp.Result) {
			c.config.Logger.Info("late verdict on a message whose sender had given up", "account", l.name,
				"from", item.Envelope.From, "outcome", r.Outcome, "reply", r.Final.String())
		},
		OnSlowClose: func(waitingFor string) {
			c.config.Logger.Warn("closing takes long", "account", l.name, "waiting_for", waitingFor)
		},
	}
}

func newLimiter(a *Account) *limit.Limiter { return limit.New(limits(a.rates())...) }

func limits(rates []Rate) []limit.Rate {
	out := make([]limit.Rate, len(rates))
	for i, r := range rates {
		out[i] = limit.Rate{Count: r.Count, Per: r.Per, Unit: limit.Unit(r.Unit)}
	}
	return out
}

// Close drains the client as [Client.Shutdown] does, for Config.DrainTimeout.
func (c *Client) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.config.DrainTimeout)
	defer cancel()
	return c.Shutdown(ctx)
}

// Shutdown takes no more messages, finishes those in flight, says QUIT on all
// connections and returns when everything has ended. When ctx ends it cuts what
// is left and returns its error. Messages that were still in line were not
// sent, and their senders are told so.
func (c *Client) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	lanes := c.lanes
	c.mu.Unlock()
	return closeAll(ctx, c.takePools(lanes))
}

// CloseAccount closes the account's connections as Shutdown does. Its limits
// stay: the next message opens connections again.
func (c *Client) CloseAccount(ctx context.Context, a Account) error {
	a, err := c.resolve(ctx, a)
	if err != nil {
		return err
	}
	c.mu.Lock()
	l := c.lanes[a.label()]
	c.mu.Unlock()
	if l == nil {
		return nil
	}
	return closeAll(ctx, c.takePools(map[string]*lane{l.name: l}))
}

func (c *Client) takePools(lanes map[string]*lane) (pools []*pool.Pool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range lanes {
		if l.pool != nil {
			pools = append(pools, l.pool)
			l.pool = nil
		}
	}
	return pools
}

func closeAll(ctx context.Context, pools []*pool.Pool) error {
	errs := make([]error, len(pools))
	var wg sync.WaitGroup
	for i, p := range pools {
		wg.Go(func() { errs[i] = p.Close(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
