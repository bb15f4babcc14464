package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// Put stores jobs, all or none; see [queue.Store]. Streams are read into memory.
func (s *Store) Put(ctx context.Context, now time.Time, jobs []queue.Submission) ([]queue.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	records, err := prepare(now, jobs)
	if err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	first, err := s.firsts(records)
	if err != nil {
		return nil, err
	}
	receipts := make([]queue.Receipt, len(records))
	for i, r := range records {
		receipts[i] = queue.Receipt{Durability: queue.Memory, Existing: first[i] != r}
		if first[i] == r {
			s.create(r)
		}
		receipts[i].ID = first[i].job.ID
	}
	return receipts, nil
}

// prepare makes records of submissions and reads their bodies.
func prepare(now time.Time, jobs []queue.Submission) ([]*record, error) {
	records, bodies := make([]*record, len(jobs)), map[*queue.Body]*body{}
	for i := range jobs {
		submission := jobs[i]
		submission.Job = clone(&submission.Job)
		if err := submission.Prepare(now); err != nil {
			return nil, &queue.InvalidError{Index: i, Err: err}
		}
		stored := bodies[submission.Body]
		if stored == nil {
			octets, err := read(&submission)
			if err != nil {
				return nil, fmt.Errorf("read body of job %d: %w", i+1, err)
			}
			stored = &body{octets: octets}
			bodies[submission.Body] = stored
		}
		records[i] = newRecord(&submission, stored)
	}
	return records, nil
}

func newRecord(s *queue.Submission, stored *body) *record {
	r := &record{job: s.Job, body: stored}
	r.job.Size = int64(len(stored.octets))
	if s.Key != "" {
		r.key = key{s.Lane, s.Key}
		r.print = bytes.Clone(s.Fingerprint(sha256.Sum256(stored.octets)))
	}
	return r
}

// read gives octets that nobody changes.
func read(s *queue.Submission) ([]byte, error) {
	octets, inMemory := s.Body.Bytes()
	switch {
	case !inMemory:
		return io.ReadAll(s.Body.Reader())
	case s.Durability == queue.Memory:
		return octets, nil
	}
	return bytes.Clone(octets), nil
}

// firsts finds, for each record, the one that was put before with its key; itself
// if there is none.
func (s *Store) firsts(records []*record) ([]*record, error) {
	first, fresh := make([]*record, len(records)), map[key]*record{}
	for i, r := range records {
		first[i] = r
		if r.key.key == "" {
			continue
		}
		earlier := s.keys[r.key]
		if earlier == nil {
			earlier = fresh[r.key]
		}
		switch {
		case earlier == nil:
			fresh[r.key] = r
		case !bytes.Equal(earlier.print, r.print):
			return nil, &queue.ConflictError{Lane: r.key.lane, Key: r.key.key, ID: earlier.job.ID}
		default:
			first[i] = earlier
		}
	}
	return first, nil
}
