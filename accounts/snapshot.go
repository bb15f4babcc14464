package accounts

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

const (
	settingsName  = "kaizen.toml"
	accountsName  = "accounts.d"
	ownName       = ".settings.toml" // in accounts.d, where no account can have that name
	secretsName   = "secrets.age"
	backupName    = "secrets.age.bak"
	damagedName   = "secrets.age.damaged"
	keyName       = "key.txt"
	lockName      = ".lock"
	tokensName    = "tokens"
	accountEnding = ".toml"
)

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// accountPath is the file of an account that the program writes.
func (s *Store) accountPath(name string) string {
	return filepath.Join(s.dir, accountsName, name+accountEnding)
}

func (s *Store) ownPath() string { return filepath.Join(s.dir, accountsName, ownName) }

// snapshot is all settings files as they were at one time. It is not changed.
type snapshot struct {
	shared  []*view // files that all accounts depend on
	found   map[string]found
	names   []string // sorted
	written settings // kaizen.toml
	own     settings // accounts.d/.settings.toml
}

// found is one account or what is wrong with its file.
type found struct {
	entry *Entry
	err   error
	view  *view // of its own file; nil if that is kaizen.toml
}

// settings returns the settings as they are now: the last snapshot if no file has
// changed that the named account (or, without names, any) depends on.
func (s *Store) settings(names ...string) (*snapshot, error) {
	last := s.snapshot.Load()
	if last != nil && last.current(names) {
		return last, nil
	}
	next, err := s.readSettings()
	if err != nil {
		return nil, err
	}
	s.snapshot.Store(next)
	return next, nil
}

func (n *snapshot) current(names []string) bool {
	for _, v := range n.shared {
		if !v.current() {
			return false
		}
	}
	if len(names) == 0 {
		names = n.names
	}
	return !slices.ContainsFunc(names, func(name string) bool {
		v := n.found[name].view
		return v != nil && !v.current()
	})
}

func (s *Store) readSettings() (*snapshot, error) {
	n := &snapshot{found: map[string]found{}}
	for _, file := range []struct {
		path string
		read func(*document) error
	}{
		{s.path(settingsName), func(d *document) error { return n.readWritten(d, s.dir) }},
		{s.ownPath(), n.readOwn},
	} {
		v, content, err := look(file.path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file.path, cause(err))
		}
		n.shared = append(n.shared, v)
		d, err := readDocument(file.path, content)
		if err == nil {
			err = file.read(d)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := s.readAccounts(n); err != nil {
		return nil, err
	}
	n.names = slices.Sorted(maps.Keys(n.found))
	n.findClashes()
	return n, nil
}

// readAccounts reads accounts.d. A file with errors makes its account unusable,
// not the others.
func (s *Store) readAccounts(n *snapshot) error {
	dir := s.path(accountsName)
	v, names, err := look(dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, cause(err))
	}
	n.shared = append(n.shared, v)
	for file := range strings.SplitSeq(string(names), "\n") {
		name, ok := strings.CutSuffix(file, accountEnding)
		// Editors and writers leave files that begin with a dot.
		if !ok || strings.HasPrefix(file, ".") {
			continue
		}
		f := s.readAccount(name, filepath.Join(dir, file))
		if other, twice := n.found[name]; twice {
			f = found{err: &DuplicateError{Name: name, Files: [2]string{other.entry.Source, filepath.Join(dir, file)}}, view: f.view}
		}
		n.found[name] = f
	}
	return nil
}

func (s *Store) readAccount(name, path string) found {
	v, content, err := look(path)
	if err != nil {
		return found{err: fmt.Errorf("read %s: %w", path, cause(err)), view: &view{path: path}}
	}
	if err := CheckName(name); err != nil {
		return found{err: &FileError{File: path, Err: err}, view: v}
	}
	d, err := readDocument(path, content)
	if err != nil {
		return found{err: err, view: v}
	}
	e, err := d.entry(name, d.root, nil)
	e.dir = s.dir
	return found{entry: &e, err: err, view: v}
}

