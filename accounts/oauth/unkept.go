package oauth

import (
	"context"
	"fmt"
	"time"
)

// unkept is a token that could not be kept, as on a full disk. Its refresh token may
// be the only one that is still good: what is kept is the one before.
type unkept struct{ token, before Token }

// saveTimeout is apart from the renewal's: its time may be over, and the token is
// in hand.
const saveTimeout = 15 * time.Second

// save keeps a token in the place of another one, or tells that it cannot.
func (s *Source) save(t, before Token) {
	err := s.keep(t)
	s.mu.Lock()
	s.unkept = nil
	if err != nil {
		s.unkept, s.keepAt = &unkept{t, before}, time.Now().Add(longestPause)
	}
	s.mu.Unlock()
	if err != nil {
		s.trouble(fmt.Errorf("keep the renewed token: %w", err))
	}
}

func (s *Source) keep(t Token) error {
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	return s.options.Keep.Save(ctx, t)
}

func (s *Source) lost() *unkept {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unkept
}

// latest is the token to go on from: the one that could not be kept, which is tried
// again, unless somebody else has kept another one since.
func (s *Source) latest(kept Token) Token {
	u := s.lost()
	if u == nil {
		return kept
	}
	ours := kept.Access == u.before.Access && kept.Refresh == u.before.Refresh
	if ours && s.keep(u.token) != nil {
		s.mu.Lock()
		s.keepAt = time.Now().Add(longestPause)
		s.mu.Unlock()
		return u.token
	}
	s.mu.Lock()
	s.unkept = nil
	s.mu.Unlock()
	if ours {
		return u.token
	}
	return kept
}

// keepLast tries to keep what could not be kept before nobody knows it any more.
func (s *Source) keepLast() {
	if s.lost() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	unlock, err := s.options.Keep.Lock(ctx)
	if err != nil {
		return // and so could not be kept: it was told
	}
	defer unlock()
	if kept, err := s.options.Keep.Load(ctx); err == nil {
		s.latest(kept)
	}
}
