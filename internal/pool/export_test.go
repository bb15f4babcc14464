package pool

import (
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// SetWithdraw decides for a fake connection what only an engine knows: whether
// the terminator has been written.
func (p *Pool) SetWithdraw(f func(*smtp.Transaction) bool) { p.withdraw = f }

// CountMessage does all that is counted for one message that is accepted.
func (c *Counters) CountMessage(waited time.Duration, r *smtp.Result) {
	c.wait.observe(waited)
	c.tried(r)
	c.verdict(r)
	c.outcome(r.Outcome)
}
