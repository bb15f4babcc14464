package accounts

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options say where a [Store] is and how its secrets are opened. The zero value
// is usable.
type Options struct {
	// Dir is the configuration directory. Default: [DefaultDir].
	Dir string
	// Passphrase is asked for the passphrase where secrets are encrypted with one
	// and the variable KAIZEN_PASSPHRASE is not set. It may be called again after a
	// wrong answer. Default: an error that names the variable.
	Passphrase func(ctx context.Context, ask PassphraseRequest) (string, error)
	// Keyring keeps the key where it is not in a file. Default: the operating
	// system's (Keychain, Credential Manager, Secret Service).
	Keyring Keyring
	// LookupEnv reads environment variables. Default: os.LookupEnv.
	LookupEnv func(name string) (value string, ok bool)
	// LockTimeout is how long a change waits for other processes that change the
	// same directory; then it fails with [ErrLocked]. Default 10 s.
	LockTimeout time.Duration
	// CommandTimeout bounds a password_command. Default 30 s.
	CommandTimeout time.Duration
	// HTTP asks for OAuth 2 tokens. Default: through the account's proxy, if it has
	// one; else oauth.Config's.
	HTTP *http.Client
	// Trouble, if set, is told of a renewed token that could not be kept: mail goes on,
	// but after a restart a login may be needed. It is called from goroutines of the
	// Store's. Default: slog.Default logs it.
	Trouble func(account string, err error)
}

// PassphraseRequest says what a passphrase is asked for.
type PassphraseRequest struct {
	File string // what it opens or will open; empty for a bundle
	New  bool   // it is chosen now: ask for it twice
}

// Store is a directory of accounts. Accounts with OAuth 2 renew their tokens in
// goroutines of the Store's; Close waits for them. It is safe for concurrent use, in several
// processes too. It prints without secrets.
type Store struct {
	dir         string
	options     Options
	passphrases passphrases

	snapshot atomic.Pointer[snapshot]
	routing  atomic.Pointer[routing]
	secrets  atomic.Pointer[secrets]
	opening  chan struct{} // held while secrets.age is decrypted

	mu       sync.Mutex // guards what follows; no I/O under it
	accounts map[string]*resolution
	sources  map[string]*grantSource
	former   []*grantSource // replaced, perhaps still in use
}

// Open returns the store in a directory. A directory that does not exist is an
// empty store; it is created by the first change, with mode 0700. Files are read
// when they are needed: errors in them come from the methods.
func Open(o Options) (*Store, error) {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.Keyring == nil {
		o.Keyring = systemKeyring{}
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = 10 * time.Second
	}
	if o.Trouble == nil {
		o.Trouble = logTrouble
	}
	if o.CommandTimeout == 0 {
		o.CommandTimeout = 30 * time.Second
	}
	dir := o.Dir
	if dir == "" {
		var err error
		if dir, err = defaultDir(o.LookupEnv); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", o.Dir, err)
	}
	return &Store{dir: dir, options: o, opening: make(chan struct{}, 1), accounts: map[string]*resolution{}, sources: map[string]*grantSource{}}, nil
}

// Format tells the directory alone: a store knows passwords.
func (s *Store) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "accounts in %s", s.dir) }

// MarshalText writes the directory alone.
func (s *Store) MarshalText() ([]byte, error) { return []byte(s.dir), nil }

// Dir is the configuration directory, as an absolute path.
func (s *Store) Dir() string { return s.dir }
