package kaizen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// Server is one of several that take an account's mail. All of them get the same
// login.
//
// Servers of the lowest priority are used, each for as many connections as its
// weight says (RFC 2782). If one refuses connections or does not answer, others of
// its priority are used, and if none is left those of the next one; it is tried
// again at intervals of at most 30 s, and used again when it is back. Refused
// credentials are not tried elsewhere.
type Server struct {
	Host     string
	Port     int          // default 587, or 465 with implicit TLS; 24 with Account.LMTP
	TLS      smtp.TLSMode // default: implicit TLS on port 465, else STARTTLS required, whatever Account.TLS says
	Priority int          // default 0, the same as that of Account.Host
	Weight   int          // default 1
}

// Address is host:port, with the default port filled in.
func (s Server) Address() string {
	return smtp.Config{Host: s.Host, Port: s.Port, TLS: s.TLS}.Address()
}

// AllServers are all servers of the account, that of Host first. One of Servers that
// is the same as Host only tells its priority and weight.
// An account with a Mailer has none.
func (a *Account) AllServers() []Server {
	if a.Mailer != nil {
		return nil
	}
	all := []Server{{Host: a.Host, Port: a.lmtpPort(a.Port), TLS: a.TLS}}
	for _, s := range a.Servers {
		s.Port = a.lmtpPort(s.Port)
		at := slices.IndexFunc(all, func(other Server) bool { return other.Address() == s.Address() })
		if at < 0 {
			all = append(all, s)
			continue
		}
		all[at].Priority, all[at].Weight = s.Priority, s.Weight
	}
	return all
}

// lmtpPort is a port with LMTP's default, where that is spoken: a Server does not
// know.
func (a *Account) lmtpPort(port int) int {
	if a.LMTP {
		return cmp.Or(port, smtp.PortLMTP)
	}
	return port
}

// configs are how each of the servers is reached.
func (a *Account) configs(servers []Server) []smtp.Config {
	all := make([]smtp.Config, len(servers))
	for i, s := range servers {
		all[i] = a.config()
		if i > 0 {
			all[i].Socket, all[i].Host, all[i].Port, all[i].TLS = "", s.Host, s.Port, s.TLS
		}
	}
	return all
}

// addresses are those of all servers.
func (a *Account) addresses() []string {
	all := []string{a.address()}
	if len(a.Servers) > 0 && a.Mailer == nil {
		for _, s := range a.AllServers()[1:] {
			all = append(all, s.Address())
		}
	}
	return all
}

// memories are what was seen of each server.
type memories []*smtp.Memory

// recipientLimit is how many recipients each of them takes in a transaction; 0 while
// that is unknown.
func (m memories) recipientLimit() (least int) {
	for _, one := range m {
		if n := one.RecipientLimit(); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// limits are the lowest that were told and seen.
func (m memories) limits() (told, seen smtp.Limits) {
	for _, one := range m {
		t, s := one.Limits()
		told.MailMax, told.RcptMax = lowest(told.MailMax, t.MailMax), lowest(told.RcptMax, t.RcptMax)
		seen.RcptMax = lowest(seen.RcptMax, s.RcptMax)
	}
	return told, seen
}

// lowest is the lower of two limits, of which 0 is none.
func lowest(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// poolTarget is the account as its pool knows it.
func (c *Client) poolTarget(l *lane, a *Account, key string) (t pool.Target, remembered memories) {
	servers, sessions := a.AllServers(), l.keeper.sessions.of(key)
	for i, config := range a.configs(servers) {
		s, server := servers[i], config.Address()
		config.Memory, config.Sessions = l.memory(server), sessions
		remembered = append(remembered, config.Memory)
		dial := l.dial(a, key, config, c.config.Trace)
		if i == 0 {
			t = pool.Target{Key: key, Server: server, Dial: dial, Priority: s.Priority, Weight: s.Weight, Patience: patience(a.Timeouts.Connect)}
			continue
		}
		t.Others = append(t.Others, pool.Server{Address: server, Dial: dial, Priority: s.Priority, Weight: s.Weight})
	}
	return t, remembered
}

// patience is how long a server may be silent, if there are others: so that one of
// them has taken over within the time that it may take to connect.
func patience(connect time.Duration) time.Duration {
	if connect <= 0 {
		connect = 10 * time.Second
	}
	return connect * 3 / 4
}

func (l *lane) memory(server string) *smtp.Memory {
	if l.memories[server] == nil {
		l.memories[server] = new(smtp.Memory)
	}
	return l.memories[server]
}

// dial opens connections to one server, unless these credentials were refused.
func (l *lane) dial(a *Account, key string, config smtp.Config, trace *Trace) func(context.Context) (pool.Conn, error) {
	label, k, servers := a.label(), l.keeper, a.addresses()
	return func(ctx context.Context) (pool.Conn, error) {
		if err := k.barred(key, servers, config.Auth); err != nil {
			return nil, err
		}
		return trace.dialTraced(ctx, label, config)
	}
}

// ServerHealth is how one of several servers of an account is doing.
type ServerHealth struct {
	Server      string    `json:"server"` // host:port
	Priority    int       `json:"priority"`
	Weight      int       `json:"weight"`
	Connections int       `json:"connections"` // open now
	Condition   Condition `json:"condition"`   // healthy or down
	Reason      string    `json:"reason,omitempty"`
	Since       time.Time `json:"since,omitzero"`      // of being down
	NextProbe   time.Time `json:"next_probe,omitzero"` // when it is asked again at the earliest
}

func serversHealth(servers []pool.ServerHealth) (list []ServerHealth) {
	for _, s := range servers {
		h := ServerHealth{Server: s.Address, Priority: s.Priority, Weight: s.Weight, Connections: s.Connections}
		if s.Failure != nil {
			h.Condition, h.Reason, h.Since, h.NextProbe = Down, s.Failure.Error(), s.Since, s.NextProbe
		}
		list = append(list, h)
	}
	return list
}

// login logs in at every server, on connections of their own. worked says that it
// did at one; err is what is wrong with the first that is not in order.
func login(ctx context.Context, a *Account) (worked bool, err error) {
	if a.Mailer != nil {
		err = checkMailer(ctx, a.Mailer)
		return err == nil, err
	}
	for _, config := range a.configs(a.AllServers()) {
		failed := loginAt(ctx, config)
		if failed == nil {
			worked = true
			continue
		}
		if err == nil {
			err = failed
		}
		if errors.Is(failed, smtp.ClassAuth) || ctx.Err() != nil {
			return worked, failed // the others would be asked the same
		}
	}
	if worked && err != nil {
		err = standIn(err)
	}
	return worked, err
}

// standIn says that another server works.
func standIn(err error) error {
	var e *smtp.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%w (another server of the account works)", err)
	}
	told := *e
	told.Hint = "another server of the account works, and takes its mail meanwhile"
	if e.Hint != "" {
		told.Hint = e.Hint + "; " + told.Hint
	}
	return &told
}

func loginAt(ctx context.Context, config smtp.Config) error {
	conn, err := smtp.Dial(ctx, config)
	if err != nil {
		return err
	}
	if err := conn.Authenticate(ctx); err != nil {
		return err
	}
	// The login worked; how the server takes the goodbye is no concern.
	_ = conn.Quit(ctx)
	return nil
}
