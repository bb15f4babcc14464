package main

import (
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// shakyConfig is the server of a chain's first account: it does all that the other
// one does, breaks off more, and turns clients away on and off.
func (r *run) shakyConfig() smtptest.Config {
	config := r.serverConfig()
	config.Latency = 2 * time.Millisecond // so that it is often left when it has taken a message and not replied
	config.Faults = []smtptest.Fault{
		{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop, Prob: 0.05},
		{Phase: smtptest.PhaseFinal, Action: smtptest.Drop, Prob: 0.03},
		{Phase: smtptest.PhaseDATA, Action: smtptest.Drop, Prob: 0.05},
	}
	config.Reject = func(phase smtptest.Phase, arg string) *smtptest.Reply {
		if phase == smtptest.PhaseGreeting && r.away.Load() {
			return &smtptest.Reply{Code: 421, Text: "4.3.2 Away"}
		}
		return r.reject(phase, arg)
	}
	config.Save = func(m *smtptest.Message) {
		r.ledger.arriveShaky(m)
		r.saved(m)
	}
	return config
}

// How long the shaky server is there at a time, and is not.
const (
	shakyOn  = 200 * time.Millisecond
	shakyOff = 40 * time.Millisecond
)

// shake has the shaky server leave in the midst of things, and come back, until it is
// told to stop.
func (r *run) shake() (stop func()) {
	done := make(chan struct{})
	var shaker sync.WaitGroup
	shaker.Go(func() {
		for n := 0; ; n++ {
			for _, now := range []struct {
				away  bool
				lasts time.Duration
			}{{false, shakyOn}, {true, shakyOff}} {
				r.away.Store(now.away)
				if now.away {
					r.shaky.CloseConnections(smtptest.Closing(n % 3))
				}
				select {
				case <-done:
					return
				case <-time.After(now.lasts):
				}
			}
		}
	})
	return func() { close(done); shaker.Wait() }
}
