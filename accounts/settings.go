package accounts

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// settings are what a file says besides accounts.
type settings struct {
	file         string
	standard     string // the default account
	standardLine int
	key          *Key // of secrets.age; nil if not said
	keyLine      int
	// next is where a Rekey that did not finish was taking the key.
	next *Key

	routes routeTables
}

// readWritten reads kaizen.toml.
func (n *snapshot) readWritten(d *document, dir string) error {
	wrong := n.written.read(d, "accounts", "default", "secrets", routesKey)
	all, ok := d.root["accounts"].(table)
	if !ok && d.root["accounts"] != nil {
		return errors.Join(wrong, d.wrong([]string{"accounts"}, errors.New("must be tables like [accounts.work]")))
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e, err := d.readTable(name, all[name])
		e.dir = dir
		n.found[name] = found{entry: &e}
		wrong = errors.Join(wrong, err)
	}
	return wrong
}

func (d *document) readTable(name string, value any) (Entry, error) {
	path := []string{"accounts", name}
	t, ok := value.(table)
	if !ok {
		return Entry{}, d.wrong(path, fmt.Errorf("must be a table: [accounts.%s]", name))
	}
	if err := CheckName(name); err != nil {
		return Entry{}, d.wrong(path, err)
	}
	return d.entry(name, t, path)
}

// readOwn reads what the program wrote itself.
func (n *snapshot) readOwn(d *document) error { return n.own.read(d, "default", "secrets") }

// read takes what a settings file may have; accounts are the caller's.
func (s *settings) read(d *document, known ...string) error {
	s.file = d.file
	var wrong []error
	for _, key := range slices.Sorted(maps.Keys(d.root)) {
		path, value := []string{key}, d.root[key]
		var err error
		switch {
		case !slices.Contains(known, key):
			err = d.unknown(path, known)
		case key == "default":
			err = s.readDefault(d, path, value)
		case key == "secrets":
			err = s.readSecrets(d, path, value)
		case key == routesKey:
			err = s.readRoutes(d, value)
		}
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

func (s *settings) readDefault(d *document, path []string, value any) error {
	name, ok := value.(string)
	if !ok {
		return d.wrong(path, errors.New("must be the name of an account, in quotes"))
	}
	if err := CheckName(name); err != nil {
		return d.wrong(path, err)
	}
	s.standard, s.standardLine = name, d.line(path...)
	return nil
}

// readSecrets reads key and key_file, and of a Rekey that did not finish next and
// next_file.
func (s *settings) readSecrets(d *document, path []string, value any) error {
	t, ok := value.(table)
	if !ok {
		return d.wrong(path, errors.New("must be a table: [secrets]"))
	}
	known := []string{"key", "key_file", "next", "next_file"}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if !slices.Contains(known, key) {
			return d.unknown(append(path, key), known[:2])
		}
	}
	key, err := readKey(d, path, t, "key")
	if err != nil {
		return err
	}
	s.key, s.keyLine = key, d.line("secrets", "key")
	if s.keyLine == 0 {
		s.keyLine = d.line(path...)
	}
	s.next, err = readKey(d, path, t, "next")
	return err
}

// readKey is nil if nothing is said.
func readKey(d *document, path []string, t table, name string) (*Key, error) {
	kind, file := t[name], t[name+"_file"]
	if kind == nil && file == nil {
		return nil, nil
	}
	key := new(Key)
	if kind != nil {
		text, ok := kind.(string)
		if !ok {
			return nil, d.wrong(append(path, name), errors.New(`must be "file", "keyring" or "passphrase"`))
		}
		if err := key.Kind.UnmarshalText([]byte(text)); err != nil {
			return nil, d.wrong(append(path, name), err)
		}
	}
	if file != nil {
		text, ok := file.(string)
		if !ok || text == "" {
			return nil, d.wrong(append(path, name+"_file"), errors.New("must be the path of a file, in quotes"))
		}
		if key.Kind != KeyFile {
			return nil, d.wrong(append(path, name+"_file"), fmt.Errorf("contradicts %s = %q", name, key.Kind))
		}
		key.File = text
	}
	return key, nil
}

// writeOwn writes what Default and Rekey remember.
func (s *Store) writeOwn(own settings) error {
	t := table{}
	if own.standard != "" {
		t["default"] = own.standard
	}
	secrets := table{}
	for name, key := range map[string]*Key{"key": own.key, "next": own.next} {
		if key == nil {
			continue
		}
		secrets[name] = key.Kind.String()
		if key.File != "" {
			secrets[name+"_file"] = key.File
		}
	}
	if len(secrets) > 0 {
		t["secrets"] = secrets
	}
	content, err := toml.Marshal(t)
	if err != nil {
		return fmt.Errorf("write %s: %w", s.ownPath(), err)
	}
	return s.writeFile(s.ownPath(), append([]byte(fileHeader), content...))
}
