package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// Put stores jobs; see [queue.Store].
func (s *Store) Put(ctx context.Context, now time.Time, jobs []queue.Submission) ([]queue.Receipt, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	p := &put{receipts: make([]queue.Receipt, len(jobs))}
	p.wait = !allInMemory(jobs)
	if err := s.prepareAll(ctx, now, jobs, p); err != nil || len(jobs) == 0 {
		p.release()
		return nil, err
	}
	if p.wait {
		defer p.release()
		if err := s.write(ctx, putting, p.octets, p.do); err != nil {
			return nil, err
		}
		return p.receipts, nil
	}
	receipts := slices.Clone(p.receipts) // the other goroutine writes them too
	if err := s.post(ctx, putting, p.octets, p.do, p.release); err != nil {
		p.release()
		return nil, err
	}
	return receipts, nil
}

// allInMemory reports whether nobody waits for a disk. Whether a key was used
// before is known only there.
func allInMemory(jobs []queue.Submission) bool {
	for i := range jobs {
		if jobs[i].Durability != queue.Memory || jobs[i].Key != "" {
			return false
		}
	}
	return true
}

// put is jobs on their way in.
type put struct {
	wait     bool
	rows     []*row
	lanes    []string
	prints   [][]byte
	of       []*body // each row's
	bodies   map[*queue.Body]*body
	octets   int
	receipts []queue.Receipt
}

func (p *put) release() {
	for _, b := range p.bodies {
		b.release()
	}
}

func (s *Store) prepareAll(ctx context.Context, now time.Time, jobs []queue.Submission, p *put) error {
	prepared := make([]queue.Submission, len(jobs))
	p.bodies = make(map[*queue.Body]*body, 1)
	keyed := map[*queue.Body]bool{}
	for i := range jobs {
		prepared[i] = jobs[i]
		if err := prepared[i].Prepare(now); err != nil {
			return &queue.InvalidError{Index: i, Err: err}
		}
		if jobs[i].Key != "" {
			keyed[jobs[i].Body] = true
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	ids, err := s.newIDs(ctx, len(jobs))
	if err != nil {
		return err
	}
	for i := range prepared {
		prepared[i].ID = ids[i]
		if err := s.prepareOne(ctx, &prepared[i], keyed[prepared[i].Body], p); err != nil {
			return err
		}
		p.receipts[i] = queue.Receipt{ID: ids[i], Durability: prepared[i].Durability}
	}
	return nil
}

func (s *Store) prepareOne(ctx context.Context, job *queue.Submission, keyed bool, p *put) (err error) {
	b := p.bodies[job.Body]
	if b == nil {
		if b, err = s.newBody(ctx, job.Body, keyed, p.wait); err != nil {
			return err
		}
		b.id = int64(job.ID)
		p.bodies[job.Body] = b
		p.octets += len(b.octets)
	}
	job.Size = b.size
	r, err := encode(&job.Job)
	if err != nil {
		return err
	}
	r.body = b.id
	var print []byte
	if job.Key != "" {
		print = job.Fingerprint([sha256.Size]byte(b.hash))
	}
	p.rows, p.lanes, p.prints, p.of = append(p.rows, r), append(p.lanes, job.Lane), append(p.prints, print), append(p.of, b)
	p.octets += len(r.doc)
	return nil
}

func (p *put) do(t *tx) error {
	for _, b := range p.bodies {
		b.stored = false
	}
	first, err := p.firsts(t)
	if err != nil {
		return err
	}
	for i, r := range p.rows {
		p.receipts[i].ID, p.receipts[i].Existing = queue.ID(first[i]), first[i] != r.id
		if first[i] != r.id {
			continue
		}
		if err := p.insert(t, i); err != nil {
			return err
		}
	}
	return nil
}

// firsts finds, for each job, the one that was put before with its key; itself if
// there is none.
func (p *put) firsts(t *tx) ([]int64, error) {
	type key struct{ lane, key string }
	first, fresh := make([]int64, len(p.rows)), map[key]int{}
	for i, r := range p.rows {
		first[i] = r.id
		if r.key == "" {
			continue
		}
		k := key{p.lanes[i], r.key}
		earlier, ok := fresh[k]
		id, print := int64(0), []byte(nil)
		if ok {
			id, print = p.rows[earlier].id, p.prints[earlier]
		} else {
			var err error
			if id, print, err = p.earlier(t, i); err != nil {
				return nil, err
			}
		}
		switch {
		case id == 0:
			fresh[k] = i
		case !bytes.Equal(print, p.prints[i]):
			return nil, &queue.ConflictError{Lane: p.lanes[i], Key: r.key, ID: queue.ID(id)}
		default:
			first[i] = id
		}
	}
	return first, nil
}

func (p *put) earlier(t *tx, i int) (id int64, print []byte, err error) {
	lane, err := t.lane(p.lanes[i])
	if err != nil {
		return 0, nil, err
	}
	err = t.query(func(st *sqlite3.Stmt) bool {
		id, print = st.ColumnInt64(0), st.ColumnBlob(1, nil)
		return false
	}, "SELECT id, print FROM idem WHERE lane=? AND key=?", lane, p.rows[i].key)
	return id, print, err
}

func (p *put) insert(t *tx, i int) (err error) {
	r, b := p.rows[i], p.of[i]
	if r.lane, err = t.lane(p.lanes[i]); err != nil {
		return err
	}
	if b.stored {
		err = t.share(b.id)
	} else {
		err = t.store(b)
	}
	if err != nil {
		return err
	}
	if r.key != "" {
		if err := t.run("INSERT INTO idem VALUES(?, ?, ?, ?)", r.lane, r.key, r.id, nonNil(p.prints[i])); err != nil {
			return err
		}
	}
	return t.insert(r)
}

// insert writes a new job that is Queued.
func (t *tx) insert(r *row) error {
	err := t.run("INSERT INTO job("+rowColumns+") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		r.id, r.lane, r.due, r.expires, r.created, r.changed, r.body, r.size, r.rank, r.attempts, r.entries, r.doubt, int(r.policy),
		string(r.state), string(r.progress), text(r.messageID), text(r.key), r.sum, r.doc)
	if err != nil {
		return err
	}
	if err := t.run("INSERT INTO ready VALUES(?, ?, ?, ?)", r.lane, r.rank, r.due, r.id); err != nil {
		return err
	}
	t.count(r.lane, 0, 'q')
	t.wake(r.lane)
	if r.expires == 0 {
		return nil
	}
	return t.run("INSERT INTO expiry VALUES(?, ?)", r.expires, r.id)
}
