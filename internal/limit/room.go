package limit

import "time"

// Room is how many messages like this one could be taken now, up to most: a lower
// bound where a ledger has yet to grant them.
func (l *Limiter) Room(now time.Time, message Use, most int) int {
	if l == nil || !l.limited.Load() || most <= 0 {
		return max(most, 0)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(now)
	if l.pace.Next(now).After(now) {
		return 0
	}
	if l.pace.active {
		most = 1 // the next one waits for this one's turn
	}
	for i := range l.windows {
		w := &l.windows[i]
		if each := message.Of(w.Unit); each > 0 {
			left := int64(w.Count) - w.used - l.inFlight.Of(w.Unit)
			most = min(most, int(max(left, 0)/each))
		}
	}
	return l.coveredLocked(now, message, most)
}

// coveredLocked is how many of n the ledger has granted already.
func (l *Limiter) coveredLocked(now time.Time, message Use, n int) int {
	if l.ledger == nil || len(l.windows) == 0 || n == 0 {
		return n
	}
	if l.failedLocked(now) != nil {
		return 0
	}
	want := l.counted(message)
	granted := n
	for granted > 0 && !l.credit.Covers(want.Times(int64(granted))) {
		granted--
	}
	return granted
}
