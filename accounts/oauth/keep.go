package oauth

import (
	"context"
	"sync"
)

// Keep keeps the token of one account, for this process and others. Its errors must
// hold no secret. It is used by one goroutine at a time.
type Keep interface {
	// Lock keeps others from renewing the token until unlock. It waits until ctx ends.
	Lock(ctx context.Context) (unlock func(), err error)
	// Load returns the token as it was saved last, by whomever; the zero Token if
	// there is none.
	Load(ctx context.Context) (Token, error)
	// Save returns when the token survives a crash and a power failure. The one before
	// may be of no use any more from the moment of the call.
	Save(ctx context.Context, t Token) error
}

// memory is the Keep of a Source that was given none.
type memory struct {
	mu    sync.Mutex
	token Token
}

// Lock does nothing: there are no others.
func (m *memory) Lock(context.Context) (func(), error) { return func() {}, nil }

// Load returns the token.
func (m *memory) Load(context.Context) (Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.token, nil
}

// Save remembers the token.
func (m *memory) Save(_ context.Context, t Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token = t
	return nil
}
