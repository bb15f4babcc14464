package oauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// SourceOptions say where a [Source] keeps what it knows. The zero value is usable.
type SourceOptions struct {
	// Keep keeps the token. Default: memory, with Token in it.
	Keep Keep
	// Token is what Login brought, if there is no Keep.
	Token Token
	// Hint is added to errors that a person has to do something about: "run …", and
	// ClientHint in its place (default: Hint) where it is the client that is refused,
	// not the consent: its id, secret, key or rights.
	Hint, ClientHint string
	// Trouble, if set, is told of a token that could not be kept, or not be locked:
	// mail goes on with it, but after a restart a login may be needed. It is called
	// from a goroutine of the Source's.
	Trouble func(error)
	// Timeout of one renewal as a whole. Default 30 s.
	Timeout time.Duration
}

// Source hands out access tokens, and renews them: one renewal at a time, begun when
// a tenth of the token's life is left, at most 5 minutes. Until the token ends it is
// handed out without waiting, also if renewing fails. After a failure the next try
// waits, from a second up to a minute; whoever asks before gets the same error. What
// could not be kept is used, and tried again each minute. It is safe for concurrent
// use, and prints nothing that is secret.
type Source struct {
	config  Config
	options SourceOptions

	mu       sync.Mutex // guards what follows; no I/O under it
	token    Token      // the last one known
	refused  string     // access token that a mail server refused
	replaced time.Time  // when one was renewed because of that
	renewal  *renewal   // under way
	failed   error      // of the last renewal; nil if it went well
	failures int        // in a row
	dead     string     // refresh token that was refused for good
	verdict  error      // how
	retryAt  time.Time
	unkept   *unkept   // what could not be kept
	keepAt   time.Time // when to try that again
	closed   bool
	running  sync.WaitGroup
}

// renewal is one that is under way. What it brought is set before done is closed.
type renewal struct {
	done  chan struct{}
	token Token
	err   error
}

// ErrClosed is the error of a Source that was closed.
var ErrClosed = errors.New("the source of tokens is closed")

// NewSource checks the settings; nobody is asked yet. Errors are of type
// [*ConfigError].
func NewSource(c Config, o SourceOptions) (*Source, error) {
	c, err := c.Complete()
	if err != nil {
		return nil, err
	}
	if o.Keep == nil {
		o.Keep = &memory{token: o.Token}
	}
	if o.ClientHint == "" {
		o.ClientHint = o.Hint
	}
	if o.Timeout == 0 {
		o.Timeout = requestTimeout
	}
	return &Source{config: c, options: o}, nil
}

// Format tells whose tokens they are.
func (s *Source) Format(f fmt.State, verb rune) { s.config.Format(f, verb) }

// MarshalJSON writes the settings without their secrets.
func (s *Source) MarshalJSON() ([]byte, error) { return s.config.MarshalJSON() }

// Token returns an access token that can be used. It fits smtp.Auth.Token. It waits
// for a renewal if it must; one whose ctx ends leaves, the renewal goes on. Errors
// are of type [*Error], or the Keep's, or ctx's.
func (s *Source) Token(ctx context.Context) (string, error) {
	t, r, err := s.look(time.Now())
	if r == nil || err != nil {
		return t.Access, err
	}
	select {
	case <-r.done:
		return r.token.Access, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// look returns a token, or the renewal to wait for.
func (s *Source) look(now time.Time) (Token, *renewal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	usable := s.token.usable(now) && s.token.Access != s.refused
	switch {
	case usable && !s.token.early(now) && (s.unkept == nil || now.Before(s.keepAt)):
		return s.token, nil, nil
	case s.closed && !usable:
		return Token{}, nil, ErrClosed
	case s.renewal == nil && !s.closed && !now.Before(s.retryAt):
		s.beginLocked()
	}
	switch {
	case usable:
		return s.token, nil, nil
	case s.renewal != nil:
		return Token{}, s.renewal, nil
	}
	return Token{}, nil, s.failed
}

// leastBetween is how often a mail server's refusal is taken for a token that ended
// before its time; else it does not want this account.
const leastBetween = time.Minute

// Refused says that a mail server has refused a token that Token gave. It fits
// smtp.Auth.TokenRefused: it returns true if Token has another one by now or will
// get one. However many connections the same token was refused to, it is renewed
// once; and not again within a minute.
func (s *Source) Refused(token string) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case token == "" || s.closed:
		return false
	case token != s.token.Access || token == s.refused:
		return true
	case now.Before(s.replaced.Add(leastBetween)):
		return false
	}
	s.refused, s.replaced, s.retryAt = token, now, time.Time{}
	return true
}

// Current returns the last token known to this process, which may be none.
func (s *Source) Current() Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// Close waits for a renewal that is under way, at most its Timeout: what it brings
// may be the only refresh token that is still good. What could not be kept is tried
// once more. No other renewal begins.
func (s *Source) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	s.keepLast()
	return nil
}
