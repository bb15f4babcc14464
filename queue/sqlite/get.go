package sqlite

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// Get returns one job with its history; see [queue.Store]. A body that is damaged
// is there, and reading it is an error.
func (s *Store) Get(ctx context.Context, now time.Time, id queue.ID) (d queue.Details, err error) {
	if err := s.enter(ctx); err != nil {
		return d, err
	}
	defer s.calls.Done()
	err = s.read(ctx, func(c *conn) error {
		d, err = s.details(c, now, id)
		return err
	})
	return d, err
}

func (s *Store) details(c *conn, now time.Time, id queue.ID) (d queue.Details, err error) {
	r, err := c.find(int64(id))
	if err == nil && r == nil {
		err = &queue.NotFoundError{ID: id}
	}
	if err != nil {
		return d, err
	}
	name, err := s.laneName(c, r.lane)
	if err != nil {
		return d, err
	}
	d.Job, _ = r.decode(name)
	begun, active, err := c.number("SELECT begun FROM active WHERE id=?", r.id)
	if err != nil {
		return d, err
	}
	if active {
		d.State, d.Begun = queue.Active, begun != 0
	}
	if d.History, err = c.history(r.id); err != nil {
		return d, err
	}
	if d.Ahead, err = c.ahead(now, r, d.State); err != nil {
		return d, err
	}
	d.Body, err = s.shown(c, r)
	return d, err
}

// shown is the body of a job for people.
func (s *Store) shown(c *conn, r *row) (*queue.Content, error) {
	content, err := s.content(c, r.body)
	var damaged *damage
	if errors.As(err, &damaged) {
		return &queue.Content{Size: r.size, Open: func() (io.ReadCloser, error) { return nil, damaged }}, nil
	}
	return content, err
}

func (c *conn) history(id int64) (entries []queue.Entry, err error) {
	err = c.query(func(st *sqlite3.Stmt) bool {
		e, _ := decodeEntry(st.ColumnInt(0), st.ColumnRawBlob(1))
		entries = append(entries, e)
		return true
	}, "SELECT n, doc FROM history WHERE id=? ORDER BY n", id)
	return entries, err
}

// ahead counts the jobs that go before one: see [queue.Details].
func (c *conn) ahead(now time.Time, r *row, state queue.State) (int, error) {
	if state != queue.Queued {
		return 0, nil
	}
	count, _, err := c.number("SELECT n FROM tally WHERE lane=? AND state='a'", r.lane)
	if err != nil {
		return 0, err
	}
	due := max(r.due, milli(now))
	for rank := 0; rank <= r.rank; rank++ {
		before := head{due, math.MaxInt64}
		if rank == r.rank {
			before = head{r.due, r.id}
		}
		n, _, err := c.number("SELECT count(*) FROM ready WHERE lane=? AND rank=? AND (due, id) < (?, ?)", r.lane, rank, before.due, before.id)
		if err != nil {
			return 0, err
		}
		count += n
	}
	return int(count), nil
}
