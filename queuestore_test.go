package kaizen_test

import (
	"context"
	"errors"
	"io"
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
