package sqlite

import (
	"context"
	"sync"

	"github.com/kaizenmail/kaizen/queue"
)

// ids are those that this process reserved. They are reserved in a transaction
// before they are used, so that those who do not wait for a commit have one that
// nobody else can get.
type ids struct {
	mu    sync.Mutex
	spans []span
	want  int64 // how many somebody waits for
	chunk int64 // how many to reserve next
}

// span is the IDs from next up to end, without end.
type span struct{ next, end int64 }

const maxChunk = 32 << 10

// take gives n IDs, growing, or none if there are not so many.
func (d *ids) take(n int) []queue.ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left() < int64(n) {
		d.want = max(d.want, int64(n))
		return nil
	}
	taken := make([]queue.ID, 0, n)
	for len(taken) < n {
		s := &d.spans[0]
		if s.next == s.end {
			d.spans = d.spans[1:]
			continue
		}
		taken = append(taken, queue.ID(s.next))
		s.next++
	}
	return taken
}

func (d *ids) left() (n int64) {
	for _, s := range d.spans {
		n += s.end - s.next
	}
	return n
}

// some reports whether there are any.
func (d *ids) some() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left() > 0
}

// need is how many must be reserved now: some while there are still as many as
// were reserved last, so that hardly ever somebody has to wait. Who puts one job
// and ends reserves few.
func (d *ids) need() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := d.left()
	if d.want <= left && (d.chunk == 0 || left > d.chunk/2) {
		return 0
	}
	n := max(d.chunk, d.want-left)
	d.chunk = min(max(2*d.chunk, 2*n, 16), maxChunk)
	return n
}

func (d *ids) add(s span) {
	if s.next == s.end {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = 0
	if n := len(d.spans); n > 0 && d.spans[n-1].end == s.next {
		d.spans[n-1].end = s.end
		return
	}
	d.spans = append(d.spans, s)
}

// draw reserves IDs if that must be.
func (t *tx) draw() error {
	n := t.s.ids.need()
	if n == 0 {
		return nil
	}
	end, _, err := t.number("UPDATE meta SET value = value + ? WHERE name = 'next' RETURNING value", n)
	if err == nil {
		t.drawn = span{end - n, end}
	}
	return err
}

// giveBack makes unused IDs free if nobody has reserved any after them.
func (t *tx) giveBack() error {
	last := t.s.ids.drop()
	if last.next == last.end {
		return nil
	}
	return t.run("UPDATE meta SET value = ? WHERE name = 'next' AND value = ?", last.next, last.end)
}

// drop forgets all IDs, and returns the last ones.
func (d *ids) drop() (last span) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.spans); n > 0 {
		last = d.spans[n-1]
	}
	d.spans, d.chunk = nil, 0
	return last
}

// newIDs gives n IDs, and waits until they are reserved if it must.
func (s *Store) newIDs(ctx context.Context, n int) ([]queue.ID, error) {
	for {
		if taken := s.ids.take(n); taken != nil {
			return taken, nil
		}
		if err := s.write(ctx, nothing, 0, func(*tx) error { return nil }); err != nil {
			return nil, err
		}
	}
}
