package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// Expire ends waiting jobs whose time is over; see [queue.Store].
func (s *Store) Expire(ctx context.Context, now time.Time, limit int) (expired []queue.Job, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	for len(expired) < limit && err == nil {
		var some []queue.Job
		most := min(piece, limit-len(expired))
		err = s.write(ctx, nothing, 0, func(t *tx) (err error) {
			some, err = t.expireSome(now, most)
			return err
		})
		if err == nil {
			expired = append(expired, some...)
		}
		if len(some) < most {
			break
		}
	}
	return expired, err
}

// expireSome leaves alone what is Active: Begin and Settle decide about that.
func (t *tx) expireSome(now time.Time, most int) (jobs []queue.Job, err error) {
	ids, err := t.ids("SELECT id FROM expiry WHERE expires <= ? AND id NOT IN (SELECT id FROM active) ORDER BY expires, id LIMIT ?", now.UnixMilli(), most)
	for _, id := range ids {
		if err != nil {
			return nil, err
		}
		var j queue.Job
		if j, err = t.expire(now, queue.ID(id)); err == nil {
			jobs = append(jobs, j)
		}
	}
	return jobs, err
}

func (c *conn) ids(sql string, args ...any) (ids []int64, err error) {
	err = c.query(func(st *sqlite3.Stmt) bool {
		ids = append(ids, st.ColumnInt64(0))
		return true
	}, sql, args...)
	return ids, err
}

// Purge forgets finished jobs and their bodies; see [queue.Store].
func (s *Store) Purge(ctx context.Context, now time.Time, r queue.Retention, limit int) (purged queue.Purged, err error) {
	if err := s.enter(ctx); err != nil {
		return purged, err
	}
	defer s.calls.Done()
	r = r.WithDefaults()
	for _, part := range []struct {
		kind int
		age  time.Duration
		drop func(*tx, int64, int64, *dropped) error
	}{
		{doneSent, r.SentBodies, (*tx).spend},
		{doneSpent, r.Sent, (*tx).forgetSpent},
		{doneSent, r.Sent, (*tx).forget},
		{doneOther, r.Failed, (*tx).forget},
	} {
		left := limit - purged.Jobs
		if part.age < 0 || left <= 0 {
			continue
		}
		p, err := s.purge(ctx, part.kind, now.Add(-part.age).UnixMilli(), left, part.drop)
		purged.Jobs, purged.Bodies = purged.Jobs+p.Jobs, purged.Bodies+p.Bodies
		if err != nil {
			return purged, err
		}
	}
	return purged, nil
}

// dropped is what one transaction forgot. Of files, it is their names.
type dropped struct {
	queue.Purged
	hashes [][]byte
}

// purge drops finished jobs of a kind that ended by then, in pieces.
func (s *Store) purge(ctx context.Context, kind int, until int64, limit int, drop func(*tx, int64, int64, *dropped) error) (purged queue.Purged, err error) {
	for limit > 0 {
		var d dropped
		n, most := 0, min(piece, limit)
		err := s.write(ctx, nothing, 0, func(t *tx) (err error) {
			d = dropped{}
			n, err = t.purge(kind, until, most, drop, &d)
			return err
		})
		if err != nil {
			return purged, err
		}
		purged.Jobs, purged.Bodies = purged.Jobs+d.Jobs, purged.Bodies+d.Bodies
		if err := s.remove(ctx, d.hashes); err != nil {
			return purged, err
		}
		if limit -= n; n < most {
			break
		}
	}
	return purged, nil
}

func (t *tx) purge(kind int, until int64, most int, drop func(*tx, int64, int64, *dropped) error, d *dropped) (n int, err error) {
	type ended struct{ at, id int64 }
	var jobs []ended
	err = t.query(func(st *sqlite3.Stmt) bool {
		jobs = append(jobs, ended{st.ColumnInt64(0), st.ColumnInt64(1)})
		return true
	}, "SELECT at, id FROM done WHERE kind=? AND at <= ? ORDER BY at, id LIMIT ?", kind, until, most)
	if err != nil {
		return 0, err
	}
	for _, j := range jobs {
		if err := t.run("DELETE FROM done WHERE kind=? AND at=? AND id=?", kind, j.at, j.id); err != nil {
			return 0, err
		}
		if err := drop(t, j.at, j.id, d); err != nil {
			return 0, err
		}
	}
	return len(jobs), nil
}

// spend drops the body of a job that was sent.
func (t *tx) spend(at, id int64, d *dropped) error {
	if err := t.run("INSERT INTO done VALUES(?, ?, ?)", doneSpent, at, id); err != nil {
		return err
	}
	return t.dropBody(id, d)
}

// dropBody has a job let go of its body, which goes with the last one.
func (t *tx) dropBody(id int64, d *dropped) error {
	body, ok, err := t.number("SELECT body FROM job WHERE id=?", id)
	if err != nil || !ok || body == 0 {
		return err
	}
	jobs, shared, err := t.number("SELECT jobs FROM shared WHERE body=?", body)
	switch {
	case err != nil:
		return err
	case shared && jobs > 1:
		if err := t.run("UPDATE shared SET jobs=jobs-1 WHERE body=?", body); err != nil {
			return err
		}
		return t.run("UPDATE job SET body=0 WHERE id=?", id)
	case shared:
		if err := t.run("DELETE FROM shared WHERE body=?", body); err != nil {
			return err
		}
	}
	return t.dropOctets(body, d)
}

func (t *tx) dropOctets(body int64, d *dropped) error {
	err := t.query(func(st *sqlite3.Stmt) bool {
		if hash := st.ColumnBlob(0, nil); len(hash) > 0 {
			d.hashes = append(d.hashes, hash)
		}
		return false
	}, "SELECT hash FROM octets WHERE id=?", body)
	if err != nil {
		return err
	}
	if err := t.run("DELETE FROM octets WHERE id=?", body); err != nil {
		return err
	}
	d.Bodies += int(t.Changes())
	return nil
}

// forget removes all that is known of a job, and its body.
func (t *tx) forget(at, id int64, d *dropped) error {
	if err := t.dropBody(id, d); err != nil {
		return err
	}
	return t.forgetSpent(at, id, d)
}

// forgetSpent removes all that is known of a job whose body is gone.
func (t *tx) forgetSpent(_, id int64, d *dropped) error {
	var lane int64
	var state byte
	var keyed, more bool
	err := t.query(func(st *sqlite3.Stmt) bool {
		lane, state, keyed, more = st.ColumnInt64(0), letter(st, 1), st.ColumnBool(2), letter(st, 3) == 'p'
		return false
	}, "SELECT lane, state, key IS NOT NULL, progress FROM job WHERE id=?", id)
	if err != nil {
		return err
	}
	if keyed {
		err = t.run("DELETE FROM idem WHERE id=?", id)
	}
	if more && err == nil {
		err = t.run("DELETE FROM progress WHERE id=?", id)
	}
	if err == nil {
		err = t.run("DELETE FROM history WHERE id=?", id)
	}
	if err != nil {
		return err
	}
	t.count(lane, state, 0)
	d.Jobs++
	return t.run("DELETE FROM job WHERE id=?", id)
}
