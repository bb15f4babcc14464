package accounts

import (
	"errors"
	"strconv"
	"strings"
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
	ErrNoSecret    = errors.New("no secret")          // the account logs in, and there is no password for it
)

// NotFoundError says that there is no account of that name.
type NotFoundError struct {
	Name        string
	Dir         string   // where accounts were looked for
	Suggestions []string // similar names, best first
}

// Error names similar accounts, or where accounts were looked for.
func (e *NotFoundError) Error() string {
	text := "no account " + strconv.Quote(e.Name) + " in " + e.Dir
	if len(e.Suggestions) == 0 {
		return text
	}
	return text + ": did you mean " + quoteAll(e.Suggestions, " or ") + "?"
}

// Is makes errors.Is(err, ErrNotFound) true.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// NoDefaultError says that several accounts exist, or none, and no default.
type NoDefaultError struct {
	Names []string // all accounts
	Dir   string
}

// Error says how to choose.
func (e *NoDefaultError) Error() string {
	if len(e.Names) == 0 {
		return "no account in " + e.Dir + " yet: add one"
	}
	const most = 8
	names := quoteAll(e.Names[:min(len(e.Names), most)], ", ")
	if len(e.Names) > most {
		names += ", …"
	}
	return "several accounts and no default: name one of " + names + ", or choose a default"
}

// DuplicateError says that one name stands in two places, or two that differ in
// case only.
type DuplicateError struct {
	Name  string
	Files [2]string
}

// Error names both files.
func (e *DuplicateError) Error() string {
	return "account " + strconv.Quote(e.Name) + " stands twice, in " + e.Files[0] + " and in " + e.Files[1] + ": remove one (names that differ in case only are the same)"
}

// HandWrittenError says that a change would have to be made in kaizen.toml,
// which is never rewritten.
type HandWrittenError struct {
	What string // `account "work"`, "the default account", …
	File string
	Line int
}

// Error says where to edit.
func (e *HandWrittenError) Error() string {
	return e.What + " is set in " + place(e.File, e.Line, 0) + ", which is yours to edit; it is never changed by the program"
}

// FileError is something wrong in a file of settings. It never holds a secret.
type FileError struct {
	File         string // empty if it comes from Entry.Set or Store.Put
	Line, Column int    // from 1; 0 if unknown
	Key          string // "accounts.work.prot"
	Suggestion   string // the key that was meant, for an unknown one
	Err          error
}

// Error gives the place as an editor understands it.
func (e *FileError) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(place(e.File, e.Line, e.Column) + ": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Err.Error())
	if e.Suggestion != "" {
		b.WriteString(": did you mean " + strconv.Quote(e.Suggestion) + "?")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// SecretError says why the secret of an account, or the file of all secrets,
// cannot be used. It never holds a secret.
type SecretError struct {
	Account string // empty if it is about the file of all
	File    string // or "keyring", "variable NAME", "command NAME"
	Hint    string // what to do
	Err     error
}

// Error says what is wrong and what to do.
func (e *SecretError) Error() string {
	var b strings.Builder
	if e.Account != "" {
		b.WriteString("secret of account " + strconv.Quote(e.Account) + ": ")
	}
	if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	b.WriteString(e.Err.Error())
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the cause; errors.Is tells [ErrDamaged], [ErrWrongKey] and so on.
func (e *SecretError) Unwrap() error { return e.Err }

// place writes a place as an editor understands it.
func place(file string, line, column int) string {
	if line > 0 {
		file += ":" + strconv.Itoa(line)
		if column > 0 {
			file += ":" + strconv.Itoa(column)
		}
	}
	return file
}

func quoteAll(words []string, between string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return strings.Join(quoted, between)
}
