package pool

import "github.com/kaizenmail/kaizen/smtp"

// SetWithdraw decides for a fake connection what only an engine knows: whether
// the terminator has been written.
func (p *Pool) SetWithdraw(f func(*smtp.Transaction) bool) { p.withdraw = f }
