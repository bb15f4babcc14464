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
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// Config says how a [Client] behaves. The zero value is usable.
type Config struct {
	// Logger is told what nobody else is: late verdicts, limits that differ, a
	// Close that takes long. It never sees a credential. Default: nothing is logged.
	Logger *slog.Logger
	// Accounts resolves an Account that has a Name and neither Host nor Mailer.
	Accounts AccountResolver
	// Router chooses the accounts of messages for which none is named: that are sent
	// with the zero Account, or enqueued for the account "". Default: none.
	Router Router
	// DrainTimeout is how long Close waits for what is in flight. Default 30 s;
	// negative: not at all.
	DrainTimeout time.Duration
	// MaxWaiting bounds the messages that wait for an account; those beyond fail
	// at once with ErrBusy. Default 100,000.
	MaxWaiting int
	// StateDir is a folder in which the client keeps what must outlive it, and
	// shares it with other processes of the user: how much of the limits is used, so
	// that they hold over restarts and for all processes together; which accounts
	// were stopped because their login was refused; what servers were seen to take;
	// and how the accounts are doing, see [ReadStatus]. It is made if need be, mode
	// 0700, and has no secrets in it. If it cannot be read or written, nothing is
	// sent (ErrState). Default: that of Queue if it has a method StateDir() string; else
	// nothing is kept, and limits hold for this client.
	StateDir string
	// OnHealth is told when the condition of an account changes, what causes it, or
	// that a certificate is about to expire. The calls for one account come in
	// order, one at a time. It must not block for long, and not call Close,
	// Shutdown or CloseAccount, which wait for it; anything else of the client's may
	// be called. Default: none. Changes are
	// logged in any case.
	OnHealth func(Health)
	// Trace is told of messages and connections; default: nobody is.
	Trace *Trace

	// Queue keeps messages for [Client.Enqueue] and [Client.Run]. It is not closed by
	// the client. Default: none; Send needs none.
	Queue queue.Store
	// Retention is how long Run remembers finished jobs of the queue.
	Retention queue.Retention
	// OnJob is told what becomes of jobs of the queue, after it was stored: of those
	// that this client enqueues and runs. The calls of Run come one at a time, and it
	// waits for them; so it must not block for long.
	OnJob func(JobEvent)
}

// AccountResolver finds an account by its name. What it returns need not repeat
// the name. It must be safe for concurrent use and quick: it is asked for each
// message. One that remembers passwords may have a method Forget(name string),
// which is called when a login was refused: the next answer should be a fresh one.
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

	state         clientState
	deliveries    deliveries
	announcements announcements
}

// New returns a client. It opens nothing before the first message.
func New(config Config) *Client {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.DrainTimeout == 0 {
		config.DrainTimeout = 30 * time.Second
	}
	if beside, ok := config.Queue.(interface{ StateDir() string }); ok && config.StateDir == "" {
		config.StateDir = beside.StateDir()
	}
	c := &Client{config: config, lanes: make(map[string]*lane)}
	c.state.opening = c.newOpening()
	return c
}

// Format tells nothing of the accounts: a client knows their passwords.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprint(f, "kaizen client") }

// resolve completes an account that is only a name.
func (c *Client) resolve(ctx context.Context, a Account) (Account, error) {
	if a.complete() {
		return a, a.ambiguous()
	}
	if a.Name == "" || c.config.Accounts == nil {
		return a, noHost(a.Name)
	}
	found, err := c.config.Accounts.Account(ctx, a.Name)
	if err != nil {
		return a, &Error{Account: a.Name, Phase: smtp.PhaseWaiting, Class: ErrConnect, Err: fmt.Errorf("find the account: %w", err)}
	}
	if found.Name == "" {
		found.Name = a.Name
	}
	if !found.complete() {
		return found, noHost(found.Name)
	}
	return found, found.ambiguous()
}

func noHost(name string) *Error {
	return &Error{Account: name, Phase: smtp.PhaseWaiting, Class: ErrConnect, Err: errors.New("the account has no host"),
		Hint: "set Account.Host, Socket or Mailer, or Config.Accounts to find accounts by name"}
}

var errClientClosed = errors.New("the client is closed")

func (c *Client) poolConfig(l *lane, a *Account) pool.Config {
	server, memory, k, lmtp := a.address(), l.recent.memories, l.keeper, a.LMTP
	learned, paused := k.recall(server)
	return pool.Config{
		Learned: learned, Paused: paused,
		OnRefused: func(key string, err *smtp.Error) {
			k.refused(key, err)
			if errors.As(err.Err, new(*StoppedError)) {
				return // nobody was asked: what the account is has just been found
			}
			if accounts, ok := c.config.Accounts.(interface{ Forget(name string) }); ok {
				accounts.Forget(l.name)
			}
		},
		OnProven:  k.proven,
		OnLearned: func(learned pool.Learned) { k.learn(server, learned) },
		OnPause:   k.paused,
		OnHealth: func(h pool.Health) {
			changed := healthOf(l.name, h, memory)
			changed.LMTP = lmtp
			c.healthChanged(changed)
			c.deliveries.wake(l.name)
		},
		OnHold: func(by limit.Rate, until time.Time) {
			c.config.Logger.Info("messages wait for a limit of their account", "account", l.name, "limit", by.String(), "until", until)
		},
		Connections:           l.connections,
		MessagesPerConnection: l.messages,
		IdleTimeout:           a.IdleTimeout,
		MaxLifetime:           a.MaxLifetime,
		MinIdle:               a.MinIdle,
		MaxWaiting:            c.config.MaxWaiting,
		Limiter:               l.limiter,
		Counters:              &l.counters,
		OnLate: func(item pool.Item, r *smtp.Result) {
			c.config.Logger.Info("late verdict on a message whose sender had given up", "account", l.name,
				"from", item.Envelope.From, "outcome", r.Outcome, "reply", r.Final.String())
		},
		OnSlowClose: func(waitingFor string) {
			c.config.Logger.Warn("closing takes long", "account", l.name, "waiting_for", waitingFor)
		},
	}
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
// sent, and their senders are told so. It may be called again, at the same time
// too.
func (c *Client) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	var pools []*pool.Pool
	for _, l := range c.lanes {
		if pools = append(pools, l.closing...); l.pool != nil {
			pools = append(pools, l.pool)
		}
	}
	c.mu.Unlock()
	return errors.Join(closeAll(ctx, pools), c.closeState(ctx))
}

// CloseAccount closes the account's connections as [Client.Shutdown] does, for
// all who use them. Its rates stay: the next message opens connections again,
// when the old ones are gone. Of a chain those of each account are closed.
func (c *Client) CloseAccount(ctx context.Context, a Account) error {
	return c.forEach(a, func(one Account) error { return c.closeAccount(ctx, one) })
}

func (c *Client) closeAccount(ctx context.Context, a Account) error {
	a, err := c.resolve(ctx, a)
	if err != nil {
		return err
	}
	c.mu.Lock()
	l := c.lanes[a.label()]
	if l == nil || c.closed {
		c.mu.Unlock()
		return nil
	}
	pools := l.takeLocked()
	c.mu.Unlock()
	err = closeAll(ctx, pools)
	c.mu.Lock()
	l.goneLocked(pools)
	c.mu.Unlock()
	return err
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
