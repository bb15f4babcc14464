package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen"
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
}

// PassphraseRequest says what a passphrase is asked for.
type PassphraseRequest struct {
	File string // what it opens or will open; empty for a bundle
	New  bool   // it is chosen now: ask for it twice
}

// Store is a directory of accounts. It is safe for concurrent use, in several
// processes too. It prints without secrets.
type Store struct {
	dir     string
	options Options
}

// Open returns the store in a directory. A directory that does not exist is an
// empty store; it is created by the first change, with mode 0700. Files are read
// when they are needed: errors in them come from the methods.
func Open(o Options) (*Store, error) {
	s := &Store{dir: o.Dir, options: o}
	return s, nil
}

// Format tells the directory alone: a store knows passwords.
func (s *Store) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "accounts in %s", s.dir) }

// Dir is the configuration directory, as an absolute path.
func (s *Store) Dir() string { return s.dir }

// Names returns the names of all accounts, sorted, those with errors in their
// files too.
func (s *Store) Names() ([]string, error) { return nil, errPending }

// Entry returns what is known of an account, without its secret. No secret is
// read and no command run. Errors: [*NotFoundError], [*FileError],
// [*DuplicateError].
func (s *Store) Entry(name string) (Entry, error) { return Entry{}, errPending }

// Entries returns all accounts that can be read, sorted by name, and the errors
// of all others joined.
func (s *Store) Entries() ([]Entry, error) { return nil, errPending }

// Default returns the name of the account that is meant where none is named: the
// default of kaizen.toml, else of [Store.SetDefault], else the only account there
// is. Errors: [*NoDefaultError], [*NotFoundError].
func (s *Store) Default() (string, error) { return "", errPending }

// SetDefault chooses the account that is meant where none is named. An empty name
// removes the choice. If kaizen.toml has a default, the error is a
// [*HandWrittenError].
func (s *Store) SetDefault(ctx context.Context, name string) error { return errPending }

// Account returns an account that can send: its preset applied, its secret read.
// It implements [kaizen.AccountResolver]. Results are kept and given again, until
// a file they came from has changed. Of a password_command the result is kept
// until the account's settings change or [Store.Forget] is called: call it when a
// server refused the login.
func (s *Store) Account(ctx context.Context, name string) (kaizen.Account, error) {
	return kaizen.Account{}, errPending
}

// Forget drops what was kept of an account, so that its password_command runs
// again when it is used next. Connections that are open stay.
func (s *Store) Forget(name string) {}

// Add writes a new account and, if secret is not empty, its secret. It fails with
// [ErrExists] if there is one of that name. The entry's Source and Line are not
// used.
func (s *Store) Add(ctx context.Context, e Entry, secret string) error { return errPending }

// Put writes an account to accounts.d, whether or not it exists. Its secret stays
// as it is. An account that stands in kaizen.toml is refused with a
// [*HandWrittenError]. The entry's Source and Line are not used.
func (s *Store) Put(ctx context.Context, e Entry) error { return errPending }

// SetSecret encrypts the password of an account, also of one that stands in
// kaizen.toml. It fails with a [*SecretError] if the account takes its password
// from elsewhere, or does not log in.
func (s *Store) SetSecret(ctx context.Context, name, secret string) error { return errPending }

// HasSecret reports whether secrets.age has a secret for an account, which needs
// the key.
func (s *Store) HasSecret(ctx context.Context, name string) (bool, error) { return false, errPending }

// Remove removes an account and its secret. An account that stands in kaizen.toml
// is refused with a [*HandWrittenError]. The secret is still in secrets.age.bak,
// encrypted, until the next change of a secret.
func (s *Store) Remove(ctx context.Context, name string) error { return errPending }
