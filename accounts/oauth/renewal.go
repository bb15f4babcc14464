package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pauses between renewals that fail.
const (
	firstPause, longestPause = time.Second, time.Minute
	// permanentPause: after a refusal for good the Keep is looked at again, since
	// somebody may have logged in; the server is not asked.
	permanentPause = time.Second
)

// beginLocked starts a renewal.
func (s *Source) beginLocked() {
	r := &renewal{done: make(chan struct{})}
	s.renewal = r
	refused := s.refused
	s.running.Go(func() {
		ctx, cancel := context.WithTimeoutCause(context.Background(), s.options.Timeout, errSlow)
		defer cancel()
		r.token, r.err = s.renew(ctx, refused)
		s.end(r, time.Now())
	})
}

var errSlow = errors.New("there was no answer in time")

// end books what a renewal brought.
func (s *Source) end(r *renewal, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(r.done)
	s.renewal, s.failed = nil, r.err
	if r.err == nil {
		s.token, s.failures, s.retryAt = r.token, 0, time.Time{}
		return
	}
	pause := min(firstPause<<min(s.failures, 6), longestPause)
	s.failures++
	if isPermanent(r.err) && s.config.Flow.Interactive() {
		pause = permanentPause
	}
	s.retryAt = now.Add(pause)
}

func isPermanent(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Permanent()
}

// renew gets a token that can be used and is not the refused one: what another
// process has got in the meantime, or a new one. It is kept before anybody has it,
// since it may have ended the refresh token before.
func (s *Source) renew(ctx context.Context, refused string) (Token, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return Token{}, err
	}
	defer unlock()
	kept, err := s.options.Keep.Load(ctx)
	if err != nil {
		return Token{}, fmt.Errorf("read the kept token: %w", err)
	}
	kept = s.latest(kept)
	now := time.Now()
	if kept.of(&s.config) && kept.usable(now) && !kept.early(now) && kept.Access != refused {
		return kept, nil
	}
	if again := s.known(kept); again != nil {
		return Token{}, again
	}
	next, err := s.config.renew(ctx, kept)
	if err != nil {
		return Token{}, s.explain(err, kept)
	}
	s.save(next, kept)
	return next, nil
}

// lock goes on without a lock where there can be none, as on a disk that cannot be
// written: mail is worth more.
func (s *Source) lock(ctx context.Context) (func(), error) {
	unlock, err := s.options.Keep.Lock(ctx)
	if err == nil {
		return unlock, nil
	}
	if ctx.Err() != nil {
		return nil, &Error{Op: "renew the access token", Err: fmt.Errorf("another process has been renewing it for %v", s.options.Timeout)}
	}
	if s.lost() == nil { // else it was told
		s.trouble(fmt.Errorf("lock the token: %w", err))
	}
	return func() {}, nil
}

// known is the error of a refresh token that was refused for good already.
func (s *Source) known(kept Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead != "" && s.dead == kept.Refresh {
		return s.verdict
	}
	return nil
}

// explain adds what a person can do, and remembers a refusal for good.
func (s *Source) explain(err error, kept Token) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.Permanent() {
		return err
	}
	e.Hint = s.options.Hint
	if !s.config.Flow.Interactive() || e.OfClient() {
		e.Hint = s.options.ClientHint
	}
	if s.config.Flow.Interactive() {
		s.mu.Lock()
		s.dead, s.verdict = kept.Refresh, err
		s.mu.Unlock()
	}
	return err
}

func (s *Source) trouble(err error) {
	if s.options.Trouble != nil {
		s.options.Trouble(err)
	}
}
