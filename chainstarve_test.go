package kaizen_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// hanging lets the first account's dials hang until they time out, once hung is set.
func (p *pair) hanging(hung *atomic.Bool) {
	p.setFirst(func(a *kaizen.Account) {
		dial := a.DialContext
		a.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if hung.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return dial(ctx, network, address)
		}
	})
}

// Jobs in doubt that wait for their account do not hold up those that the next one
// can send.
func TestChainDoubtsDoNotBlock(t *testing.T) {
	config := smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop}}}
	inPair(t, config, func(p *pair) {
		var hung atomic.Bool
		p.hanging(&hung)
		p.run()
		doubts := letters(lane, "doubt", 200)
		for i := range doubts {
			doubts[i].Backoff = []time.Duration{20 * time.Second}
		}
		ids := p.put(doubts...)
		pass(time.Second)
		hung.Store(true)
		p.first.CloseConnections(smtptest.CloseFIN)
		pass(10 * time.Second)
		inDoubt := 0
		for _, id := range ids {
			if p.job(id).Doubt {
				inDoubt++
			}
		}
		var others []queue.ID
		for range 300 {
			others = append(others, p.put(letter(lane, "m"))...)
			pass(time.Second)
		}
		pass(time.Minute)
		late, worst := 0, time.Duration(0)
		for _, id := range others {
			d := p.wants(id, queue.Sent)
			if took := d.Ended.Sub(d.Created); took > time.Second {
				late++
				worst = max(worst, took)
			}
		}
		if late > 25 || inDoubt < 100 { // those that ask are
			t.Errorf("%d of 300 were late with %d in doubt (worst %v)", late, inDoubt, worst)
		}
	})
}

// A crowd that comes when the first account is to be asked again does not wait for it.
func TestChainCrowdDoesNotWait(t *testing.T) {
	inPair(t, smtptest.Config{}, func(p *pair) {
		var hung atomic.Bool
		hung.Store(true)
		p.hanging(&hung)
		p.run()
		p.putAndWait("first", 1)
		late := 0
		for range 20 {
			pass(5 * time.Minute)
			ids := p.put(letters(lane, "m", 100)...)
			pass(2 * time.Second)
			for _, id := range ids {
				if p.job(id).State != queue.Sent {
					late++
				}
			}
		}
		if late > 40 {
			t.Errorf("%d of 2000 were late", late)
		}
	})
}
