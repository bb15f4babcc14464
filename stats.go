package kaizen

import "github.com/kaizenmail/kaizen/internal/pool"

// Stats is a moment of one account: what waits, how many connections there are
// and why others were closed, and what became of the messages so far.
type Stats struct {
	Account string `json:"account"`
	pool.Stats
}

// Stats tells how every account of the client is doing, in no particular order.
// It is cheap enough to be called every second.
func (c *Client) Stats() []Stats {
	c.mu.Lock()
	type entry struct {
		name string
		pool *pool.Pool
	}
	var entries []entry
	for name, l := range c.lanes {
		if l.pool != nil {
			entries = append(entries, entry{name, l.pool})
		}
	}
	c.mu.Unlock()
	stats := make([]Stats, len(entries))
	for i, e := range entries {
		stats[i] = Stats{Account: e.name, Stats: e.pool.Stats()}
	}
	return stats
}
