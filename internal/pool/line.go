package pool

// line is a queue by priority, then arrival. Any element can leave it in
// constant time.
type line struct {
	lanes [priorities]lane
	n     int
}

type lane struct{ first, last *waiter }

func (l *line) head() *waiter {
	for i := range l.lanes {
		if w := l.lanes[i].first; w != nil {
			return w
		}
	}
	return nil
}

// add puts w at its place by arrival. That is the end for a new message, and
// near the front for one that comes back from a connection.
func (l *line) add(w *waiter) {
	lane := &l.lanes[min(w.item.Priority, Bulk)]
	l.n++
	if lane.last == nil || lane.last.arrival < w.arrival {
		lane.insert(w, nil)
		return
	}
	next := lane.first
	for next.arrival < w.arrival {
		next = next.next
	}
	lane.insert(w, next)
}

// insert puts w before next; nil is the end.
func (l *lane) insert(w, next *waiter) {
	w.next, w.prev = next, l.last
	if next != nil {
		w.prev = next.prev
		next.prev = w
	} else {
		l.last = w
	}
	if w.prev != nil {
		w.prev.next = w
	} else {
		l.first = w
	}
}

func (l *line) remove(w *waiter) {
	lane := &l.lanes[min(w.item.Priority, Bulk)]
	l.n--
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		lane.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		lane.last = w.prev
	}
	w.prev, w.next = nil, nil
}
