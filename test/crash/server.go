package main

import (
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// serverConfig is a server that takes, refuses, defers, loses a reply now and then,
// and kills.
func (r *run) serverConfig() smtptest.Config {
	return smtptest.Config{
		Seed: r.seed,
		Faults: []smtptest.Fault{
			{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop, Prob: 0.01},
			{Phase: smtptest.PhaseFinal, Action: smtptest.Drop, Prob: 0.01},
		},
		Reject: r.reject,
		Save: func(m *smtptest.Message) {
			r.ledger.arrive(m)
			r.saved(m)
		},
	}
}

// saved: a server has taken a message, and not said so yet.
func (r *run) saved(m *smtptest.Message) {
	if r.strikeAt("server.accepted") {
		r.ledger.leaveUnanswered(m.ID)
	}
	r.strikeSoon("server.replied")
	r.ledger.tick()
}

func (r *run) reject(phase smtptest.Phase, arg string) *smtptest.Reply {
	switch phase {
	case smtptest.PhaseMAIL:
		r.strikeAt("server.mail")
	case smtptest.PhaseRCPT:
		if strings.HasPrefix(arg, "refused-") {
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		}
		if r.ledger.defers(arg) {
			return &smtptest.Reply{Code: 451, Text: "4.2.1 Come later"}
		}
	case smtptest.PhaseDATA:
		r.strikeAt("server.data")
	case smtptest.PhaseFinal:
		if r.strikeAt("server.final") {
			r.ledger.leaveUnanswered(arg)
			if r.roll(2) == 0 {
				return &smtptest.Reply{Code: 451, Text: "4.3.0 Not now"}
			}
		}
		if strings.Contains(arg, "-spam@") {
			return &smtptest.Reply{Code: 554, Text: "5.7.1 Spam"}
		}
	}
	return nil
}

func (r *run) roll(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dice.IntN(n)
}

// comes reports whether the process that delivers has come to its end: it is to be
// killed at this point, for the n-th time now.
func (r *run) comes(name string) (*worker, bool) {
	r.mu.Lock()
	w := r.current[deliverer]
	r.mu.Unlock()
	if w == nil || w.kill == nil || w.kill.name != name {
		return nil, false
	}
	return w, w.hits.Add(1) == int64(w.kill.n)
}

// strikeAt kills before the server says anything more.
func (r *run) strikeAt(name string) bool {
	w, ok := r.comes(name)
	if ok {
		w.strike()
	}
	return ok
}

// strikeSoon kills at about the time at which the server replies.
func (r *run) strikeSoon(name string) {
	if w, ok := r.comes(name); ok {
		time.AfterFunc(time.Duration(r.roll(1000))*time.Microsecond, w.strike)
	}
}

// tick is called with each receipt and each arrival.
func (r *run) tick(int) {
	r.mu.Lock()
	workers := []*worker{r.current[deliverer], r.current[producer]}
	r.mu.Unlock()
	for _, w := range workers {
		if w != nil && w.kill != nil && w.kill.kind == atRandom && w.hits.Add(1) == int64(w.kill.n) {
			time.AfterFunc(time.Duration(r.roll(2000))*time.Microsecond, w.strike)
		}
	}
}
