package kaizen

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
)

// Condition is how well an account serves.
type Condition uint8

// The conditions.
const (
	Healthy  Condition = iota
	Degraded           // messages go out, but slower than they could, or only some of them
	Down               // no message goes out
)

var conditions = [...]string{"healthy", "degraded", "down"}

// String returns "healthy", "degraded" or "down".
func (c Condition) String() string {
	if int(c) < len(conditions) {
		return conditions[c]
	}
	return fmt.Sprintf("condition(%d)", uint8(c))
}

// MarshalText writes the condition as String does.
func (c Condition) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a condition as String writes it.
func (c *Condition) UnmarshalText(b []byte) error {
	i := slices.Index(conditions[:], string(b))
	if i < 0 {
		return fmt.Errorf("%q is no condition of an account", b)
	}
	*c = Condition(i)
	return nil
}

// Cause is why an account is not healthy.
type Cause string

// The causes, the worst first among those that hold at a time.
const (
	CauseNone        Cause = ""
	CauseLogin       Cause = "login"       // refused: nothing is tried until the credentials change, or Verify or Resume
	CauseOutage      Cause = "outage"      // no connection can be made, and none is open
	CauseQuota       Cause = "quota"       // an allowance is used up
	CauseTrouble     Cause = "trouble"     // no further connection can be made
	CauseFailover    Cause = "failover"    // one of several servers cannot be used; others serve
	CauseThrottled   Cause = "throttled"   // the server takes messages slower than they come
	CauseConnections Cause = "connections" // the server takes fewer connections than wanted
)

var causes = [...]Cause{pool.CauseNone: CauseNone, pool.CauseLogin: CauseLogin, pool.CauseOutage: CauseOutage,
	pool.CauseQuota: CauseQuota, pool.CauseTrouble: CauseTrouble, pool.CauseFailover: CauseFailover, pool.CauseThrottled: CauseThrottled, pool.CauseConnections: CauseConnections}

// Health is how an account is doing, and why.
type Health struct {
	Account   string    `json:"account"`
	Server    string    `json:"server,omitempty"` // host:port, as used last
	LMTP      bool      `json:"lmtp,omitempty"`   // what is spoken with it is not SMTP
	Condition Condition `json:"condition"`
	Cause     Cause     `json:"cause,omitempty"`
	Reason    string    `json:"reason,omitempty"` // for people: what happened, in the server's words
	Since     time.Time `json:"since,omitzero"`   // of the condition
	// NextProbe is when the server will be asked again at the earliest, if somebody
	// sends then; messages until then fail at once, or wait if they can.
	NextProbe time.Time `json:"next_probe,omitzero"`
	// Certificate is when the server's certificate ends. From 14 days before on it
	// is in Warnings.
	Certificate time.Time `json:"certificate_expires,omitzero"`
	Warnings    []string  `json:"warnings,omitempty"`
	// LastAccepted is when the server last accepted a message.
	LastAccepted time.Time `json:"last_accepted,omitzero"`
	// Learned are limits that were not configured: the server told them, or was seen
	// to have them. They tighten the configured ones.
	Learned []LearnedLimit `json:"learned,omitempty"`
	// Servers tell of each one, if the account has several.
	Servers []ServerHealth `json:"servers,omitempty"`

	Err *Error `json:"-"` // behind the reason, if a server or the network said it
}

// LearnedLimit is a limit of the server's, and how we know.
type LearnedLimit struct {
	Limit  string    `json:"limit"` // "connections", "messages per connection", "recipients", "rate"
	Value  string    `json:"value"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since,omitzero"`
}

// Stopped reports that nothing is tried until the credentials change, Verify
// succeeds, or somebody calls Resume.
func (h *Health) Stopped() bool { return h.Cause == CauseLogin }

// Health tells how every account of the client is doing, in the order of their
// names. It is cheap enough to be called every second. For changes as they
// happen see [Config.OnHealth].
func (c *Client) Health() []Health {
	c.mu.Lock()
	type one struct {
		lane   *lane
		pool   *pool.Pool
		memory memories
		lmtp   bool
	}
	all := make([]one, 0, len(c.lanes))
	for _, l := range c.lanes {
		if l.pool != nil {
			all = append(all, one{l, l.pool, l.recent.memories, l.recent.account.LMTP})
		}
	}
	c.mu.Unlock()
	list := make([]Health, 0, len(all))
	for _, o := range all {
		h := healthOf(o.lane.name, o.pool.Health(), o.memory)
		h.LMTP = o.lmtp
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b Health) int { return cmp.Compare(a.Account, b.Account) })
	return list
}

func healthOf(account string, p pool.Health, memory memories) Health {
	h := Health{Account: account, Server: p.Server, Condition: Condition(p.Condition), Cause: causes[p.Cause],
		Reason: p.Reason, Since: p.Since, NextProbe: p.NextProbe, Certificate: p.Expires, LastAccepted: p.Accepted}
	if p.Err != nil {
		h.Err = front(account, p.Err)
	}
	if now := time.Now(); p.Expiring(now) {
		h.Warnings = append(h.Warnings, expiry(p.Server, p.Expires, now))
	}
	h.Learned = learnedLimits(p.Learned, memory)
	h.Servers = serversHealth(p.Servers)
	return h
}

func expiry(server string, end, now time.Time) string {
	days := int(end.Sub(now) / (24 * time.Hour))
	switch {
	case end.Before(now):
		return fmt.Sprintf("the certificate of %s has expired on %s", server, end.Format(time.DateOnly))
	case days == 0:
		return fmt.Sprintf("the certificate of %s expires within a day", server)
	}
	return fmt.Sprintf("the certificate of %s expires in %d days, on %s", server, days, end.Format(time.DateOnly))
}

func learnedLimits(l pool.Learned, memory memories) (list []LearnedLimit) {
	add := func(limit string, value int, reason string, since time.Time) {
		if value > 0 {
			list = append(list, LearnedLimit{limit, fmt.Sprint(value), reason, since})
		}
	}
	add("connections", l.Connections, l.ConnectionsReason, l.ConnectionsAt)
	if l.Rate != "" {
		list = append(list, LearnedLimit{"rate", l.Rate, l.RateReason, l.RateAt})
	}
	told, seen := memory.limits()
	add("messages per connection", l.Messages, l.MessagesReason, l.MessagesAt)
	add("messages per connection", told.MailMax, "the server's LIMITS (RFC 9422)", time.Time{})
	add("recipients", told.RcptMax, "the server's LIMITS (RFC 9422)", time.Time{})
	add("recipients", seen.RcptMax, "the server refused more in one message", time.Time{})
	return list
}

// healthChanged logs a change and tells it.
func (c *Client) healthChanged(h Health) {
	log := c.config.Logger.Warn
	if h.Condition == Healthy && len(h.Warnings) == 0 {
		log = c.config.Logger.Info
	}
	args := []any{"account", h.Account, "server", h.Server, "condition", h.Condition.String()}
	if h.Reason != "" {
		args = append(args, "reason", h.Reason)
	}
	if !h.NextProbe.IsZero() {
		args = append(args, "next_probe", h.NextProbe)
	}
	if len(h.Warnings) > 0 {
		args = append(args, "warnings", h.Warnings)
	}
	log("the health of an account has changed", args...)
	if c.config.OnHealth != nil {
		c.config.OnHealth(h)
	}
}
