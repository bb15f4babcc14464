package kaizen

import (
	"cmp"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
)

// Stats is a moment of one account. What is not "now" or "learned" is a total
// since the client began; totals never go down, also not when an account's
// connections are closed.
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
	// Stranded connections, now, wait for one of several servers that has fallen
	// silent, or ask whether one is back. They are not among those that are Open.
	Stranded int `json:"stranded,omitempty"`

	Capacity     int `json:"capacity"`      // learned: connections the server lets us have, at most Limits.Connections
	SessionLimit int `json:"session_limit"` // learned: messages on a connection; 0: not learned

	Dialled int64 `json:"dialled"` // dials begun
	Reused  int64 `json:"reused"`  // times an idle connection was woken
	// Closed counts connections by the reason of their end: idle, messages,
	// lifetime, connection-limit, login, room, lost, dial, failback, pool.
	Closed map[string]int64 `json:"closed"`

	Accepted  int64 `json:"accepted"` // this and the next three: transactions, as their senders were told
	Rejected  int64 `json:"rejected"`
	NotSent   int64 `json:"not_sent"`
	Unknown   int64 `json:"unknown"`
	Canceled  int64 `json:"canceled"`   // of those, because the caller left
	Late      int64 `json:"late"`       // verdicts that came after their caller had left
	Repeated  int64 `json:"repeated"`   // tries beyond the first
	RateWaits int64 `json:"rate_waits"` // times a rate held the line

	// Failures counts the transactions that failed for some recipient at least, by
	// the name of their [Class]: connect, auth, recipient and so on.
	Failures map[string]int64 `json:"failures"`

	// RecipientsAccepted, RecipientsRejected and Octets (of the contents that were
	// accepted) count what servers said, also to a sender who had left.
	RecipientsAccepted int64 `json:"recipients_accepted"`
	RecipientsRejected int64 `json:"recipients_rejected"`
	Octets             int64 `json:"octets"`

	// Wait is how long messages stood in line, each time they did. Transaction is
	// from MAIL to the verdict, for each try that came that far. Handshake is from
	// the beginning of a dial until the server could be told a message or a login:
	// name look-up, TCP, TLS, greeting and EHLO; dials that failed are not in it.
	Wait        Histogram `json:"wait"`
	Transaction Histogram `json:"transaction"`
	Handshake   Histogram `json:"handshake"`
}

// Histogram counts how often something took how long. In JSON, durations are
// nanoseconds.
type Histogram struct {
	Bounds []time.Duration `json:"bounds"` // in rising order, from 1 ms to 10 min
	// Counts[i] are those longer than Bounds[i-1] and not longer than Bounds[i];
	// the last one, which has no bound, all that were longer still.
	Counts []uint64      `json:"counts"`
	Count  uint64        `json:"count"` // the sum of Counts
	Sum    time.Duration `json:"sum"`
}

// Stats tells how every account that the client has met is doing, in the order
// of their names. It is cheap enough to be called every second.
func (c *Client) Stats() []Stats {
	uses := c.inUse()
	stats := make([]Stats, len(uses))
	for i, use := range uses {
		stats[i] = use.stats()
	}
	slices.SortFunc(stats, func(a, b Stats) int { return cmp.Compare(a.Account, b.Account) })
	return stats
}

// laneUse is a lane with the pools it had at a moment: its own, and those that
// are closing.
type laneUse struct {
	lane     *lane
	capacity int
	pools    []*pool.Pool
}

func (c *Client) inUse() []laneUse {
	c.mu.Lock()
	defer c.mu.Unlock()
	uses := make([]laneUse, 0, len(c.lanes))
	for _, l := range c.lanes {
		use := laneUse{lane: l, capacity: l.connections, pools: slices.Clone(l.closing)}
		if l.pool != nil {
			use.pools = append(use.pools, l.pool)
		}
		uses = append(uses, use)
	}
	return uses
}

func (u laneUse) stats() Stats {
	s := totals(u.lane.counters.Totals())
	s.Account, s.Capacity = u.lane.name, u.capacity
	for _, p := range u.pools {
		now := p.Moment()
		s.Waiting += now.Waiting
		s.InFlight += now.InFlight
		s.Open += now.Open
		s.Dialling += now.Dialling
		s.Gated += now.Gated
		s.Busy += now.Busy
		s.Idle += now.Idle
		s.Quitting += now.Quitting
		s.Stranded += now.Stranded
		s.Capacity, s.SessionLimit = now.Capacity, now.SessionLimit // the last one is the one in service
	}
	return s
}

func totals(t pool.Totals) Stats {
	return Stats{
		Dialled: t.Dialled, Reused: t.Reused, Closed: t.Closed,
		Accepted: t.Accepted, Rejected: t.Rejected, NotSent: t.NotSent, Unknown: t.Unknown,
		Canceled: t.Canceled, Late: t.Late, Repeated: t.Repeated, RateWaits: t.RateWaits, Failures: t.Failures,
		RecipientsAccepted: t.RecipientsAccepted, RecipientsRejected: t.RecipientsRejected, Octets: t.Octets,
		Wait: histogram(t.Wait), Transaction: histogram(t.Transaction), Handshake: histogram(t.Handshake),
	}
}

func histogram(h pool.Histogram) Histogram {
	out := Histogram{Bounds: pool.Bounds(), Counts: h.Counts, Sum: h.Sum}
	for _, n := range h.Counts {
		out.Count += n
	}
	return out
}
