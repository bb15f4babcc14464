package sqlite

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/internal/crashpoint"
	"github.com/kaizenmail/kaizen/queue"
)

// What one transaction takes up at most.
const (
	maxBatch  = 1024
	maxOctets = 8 << 20
)

// operation is something to be written. do runs in a transaction with others, and
// again if that fails: so it must set all its results anew. If it fails for a
// reason of its own, it has changed nothing.
type operation struct {
	do     func(*tx) error
	at     place
	octets int
	state  atomic.Int32 // waiting, taken, given up
	err    error
	done   chan error    // nil: nobody waits
	after  func()        // if nobody waits: called when it is done or has failed
	tokens []queue.Token // of claims
	settle []queue.Token // of settlements
}

const (
	waiting int32 = iota
	taken
	givenUp
)

// place is a pair of crash points: before and after the commit.
type place struct{ before, after string }

var (
	nothing  place
	putting  = place{"put.before", "put.after"}
	claiming = place{"claim.before", "claim.after"}
	begin    = place{"begin.before", "begin.after"}
	settling = place{"settle.before", "settle.after"}
)

// write has do done in a transaction and waits until that is committed. When ctx
// ends before it began, it is not done any more.
func (s *Store) write(ctx context.Context, at place, octets int, do func(*tx) error) error {
	op := &operation{do: do, at: at, octets: octets, done: make(chan error, 1)}
	select {
	case s.operations <- op:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
	}
	if op.state.CompareAndSwap(waiting, givenUp) {
		return ctx.Err()
	}
	return <-op.done
}

// post has do done without waiting for it, and calls after then.
func (s *Store) post(ctx context.Context, at place, octets int, do func(*tx) error, after func()) error {
	op := &operation{do: do, at: at, octets: octets, after: after}
	s.unsaved.Add(1)
	select {
	case s.operations <- op:
		return nil
	case <-ctx.Done():
		s.unsaved.Add(-1)
		return ctx.Err()
	}
}

// write1by1 commits what waits, batch after batch. While it commits one, the next
// one gathers.
func (s *Store) write1by1() {
	for op := range s.operations {
		runtime.Gosched() // who was answered just now may have more
		s.commit(s.gather(op))
		s.restartLog()
	}
	s.commit(s.retry())
	for _, op := range s.retry() {
		s.log.Error("mail that was queued with the durability memory is lost", "dir", s.dir, "err", op.err)
		op.after()
	}
}

// retry are the operations nobody waits for that could not be written.
func (s *Store) retry() []*operation {
	failed := s.failed
	s.failed = nil
	return failed
}

func (s *Store) gather(first *operation) (batch []*operation) {
	octets := 0
	batch = s.retry()
	add := func(op *operation) {
		if op.state.CompareAndSwap(waiting, taken) {
			batch = append(batch, op)
			octets += op.octets
		}
	}
	add(first)
	for len(batch) < maxBatch && octets < maxOctets {
		select {
		case op, ok := <-s.operations:
			if !ok {
				return batch
			}
			add(op)
		default:
			return batch
		}
	}
	return batch
}

// commit does a batch; if that fails for a reason that may be one operation's,
// each of them alone.
func (s *Store) commit(batch []*operation) {
	if len(batch) == 0 {
		return
	}
	err := s.transact(batch)
	switch {
	case err == nil:
		for _, op := range batch {
			s.answer(op, op.err)
		}
	case len(batch) == 1 || breaks(err) || errors.Is(err, sqlite3.BUSY):
		for _, op := range batch {
			s.answer(op, s.diskError(saving, err))
		}
	default:
		for i := range batch {
			s.commit(batch[i : i+1])
		}
	}
}

// answer tells whoever waits. What nobody waits for is tried again with whatever is
// written next, if the disk was the reason.
func (s *Store) answer(op *operation, err error) {
	if op.done != nil {
		op.done <- err
		return
	}
	if err != nil && (breaks(err) || errors.Is(err, sqlite3.BUSY)) && len(s.failed) < maxBatch {
		op.err = err
		s.failed = append(s.failed, op)
		return
	}
	op.after()
	s.unsaved.Add(-1)
	if err != nil {
		s.log.Error("mail that was queued with the durability memory is lost", "dir", s.dir, "err", err)
	}
}

// transact runs a batch in one transaction.
func (s *Store) transact(batch []*operation) error {
	if s.writer == nil {
		if err := s.reopen(); err != nil {
			return err
		}
	}
	t := s.transaction()
	err := t.attempt(batch)
	if err == nil {
		t.committed()
		hit(batch, func(at place) string { return at.after })
		return nil
	}
	t.rolledBack()
	if breaks(err) {
		for _, op := range batch {
			s.lost = append(s.lost, op.tokens...)
			for _, token := range op.settle {
				s.doubted[token] = true
			}
		}
		s.abandon()
		return err
	}
	if !s.writer.GetAutocommit() {
		if undone := s.writer.run("ROLLBACK"); undone != nil {
			s.abandon()
			return errors.Join(err, undone)
		}
	}
	s.writer.failed = nil
	return err
}

// attempt does all up to and including the commit. Its error is the database's.
func (t *tx) attempt(batch []*operation) error {
	if err := t.run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if len(t.s.lost) > 0 {
		if err := t.disown(t.s.lost); err != nil {
			if !breaks(err) {
				t.s.lost = nil // the next Recover settles them
			}
			return err
		}
	}
	for _, op := range batch {
		t.op = op
		op.tokens, op.settle = nil, nil
		if op.err = op.do(t); t.failed != nil {
			return t.failed
		}
	}
	if err := t.finish(); err != nil {
		return err
	}
	hit(batch, func(at place) string { return at.before })
	return t.run("COMMIT")
}

func hit(batch []*operation, point func(place) string) {
	for _, op := range batch {
		if op.at != nothing {
			crashpoint.Hit(point(op.at))
		}
	}
}
