package kaizen_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// brittle is a store whose bodies cannot be opened at first, or break off.
type brittle struct {
	queue.Store
	closed time.Time // until then
}

func (s *brittle) Claim(ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
	got, err := s.Store.Claim(ctx, now, wants)
	for i := range got {
		for k := range got[i].Claims {
			if open := got[i].Claims[k].Body.Open; open != nil {
				got[i].Claims[k].Body.Open = func() (io.ReadCloser, error) { return s.open(open) }
			}
		}
	}
	return got, err
}

func (s *brittle) open(open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	switch left := time.Until(s.closed); {
	case left > 30*time.Second:
		return nil, errors.New("too many open files")
	case left > 0:
		r, err := open()
		return brokenOff{io.LimitReader(r, 100_000), r}, err
	}
	return open()
}

type brokenOff struct {
	io.Reader
	io.Closer
}

func (b brokenOff) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = errors.New("input/output error")
	}
	return n, err
}

// hooked is a store whose calls can be watched, delayed and made to fail.
type hooked struct {
	queue.Store
	mu     sync.Mutex
	before func(call string) error
	begun  map[queue.ID]time.Time // when Begin had returned, at first; of claims, when they had
	calls  map[string]int
}

func hook(s queue.Store, before func(call string) error) *hooked {
	return &hooked{Store: s, before: before, begun: make(map[queue.ID]time.Time), calls: make(map[string]int)}
}

func (s *hooked) set(before func(call string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.calls = before, make(map[string]int)
}

func (s *hooked) called(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

func (s *hooked) enter(call string) error {
	s.mu.Lock()
	before := s.before
	s.calls[call]++
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(call)
}

func (s *hooked) hasBegun(id queue.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun[id].IsZero() {
		s.begun[id] = time.Now()
	}
}

func (s *hooked) when(id queue.ID) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun[id]
}

func (s *hooked) Put(ctx context.Context, now time.Time, jobs []queue.Submission) ([]queue.Receipt, error) {
	if err := s.enter("put"); err != nil {
		return nil, err
	}
	return s.Store.Put(ctx, now, jobs)
}

func (s *hooked) Claim(ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
	if err := s.enter("claim"); err != nil {
		return nil, err
	}
	got, err := s.Store.Claim(ctx, now, wants)
	for i := range got {
		for k := range got[i].Claims {
			if c := &got[i].Claims[k]; c.Begun {
				s.hasBegun(c.Job.ID)
			}
		}
	}
	return got, err
}

func (s *hooked) Begin(ctx context.Context, now time.Time, tokens []queue.Token) ([]error, error) {
	if err := s.enter("begin"); err != nil {
		return nil, err
	}
	errs, err := s.Store.Begin(ctx, now, tokens)
	for i := range errs {
		if errs[i] == nil {
			s.hasBegun(tokens[i].ID)
		}
	}
	return errs, err
}

func (s *hooked) Settle(ctx context.Context, now time.Time, settlements []queue.Settlement) ([]error, error) {
	if err := errors.Join(s.enter("settle"), ctx.Err()); err != nil {
		return nil, err
	}
	return s.Store.Settle(ctx, now, settlements)
}

func (s *hooked) Changes(ctx context.Context, now time.Time) ([]string, error) {
	if err := s.enter("changes"); err != nil {
		return nil, err
	}
	return s.Store.Changes(ctx, now)
}

func (s *hooked) Expire(ctx context.Context, now time.Time, limit int) ([]queue.Job, error) {
	if err := s.enter("expire"); err != nil {
		return nil, err
	}
	return s.Store.Expire(ctx, now, limit)
}
