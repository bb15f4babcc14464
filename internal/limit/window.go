package limit

import "time"

// window is a view of the log: the entries from head on are younger than Per,
// and used is their sum.
type window struct {
	Rate
	head uint64
	used int64
}

// Restrict makes the limiter hold these rates too; where it has a window of the
// same length and unit, the lower count holds. It reports whether anything
// changed. A new window counts what the others still remember; of what was sent
// while nothing was limited nothing is known.
func (l *Limiter) Restrict(rates ...Rate) bool {
	l.mu.Lock()
	changed := false
	for _, r := range rates {
		if r.limits() && l.restrict(r) {
			changed = true
		}
	}
	l.boundPaceLocked()
	l.unlockAndTell()
	return changed
}

func (l *Limiter) restrict(r Rate) bool {
	for i := range l.windows {
		w := &l.windows[i]
		if w.Per != r.Per || w.Unit != r.Unit {
			continue
		}
		if w.Count <= r.Count {
			return false
		}
		w.Count = r.Count
		return true
	}
	w := window{Rate: r, head: l.log.first}
	for i := l.log.first; i != l.log.end; i++ {
		w.used += l.log.at(i).given.Of(r.Unit)
	}
	l.windows = append(l.windows, w)
	l.units[r.Unit] = true
	l.limited.Store(true)
	return true
}

// Rates are the windows that hold now.
func (l *Limiter) Rates() []Rate {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rates := make([]Rate, len(l.windows))
	for i, w := range l.windows {
		rates[i] = w.Rate
	}
	return rates
}

// advance moves the limiter's clock and lets every window forget what is one
// length old. Callers read the clock before they get the lock, so now may lie
// behind; a slot that ends a little late is safe, one that ends early is not.
func (l *Limiter) advance(now time.Time) {
	if l.epoch.IsZero() {
		l.epoch = now
	}
	l.latest = max(l.latest, now.Sub(l.epoch))
	oldest := l.log.end
	for i := range l.windows {
		w := &l.windows[i]
		for w.head != l.log.end && l.log.at(w.head).done+w.Per <= l.latest {
			w.used -= l.log.at(w.head).given.Of(w.Unit)
			w.head++
		}
		oldest = min(oldest, w.head)
	}
	l.log.first = oldest
}
