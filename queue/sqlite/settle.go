package sqlite

import (
	"context"
	"reflect"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// Begin notes that jobs may be delivered from now on; see [queue.Store].
func (s *Store) Begin(ctx context.Context, now time.Time, tokens []queue.Token) ([]error, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	var errs []error
	err := s.write(ctx, begin, 0, func(t *tx) error {
		errs = make([]error, len(tokens))
		for i, token := range tokens {
			if errs[i] = t.begin(now, token); t.failed != nil {
				return t.failed
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// claim is a row of active.
type claim struct {
	lane, expires int64
	begun         bool
}

// standing is the claim of a token; nil if it does not stand.
func (t *tx) standing(token queue.Token) (found *claim, err error) {
	err = t.query(func(st *sqlite3.Stmt) bool {
		if token.Nonce != 0 && uint64(st.ColumnInt64(0)) == token.Nonce {
			found = &claim{lane: st.ColumnInt64(1), begun: st.ColumnBool(2), expires: st.ColumnInt64(3)}
		}
		return false
	}, "SELECT nonce, lane, begun, expires FROM active WHERE id=?", int64(token.ID))
	return found, err
}

func (t *tx) begin(now time.Time, token queue.Token) error {
	c, err := t.standing(token)
	switch {
	case err != nil:
		return err
	case c == nil:
		return queue.ErrStale
	case c.begun:
		return nil
	case c.expires != 0 && now.UnixMilli() >= c.expires:
		if _, err := t.expire(now, token.ID); err != nil {
			return err
		}
		return queue.ErrExpired
	}
	return t.run("UPDATE active SET begun=1 WHERE id=?", int64(token.ID))
}

// Settle notes what became of claimed jobs; see [queue.Store].
func (s *Store) Settle(ctx context.Context, now time.Time, settlements []queue.Settlement) ([]error, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	plains := make([]*plain, len(settlements))
	for i := range settlements {
		var err error
		if plains[i], err = newPlain(now, &settlements[i]); err != nil {
			return nil, err
		}
	}
	var errs []error
	err := s.write(ctx, settling, 0, func(t *tx) error {
		errs = make([]error, len(settlements))
		for i := range settlements {
			t.op.settle = append(t.op.settle, settlements[i].Token)
			if errs[i] = t.settle(now, &settlements[i], plains[i]); t.failed != nil {
				return t.failed
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// plain is a settlement of a job all of whose recipients were accepted by one
// reply. It needs nothing of the job, so that nothing of it is decoded or written
// but a few numbers.
type plain struct {
	entry []byte
	doubt bool
}

func newPlain(now time.Time, s *queue.Settlement) (*plain, error) {
	if s.State != queue.Sent || s.Recipients != nil || s.Attempt == nil {
		return nil, nil
	}
	var j queue.Job
	e := j.Settle(now, s)
	b, err := encodeEntry(&e)
	if err != nil {
		return nil, err
	}
	return &plain{b, j.Doubt}, nil
}

func (t *tx) settle(now time.Time, s *queue.Settlement, p *plain) error {
	c, err := t.standing(s.Token)
	doubted := t.s.doubted[s.Token]
	if doubted {
		t.onCommit = append(t.onCommit, func() { delete(t.s.doubted, s.Token) })
	}
	switch {
	case err != nil:
		return err
	case c == nil && doubted:
		return t.settleAgain(now, s)
	case c == nil:
		return t.late(now, s)
	}
	if p != nil {
		if done, err := t.settlePlain(now, s.Token.ID, c, p); done || err != nil {
			return err
		}
	}
	st, err := t.load(s.Token.ID)
	if err != nil {
		return err
	}
	e := st.job.Settle(now, s)
	return t.change(st, e)
}

// settlePlain does it unless something became of the job before.
func (t *tx) settlePlain(now time.Time, job queue.ID, c *claim, p *plain) (done bool, err error) {
	id, entries, fresh := int64(job), int64(0), false
	err = t.query(func(st *sqlite3.Stmt) bool {
		entries, fresh = st.ColumnInt64(0), letter(st, 1) == 'n'
		return false
	}, "SELECT entries, progress FROM job WHERE id=?", id)
	if err != nil || !fresh {
		return false, err
	}
	at := milli(now)
	if err := t.run("DELETE FROM active WHERE id=?", id); err != nil {
		return false, err
	}
	if err := t.run("UPDATE job SET state='s', changed=?, attempts=attempts+1, doubt=doubt|?, entries=?, progress='a' WHERE id=?", at, p.doubt, entries+1, id); err != nil {
		return false, err
	}
	if err := t.run("INSERT INTO history VALUES(?, ?, ?)", id, entries+1, p.entry); err != nil {
		return false, err
	}
	t.count(c.lane, 'a', 's')
	return true, t.finished(id, 's', at, c.expires)
}

// settleAgain is for a settlement that failed in its commit. If that is there all the
// same, all is well.
func (t *tx) settleAgain(now time.Time, s *queue.Settlement) error {
	var latest queue.Entry
	err := t.query(func(st *sqlite3.Stmt) bool {
		latest, _ = decodeEntry(st.ColumnInt(0), st.ColumnRawBlob(1))
		return false
	}, "SELECT n, doc FROM history WHERE id=? ORDER BY n DESC", int64(s.Token.ID))
	if err != nil {
		return err
	}
	if again := s.LateEntry(now); latest.Kind != queue.Tried || latest.State != s.State || !reflect.DeepEqual(latest.Attempt, again.Attempt) {
		return t.late(now, s)
	}
	return nil
}

// late notes a settlement whose token does not stand any more.
func (t *tx) late(now time.Time, s *queue.Settlement) error {
	entries, ok, err := t.number("SELECT entries FROM job WHERE id=?", int64(s.Token.ID))
	if err != nil {
		return err
	}
	if ok {
		e := s.LateEntry(now)
		if err := t.note(int64(s.Token.ID), int(entries), &e); err != nil {
			return err
		}
	}
	return queue.ErrStale
}
