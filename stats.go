package kaizen

import (
	"cmp"
	"slices"

	"github.com/kaizenmail/kaizen/internal/pool"
)

// Stats is a moment of one account. Counts without "now" are totals since the
// client or the account's last Close.
type Stats struct {
	Account string `json:"account"`

	Waiting  int `json:"waiting"`   // now: messages in line
	InFlight int `json:"in_flight"` // now: messages on a connection

	Open     int `json:"open"`     // now: connections, the sum of the next five
	Dialling int `json:"dialling"` // now
	Gated    int `json:"gated"`    // now: wait until the credentials have worked once
	Busy     int `json:"busy"`     // now
	Idle     int `json:"idle"`     // now
	Quitting int `json:"quitting"` // now

	Capacity     int `json:"capacity"`      // now: connections the server lets us have, as learned
	SessionLimit int `json:"session_limit"` // now: messages on a connection, as learned; 0: not learned

	Dialled int64 `json:"dialled"` // dials begun
	Reused  int64 `json:"reused"`  // times an idle connection was woken
	// Closed counts connections by the reason of their end: idle, messages,
	// lifetime, connection-limit, login, room, lost, dial, pool.
	Closed map[string]int64 `json:"closed"`

	Accepted  int64 `json:"accepted"` // this and the next three: transactions
	Rejected  int64 `json:"rejected"`
	NotSent   int64 `json:"not_sent"`
	Unknown   int64 `json:"unknown"`
	Canceled  int64 `json:"canceled"`   // of those, because the caller left
	Late      int64 `json:"late"`       // verdicts that came after their caller had left
	Repeated  int64 `json:"repeated"`   // tries beyond the first
	RateWaits int64 `json:"rate_waits"` // times a rate held the line
}

// Stats tells how every account of the client is doing, in the order of their
// names. It is cheap enough to be called every second.
func (c *Client) Stats() []Stats {
	pools := c.pools()
	stats := make([]Stats, 0, len(pools))
	for name, p := range pools {
		stats = append(stats, statsOf(name, p.Stats()))
	}
	slices.SortFunc(stats, func(a, b Stats) int { return cmp.Compare(a.Account, b.Account) })
	return stats
}

func (c *Client) pools() map[string]*pool.Pool {
	c.mu.Lock()
	defer c.mu.Unlock()
	pools := make(map[string]*pool.Pool, len(c.lanes))
	for name, l := range c.lanes {
		if l.pool != nil {
			pools[name] = l.pool
		}
	}
	return pools
}

func statsOf(account string, s pool.Stats) Stats {
	return Stats{
		Account: account,
		Waiting: s.Waiting, InFlight: s.InFlight,
		Open: s.Open, Dialling: s.Dialling, Gated: s.Gated, Busy: s.Busy, Idle: s.Idle, Quitting: s.Quitting,
		Capacity: s.Capacity, SessionLimit: s.SessionLimit,
		Dialled: s.Dialled, Reused: s.Reused, Closed: s.Closed,
		Accepted: s.Accepted, Rejected: s.Rejected, NotSent: s.NotSent, Unknown: s.Unknown,
		Canceled: s.Canceled, Late: s.Late, Repeated: s.Repeated, RateWaits: s.RateWaits,
	}
}