// findClashes marks accounts whose names differ in case only.
func (n *snapshot) findClashes() {
	byFold := map[string]string{}
	for _, name := range n.names {
		fold := strings.ToLower(name)
		other, twice := byFold[fold]
		byFold[fold] = name
		if !twice {
			continue
		}
		err := &DuplicateError{Name: name, Files: [2]string{n.found[other].file(), n.found[name].file()}}
		for _, one := range []string{other, name} {
			f := n.found[one]
			f.err = err
			n.found[one] = f
		}
	}
}

func (f found) file() string {
	if f.view != nil {
		return f.view.path
	}
	if f.entry != nil {
		return f.entry.Source
	}
	return ""
}

// entry finds an account.
func (s *Store) entry(n *snapshot, name string) (*Entry, error) {
	f, ok := n.found[name]
	if !ok {
		return nil, &NotFoundError{Name: name, Dir: s.dir, Suggestions: similar(name, n.names)}
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.entry, nil
}

// clash returns the account whose name is the same to a file system.
func (n *snapshot) clash(name string) (other string, ok bool) {
	i := slices.IndexFunc(n.names, func(o string) bool { return o != name && strings.EqualFold(o, name) })
	if i < 0 {
		return "", false
	}
	return n.names[i], true
}

// Names returns the names of all accounts, sorted, those with errors in their
// files too.
func (s *Store) Names() ([]string, error) {
	n, err := s.settings()
	if err != nil {
		return nil, err
	}
	return slices.Clone(n.names), nil
}

// Entry returns what is known of an account, without its secret. No secret is
// read and no command run. Errors: [*NotFoundError], [*FileError],
// [*DuplicateError].
func (s *Store) Entry(name string) (Entry, error) {
	n, err := s.settings(name)
	if err != nil {
		return Entry{}, err
	}
	e, err := s.entry(n, name)
	if err != nil {
		return Entry{}, err
	}
	return e.clone(), nil
}

// Entries returns all accounts that can be read, sorted by name, and the errors
// of all others joined.
func (s *Store) Entries() ([]Entry, error) {
	n, err := s.settings()
	if err != nil {
		return nil, err
	}
	var entries []Entry
	var wrong []error
	for _, name := range n.names {
		e, err := s.entry(n, name)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		entries = append(entries, e.clone())
	}
	return entries, errors.Join(wrong...)
}

// clone shares nothing that a caller could change.
func (e *Entry) clone() Entry {
	c := *e
	c.Mechanisms, c.Rates = slices.Clone(e.Mechanisms), slices.Clone(e.Rates)
	c.Servers, c.Retry = slices.Clone(e.Servers), slices.Clone(e.Retry)
	c.Secret.Command = slices.Clone(e.Secret.Command)
	c.OAuth.Scopes = slices.Clone(e.OAuth.Scopes)
	c.PinnedKeys, c.ProxySecret.Command = slices.Clone(e.PinnedKeys), slices.Clone(e.ProxySecret.Command)
	return c
}

// Default returns the name of the account that is meant where none is named: the
// default of kaizen.toml, else of [Store.SetDefault], else the only account there
// is. Errors: [*NoDefaultError], and a [*FileError] around a [*NotFoundError] if
// the default does not exist.
func (s *Store) Default() (string, error) {
	n, err := s.settings()
	if err != nil {
		return "", err
	}
	return s.standard(n)
}

func (s *Store) standard(n *snapshot) (string, error) {
	for _, from := range []settings{n.written, n.own} {
		if from.standard == "" {
			continue
		}
		if _, ok := n.found[from.standard]; !ok {
			missing := &NotFoundError{Name: from.standard, Dir: s.dir, Suggestions: similar(from.standard, n.names)}
			return "", &FileError{File: from.file, Line: from.standardLine, Key: "default", Err: missing}
		}
		return from.standard, nil
	}
	if len(n.names) == 1 {
		return n.names[0], nil
	}
	return "", &NoDefaultError{Names: slices.Clone(n.names), Dir: s.dir}
}
