package limit

import (
	"math"
	"time"
)

// Accepted says that the server took a message that was started then. It
// reports whether its pace has ended, so that nothing is learned any more.
func (l *Limiter) Accepted(now, started time.Time) (ended bool) {
	if l == nil {
		return false
	}
	l.mu.Lock()
	paced := l.pace.active
	l.pace.Accepted(now, started)
	if !paced {
		l.mu.Unlock()
		return false
	}
	l.pace.Next(now) // it may end there
	ended = !l.pace.active
	l.unlockAndTell()
	return ended
}

// Throttled says that the server refused a message that was started then because
// of its rate, with this reply. From then on messages go at the pace that the
// server takes; see [Pace].
func (l *Limiter) Throttled(now, started time.Time, reply string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.pace.Throttled(now, started, reply)
	l.limited.Store(true)
	l.unlockAndTell()
}

// Learned is the pace at which messages go now, and what to keep of it; the zero
// value if the server does not complain.
func (l *Limiter) Learned() (now, keep PaceState) {
	if l == nil {
		return PaceState{}, PaceState{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pace.State(), l.pace.Export()
}

// Recall takes up what another limiter learned; see [Pace.Restore].
func (l *Limiter) Recall(now time.Time, s PaceState) {
	if l == nil || s.PerSecond == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pace.Restore(now, s)
	if l.pace.active {
		l.limited.Store(true)
	}
}

// boundPaceLocked lets the pace not climb above what is configured.
func (l *Limiter) boundPaceLocked() {
	lowest := 0.0
	for _, w := range l.windows {
		if w.Unit == Messages && w.Per <= time.Hour {
			if perSecond := float64(w.Count) / w.Per.Seconds(); lowest == 0 || perSecond < lowest {
				lowest = perSecond
			}
		}
	}
	l.pace.Bound(lowest)
}

// bounds is the pace in the form of a rate, rounded, for people.
func (p *Pace) bounds() Rate {
	per := time.Hour
	for _, span := range []time.Duration{time.Second, time.Minute} {
		if p.rate*span.Seconds() >= 10 {
			per = span
			break
		}
	}
	return Rate{Count: max(1, int(math.Round(p.rate*per.Seconds()))), Per: per, Learned: true}
}
