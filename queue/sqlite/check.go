package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// Report is what Check found.
type Report struct {
	Jobs     int64     `json:"jobs"`   // that were looked at
	Bodies   int64     `json:"bodies"` // that were read
	Findings []Finding `json:"findings"`
}

// OK reports whether nothing was found.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// Finding is something that is not as it should be.
type Finding struct {
	Job  queue.ID `json:"job,omitempty"` // 0: it is no job's
	What string   `json:"what"`
}

// String tells it in one line.
func (f Finding) String() string {
	if f.Job == 0 {
		return f.What
	}
	return "job " + f.Job.String() + ": " + f.What
}

// Check looks at all of the queue, in one state of it while others go on: the
// database itself (PRAGMA integrity_check), that each job can be read, is in exactly
// one place and has the history it should have, that the counters are right, that
// each body is there and is what it was, and that nothing is left over. It changes
// nothing. Its cost grows with the queue: all of it is read, and the log grows
// meanwhile.
func (s *Store) Check(ctx context.Context) (report Report, err error) {
	if err := s.enter(ctx); err != nil {
		return report, err
	}
	defer s.calls.Done()
	err = s.read(ctx, func(c *conn) error {
		x := &examination{c: c, s: s, Report: &report}
		return errors.Join(x.integrity(), x.queries(), x.jobs(), x.bodies(), x.files(ctx))
	})
	return report, err
}

type examination struct {
	*Report
	c *conn
	s *Store
}

func (x *examination) found(id int64, format string, args ...any) {
	x.Findings = append(x.Findings, Finding{queue.ID(id), fmt.Sprintf(format, args...)})
}

func (x *examination) integrity() error {
	return x.c.query(func(st *sqlite3.Stmt) bool {
		if text := st.ColumnText(0); text != "ok" {
			x.found(0, "the database: %s", text)
		}
		return true
	}, "PRAGMA integrity_check(1000)")
}

// suspicions are what must have no rows. Each row is of a job.
var suspicions = []struct{ what, sql string }{
	{"it is queued, and neither ready nor claimed", `SELECT id FROM job WHERE state = 'q'
		AND id NOT IN (SELECT id FROM active) AND NOT EXISTS (SELECT 1 FROM ready r WHERE r.lane = job.lane
		AND r.rank = job.rank AND r.due = job.due AND r.id = job.id)`},
	{"it is ready, and not what it is ready as", `SELECT r.id FROM ready r LEFT JOIN job j ON j.id = r.id
		WHERE j.id IS NULL OR j.state != 'q' OR j.lane != r.lane OR j.rank != r.rank OR j.due != r.due
		OR r.id IN (SELECT id FROM active)`},
	{"it is claimed, and not queued", `SELECT a.id FROM active a LEFT JOIN job j ON j.id = a.id WHERE j.id IS NULL OR j.state != 'q'`},
	{"it can expire, and would not", `SELECT id FROM job WHERE state IN ('q', 'h') AND expires != 0
		AND NOT EXISTS (SELECT 1 FROM expiry e WHERE e.expires = job.expires AND e.id = job.id)`},
	{"it would expire, and is not waiting", `SELECT e.id FROM expiry e LEFT JOIN job j ON j.id = e.id
		WHERE j.id IS NULL OR j.state NOT IN ('q', 'h')`},
	{"it is finished, and would not be forgotten", `SELECT id FROM job WHERE state NOT IN ('q', 'h')
		AND NOT EXISTS (SELECT 1 FROM done d WHERE d.kind IN (0, 1, 2) AND d.at = job.changed AND d.id = job.id)`},
	{"it would be forgotten, and is not finished", `SELECT d.id FROM done d LEFT JOIN job j ON j.id = d.id
		WHERE j.id IS NULL OR j.state IN ('q', 'h') OR (j.state = 's') != (d.kind < 2)`},
	{"its content is missing", `SELECT id FROM job WHERE body NOT IN (SELECT id FROM octets)
		AND NOT EXISTS (SELECT 1 FROM done d WHERE d.kind = 1 AND d.at = job.changed AND d.id = job.id)`},
	{"lines of its history are missing", `SELECT id FROM job WHERE entries != (SELECT count(*) FROM history h WHERE h.id = job.id)
		OR entries != (SELECT ifnull(max(n), 0) FROM history h WHERE h.id = job.id)`},
	{"its history is left over", `SELECT DISTINCT id FROM history WHERE id NOT IN (SELECT id FROM job)`},
	{"its progress is left over", `SELECT id FROM progress WHERE id NOT IN (SELECT id FROM job)`},
	{"its key is left over", `SELECT id FROM idem WHERE id NOT IN (SELECT id FROM job)`},
	{"its key is not known", `SELECT id FROM job WHERE key IS NOT NULL AND id NOT IN (SELECT id FROM idem) `},
}

