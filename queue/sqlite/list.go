package sqlite

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// List returns the jobs that match; see [queue.Store].
func (s *Store) List(ctx context.Context, _ time.Time, f queue.Filter) (jobs []queue.Job, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	err = s.read(ctx, func(c *conn) error {
		jobs, err = s.list(c, &f, math.MaxInt64)
		return err
	})
	return jobs, err
}

// list finds the jobs that match, up to an ID.
func (s *Store) list(c *conn, f *queue.Filter, last queue.ID) (jobs []queue.Job, err error) {
	active, err := c.actives()
	if err != nil {
		return nil, err
	}
	where, args, err := s.where(c, f, last)
	if err != nil {
		return nil, err
	}
	var failed error
	err = c.query(func(st *sqlite3.Stmt) bool {
		var j queue.Job
		if j, failed = s.listed(c, scan(st), active); failed != nil {
			return false
		}
		if f.Matches(&j) {
			jobs = append(jobs, j)
		}
		return len(jobs) < f.Most()
	}, "SELECT "+rowColumns+" FROM job WHERE "+where, args...)
	if err == nil {
		err = failed
	}
	return jobs, err
}

// where says as much of a filter as SQL can decide without a look into documents.
// The number of different texts is bounded, as statements are kept.
func (s *Store) where(c *conn, f *queue.Filter, last queue.ID) (string, []any, error) {
	terms, args := []string{"id <= ?"}, []any{int64(last)}
	add := func(term string, arg any) {
		terms, args = append(terms, term), append(args, arg)
	}
	order := " ORDER BY id"
	switch {
	case f.Reverse:
		order += " DESC"
		if f.After != 0 {
			add("id < ?", int64(f.After))
		}
	default:
		add("id > ?", int64(f.After))
	}
	if f.Lane != "" {
		lane, err := s.laneID(c, f.Lane)
		if err != nil {
			return "", nil, err
		}
		add("lane = ?", lane)
	}
	if f.MessageID != "" {
		add("message_id = ?", f.MessageID)
	}
	if f.Key != "" {
		add("key = ?", f.Key)
	}
	if !f.Since.IsZero() {
		add("created >= ?", milli(f.Since))
	}
	for _, part := range []string{f.Sender, f.Recipient, f.Subject} {
		if literal(part) {
			add("CAST(doc AS TEXT) LIKE ?", "%"+part+"%")
		}
	}
	if len(f.States) > 0 {
		terms = append(terms, "state IN ("+states(f.States)+")")
		if !slices.ContainsFunc(f.States, common) {
			terms = append(terms, apart)
		}
	}
	return strings.Join(terms, " AND ") + order, args, nil
}

// literal reports whether a text stands in a document as it is, whatever the case of
// its letters. Then SQL can pass over most jobs, and none need be decoded that does
// not have it somewhere; for LIKE, "_" is any character, so it finds enough.
func literal(part string) bool {
	odd := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("@._+- ", r)
	}
	return part != "" && !strings.ContainsFunc(part, odd)
}

// apart is the condition of the index job_apart.
const apart = "state IN ('c', 'e', 'f', 'h')"

// common are the states of most jobs.
func common(s queue.State) bool { return s == queue.Queued || s == queue.Active || s == queue.Sent }

// states are the letters of states as SQL wants them, always in the same order.
func states(wanted []queue.State) string {
	var list []string
	for _, state := range queue.States() {
		if letter := letters[state]; slices.Contains(wanted, state) && state != queue.Active ||
			state == queue.Queued && slices.Contains(wanted, queue.Active) {
			list = append(list, fmt.Sprintf("'%c'", letter))
		}
	}
	return strings.Join(list, ", ")
}

// listed makes a job of a row; damaged ones too.
func (s *Store) listed(c *conn, r *row, active map[int64]bool) (queue.Job, error) {
	if err := c.complete(r); err != nil {
		return queue.Job{}, err
	}
	name, err := s.laneName(c, r.lane)
	if err != nil {
		return queue.Job{}, err
	}
	j, _ := r.decode(name)
	if _, is := active[r.id]; is {
		j.State = queue.Active
	}
	return j, nil
}

// actives are the jobs that are Active, and whether they have begun.
func (c *conn) actives() (map[int64]bool, error) {
	active := map[int64]bool{}
	err := c.query(func(st *sqlite3.Stmt) bool {
		active[st.ColumnInt64(0)] = st.ColumnBool(1)
		return true
	}, "SELECT id, begun FROM active")
	return active, err
}
