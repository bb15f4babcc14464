package sqlite

import (
	"context"
	"sync"
)

// readers are connections that only read.
type readers struct {
	slots chan struct{} // one for each that is in use
	mu    sync.Mutex
	idle  []*conn
}

const (
	maxReaders    = 4
	maxQuick      = 2 // of those that read for a delivery, which must not wait for people's lists
	readerCacheKB = 4 << 10
)

func (r *readers) take(ctx context.Context, s *Store) (*conn, error) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := r.pop(s); c != nil {
		return c, nil
	}
	c, err := s.connect(readerCacheKB)
	if err == nil {
		err = c.run("PRAGMA query_only=ON")
	}
	if err != nil {
		<-r.slots
		return nil, s.diskError("open", err)
	}
	return c, nil
}

// pop finds an idle connection of this era, and closes others it meets.
func (r *readers) pop(s *Store) *conn {
	for {
		r.mu.Lock()
		n := len(r.idle)
		if n == 0 {
			r.mu.Unlock()
			return nil
		}
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		if c.era == int(s.era.Load()) {
			return c
		}
		_ = c.end(false)
	}
}

// give takes a connection back; one that has failed is closed.
func (r *readers) give(c *conn, s *Store) {
	if c.failed != nil || c.era != int(s.era.Load()) {
		_ = c.end(false)
	} else {
		r.mu.Lock()
		r.idle = append(r.idle, c)
		r.mu.Unlock()
	}
	<-r.slots
}

// clear closes those that are idle.
func (r *readers) clear() {
	r.mu.Lock()
	idle := r.idle
	r.idle = nil
	r.mu.Unlock()
	for _, c := range idle {
		_ = c.end(false)
	}
}
