package accounts

import (
	"errors"
	"fmt"
)

// What can go wrong, for errors.Is.
var (
	ErrNotFound    = errors.New("no such account")
	ErrExists      = errors.New("account exists")
	ErrDamaged     = errors.New("damaged")            // secrets.age or a bundle: cut short, or changed by other means
	ErrWrongKey    = errors.New("wrong key")          // key or passphrase does not open the file
	ErrNoKey       = errors.New("no key")             // the key is not where it should be
	ErrPermissions = errors.New("others can read it") // chmod is needed
	ErrLocked      = errors.New("in use")             // another process changes the directory
	ErrNoSecret    = errors.New("no secret")          // the account logs in, and nothing is stored for it
)

var errPending = errors.New("not yet")

// NotFoundError says that there is no account of that name.
type NotFoundError struct {
	Name        string
	Dir         string   // where accounts were looked for
	Suggestions []string // similar names, best first
}

// Error names similar accounts, or what to do if there are none.
func (e *NotFoundError) Error() string { return "" }

// Is makes errors.Is(err, ErrNotFound) true.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// NoDefaultError says that several accounts exist, or none, and no default.
type NoDefaultError struct {
	Names []string // all accounts
	Dir   string
}

// Error says how to choose.
func (e *NoDefaultError) Error() string { return "" }

// DuplicateError says that one name stands in two places.
type DuplicateError struct {
	Name  string
	Files [2]string
}

// Error names both files.
func (e *DuplicateError) Error() string { return "" }

// HandWrittenError says that a change would have to be made in kaizen.toml,
// which is never rewritten.
type HandWrittenError struct {
	What string // `account "work"`, "the default account", …
	File string
	Line int
}

// Error says where to edit.
func (e *HandWrittenError) Error() string { return "" }

// FileError is something wrong in a file of settings. It never holds a secret.
type FileError struct {
	File         string // empty if it comes from Entry.Set or Store.Put
	Line, Column int    // from 1; 0 if unknown
	Key          string // "accounts.work.prot"
	Suggestion   string // the key that was meant, for an unknown one
	Err          error
}

// Error gives the place as an editor understands it.
func (e *FileError) Error() string { return fmt.Sprint(e.Err) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// SecretError says why the secret of an account, or the file of all secrets,
// cannot be used. It never holds a secret.
type SecretError struct {
	Account string // empty if it is about the file of all
	File    string // or keyring, variable, command
	Hint    string // what to do
	Err     error
}

// Error says what is wrong and what to do.
func (e *SecretError) Error() string { return fmt.Sprint(e.Err) }

// Unwrap returns the cause; errors.Is tells [ErrDamaged], [ErrWrongKey] and so on.
func (e *SecretError) Unwrap() error { return e.Err }
