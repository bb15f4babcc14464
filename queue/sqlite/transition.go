package sqlite

import (
	"encoding/json"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// stored is a job as a transaction found it: job is changed, and the rest is as it
// is in the tables until then.
type stored struct {
	*row
	job     queue.Job
	damaged error // of the record
	active  bool
	nonce   int64
	begun   bool
}

func (st *stored) holds(token queue.Token) bool {
	return st.active && token.Nonce != 0 && uint64(st.nonce) == token.Nonce
}

// load finds a job; nil if there is none.
func (t *tx) load(id queue.ID) (*stored, error) {
	r, err := t.find(int64(id))
	if err != nil || r == nil {
		return nil, err
	}
	st := &stored{row: r}
	err = t.query(func(row *sqlite3.Stmt) bool {
		st.active, st.nonce, st.begun = true, row.ColumnInt64(0), row.ColumnBool(1)
		return false
	}, "SELECT nonce, begun FROM active WHERE id=?", r.id)
	if err != nil {
		return nil, err
	}
	name, err := t.s.laneName(t.conn, r.lane)
	if err != nil {
		return nil, err
	}
	st.job, st.damaged = r.decode(name)
	if st.active {
		st.job.State = queue.Active
	}
	return st, nil
}

// change writes what became of a job, and one line of its history if the entry has
// a kind. No token of it stands after that.
func (t *tx) change(st *stored, e queue.Entry) error {
	next, err := t.next(st, e)
	if err != nil {
		return err
	}
	if err := t.leave(st); err != nil {
		return err
	}
	if err := t.arrive(st, next); err != nil {
		return err
	}
	if err := t.update(st, next); err != nil {
		return err
	}
	if e.Kind == 0 {
		return nil
	}
	return t.append(next.id, next.entries, &e)
}

// next is the row of a job that was changed.
func (t *tx) next(st *stored, e queue.Entry) (*row, error) {
	lane, err := t.lane(st.job.Lane)
	if err != nil {
		return nil, err
	}
	j, next := &st.job, *st.row
	next.lane, next.state, next.rank, next.due = lane, letters[j.State], j.Priority.Rank(), milli(j.Due)
	next.attempts, next.doubt = j.Attempts, j.Doubt
	if j.State.Finished() {
		next.changed = milli(j.Ended)
	}
	if e.Kind != 0 {
		next.entries++
	}
	if st.progress != 'n' || progressed(j) {
		next.progress = 'p'
	}
	return &next, nil
}

func progressed(j *queue.Job) bool {
	return j.Reason != "" || !j.Last.IsZero() || slices.ContainsFunc(j.Recipients, func(r queue.Recipient) bool {
		return r != queue.Recipient{Recipient: r.Recipient, State: queue.Queued}
	})
}

// leave takes a job from where its state had put it.
func (t *tx) leave(st *stored) error {
	switch {
	case st.active:
		t.count(st.lane, 'a', 0)
		return t.run("DELETE FROM active WHERE id=?", st.id)
	case st.state == 'q':
		t.count(st.lane, 'q', 0)
		return t.run("DELETE FROM ready WHERE lane=? AND rank=? AND due=? AND id=?", st.lane, st.rank, st.due, st.id)
	}
	t.count(st.lane, st.state, 0)
	return nil
}

// arrive puts a job where its state wants it.
func (t *tx) arrive(st *stored, next *row) error {
	t.count(next.lane, 0, next.state)
	switch {
	case next.state == 'q':
		t.wake(next.lane)
		return t.run("INSERT INTO ready VALUES(?, ?, ?, ?)", next.lane, next.rank, next.due, next.id)
	case st.job.State.Finished():
		return t.finished(next.id, next.state, next.changed, next.expires)
	}
	return nil
}

// finished notes a job for Purge.
func (t *tx) finished(id int64, state byte, at, expires int64) error {
	kind := doneOther
	if state == 's' {
		kind = doneSent
	}
	if err := t.run("INSERT INTO done VALUES(?, ?, ?)", kind, at, id); err != nil || expires == 0 {
		return err
	}
	return t.run("DELETE FROM expiry WHERE expires=? AND id=?", expires, id)
}

// The kinds of finished jobs; see schema.go.
const (
	doneSent = iota
	doneSpent
	doneOther
)

func (t *tx) update(st *stored, next *row) error {
	if next.progress == 'p' {
		b, err := json.Marshal(progress{st.job.Recipients, st.job.Reason, st.job.Last})
		if err != nil {
			return t.fail(err)
		}
		if err := t.run("INSERT OR REPLACE INTO progress VALUES(?, ?)", next.id, b); err != nil {
			return err
		}
	}
	return t.run("UPDATE job SET lane=?, state=?, rank=?, due=?, changed=?, attempts=?, doubt=?, entries=?, progress=? WHERE id=?",
		next.lane, string(next.state), next.rank, next.due, next.changed, next.attempts, next.doubt, next.entries, string(next.progress), next.id)
}

func (t *tx) append(id int64, n int, e *queue.Entry) error {
	b, err := encodeEntry(e)
	if err != nil {
		return t.fail(err)
	}
	return t.run("INSERT INTO history VALUES(?, ?, ?)", id, n, b)
}

// note appends a line to a job that stays what it is.
func (t *tx) note(id int64, entries int, e *queue.Entry) error {
	if err := t.run("UPDATE job SET entries=? WHERE id=?", entries+1, id); err != nil {
		return err
	}
	return t.append(id, entries+1, e)
}