// miscounts are what must have no rows, either. Each has words for it.
var miscounts = []string{
	`SELECT 'the counter of ' || ifnull((SELECT name FROM lane WHERE id = lane), lane) || ' in state ' || state || ' is wrong by ' || sum(n) FROM (
		SELECT lane, state, n FROM tally UNION ALL
		SELECT lane, iif(id IN (SELECT id FROM active), 'a', state), -1 FROM job) GROUP BY lane, state HAVING sum(n) != 0`,
	`SELECT 'body ' || o.id || ' is of ' || ifnull(u.n, 0) || ' jobs, and should be of ' || ifnull(s.jobs, 1)
		FROM octets o LEFT JOIN shared s ON s.body = o.id LEFT JOIN (SELECT body, count(*) AS n FROM job
		WHERE NOT EXISTS (SELECT 1 FROM done d WHERE d.kind = 1 AND d.at = job.changed AND d.id = job.id) GROUP BY body) u ON u.body = o.id
		WHERE ifnull(u.n, 0) != ifnull(s.jobs, 1)`,
	`SELECT 'body ' || body || ' is shared, and is not there' FROM shared WHERE body NOT IN (SELECT id FROM octets)`,
}

func (x *examination) queries() error {
	for _, suspicion := range suspicions {
		err := x.c.query(func(st *sqlite3.Stmt) bool {
			x.found(st.ColumnInt64(0), "%s", suspicion.what)
			return true
		}, suspicion.sql)
		if err != nil {
			return err
		}
	}
	for _, sql := range miscounts {
		err := x.c.query(func(st *sqlite3.Stmt) bool {
			x.found(0, "%s", st.ColumnText(0))
			return true
		}, sql)
		if err != nil {
			return err
		}
	}
	return nil
}

// jobs decodes every job and its history.
func (x *examination) jobs() error {
	var failed error
	err := x.c.query(func(st *sqlite3.Stmt) bool {
		failed = x.job(scan(st))
		return failed == nil
	}, "SELECT "+rowColumns+" FROM job ORDER BY id")
	return errors.Join(err, failed)
}

func (x *examination) job(r *row) error {
	x.Jobs++
	if err := x.c.complete(r); err != nil {
		return err
	}
	j, damaged := r.decode("")
	if damaged != nil {
		x.found(r.id, "%v", damaged)
	}
	ends := 0
	err := x.c.query(func(st *sqlite3.Stmt) bool {
		e, err := decodeEntry(st.ColumnInt(0), st.ColumnRawBlob(1))
		if err != nil {
			x.found(r.id, "line %d of its history is damaged: %v", e.Number, err)
		}
		if e.State.Finished() {
			ends++
		}
		return true
	}, "SELECT n, doc FROM history WHERE id=? ORDER BY n", r.id)
	if want := map[bool]int{true: 1}[j.State.Finished()]; err == nil && ends != want {
		x.found(r.id, "its history ends %d times, and should %d times", ends, want)
	}
	return err
}

// bodies reads every body.
func (x *examination) bodies() error {
	ids, err := x.c.ids("SELECT id FROM octets")
	for _, id := range ids {
		if err != nil {
			return err
		}
		err = x.body(id)
	}
	return err
}

func (x *examination) body(id int64) error {
	x.Bodies++
	content, err := x.s.content(x.c, id)
	if err == nil && content != nil && content.Open != nil {
		err = readThrough(content)
	}
	if x.c.failed != nil {
		return err
	}
	if err != nil {
		first, _, failed := x.c.number("SELECT min(id) FROM job WHERE body=?", id)
		x.found(first, "body %d: %v", id, err)
		return failed
	}
	return nil
}

func readThrough(content *queue.Content) error {
	r, err := content.Open()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// files finds large bodies that are nobody's.
func (x *examination) files(ctx context.Context) error {
	return filepath.WalkDir(x.s.bodies(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), temporary) {
			return errors.Join(ctx.Err(), err)
		}
		hash, err := hex.DecodeString(entry.Name())
		if err != nil || len(hash) != sha256.Size {
			x.found(0, "the file %s is no body", path)
			return ctx.Err()
		}
		_, used, err := x.c.number("SELECT 1 FROM octets WHERE hash=? LIMIT 1", hash)
		if err == nil && !used {
			x.found(0, "the file %s is of no job; the next start of the delivery removes it", path)
		}
		return err
	})
}
