package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"filippo.io/age"
	"github.com/pelletier/go-toml/v2"
)

// secretsVersion is of the plain text in secrets.age.
const secretsVersion = 1

// secrets is secrets.age, opened. It is not changed, and prints nothing.
type secrets struct {
	view      *view
	content   []byte            // encrypted
	passwords map[string]string // by account
	opener    opener            // what opened it; zero if there is no file
}

// Format tells the file.
func (s *secrets) Format(f fmt.State, _ rune) { fmt.Fprint(f, "secrets in ", s.view.path) }

// openSecrets decrypts secrets.age, once for each change of it. Without a file
// there are no secrets, which is no error.
func (s *Store) openSecrets(ctx context.Context) (*secrets, error) {
	if kept := s.secrets.Load(); kept != nil && kept.view.current() {
		return kept, nil
	}
	if err := acquire(ctx, s.opening); err != nil {
		return nil, err
	}
	defer release(s.opening)
	if kept := s.secrets.Load(); kept != nil && kept.view.current() {
		return kept, nil
	}
	opened, err := s.readCurrent(ctx)
	if err != nil {
		return nil, err
	}
	s.secrets.Store(opened)
	return opened, nil
}

// readCurrent reads again if a Rekey of another program came between the
// settings and the file.
func (s *Store) readCurrent(ctx context.Context) (*secrets, error) {
	n, err := s.settings()
	for err == nil {
		var opened *secrets
		if opened, err = s.readAs(ctx, n); err == nil {
			return opened, nil
		}
		now, err2 := s.settings()
		if err2 != nil || now == n {
			break
		}
		n, err = now, nil
	}
	return nil, err
}

func (s *Store) readAs(ctx context.Context, n *snapshot) (*secrets, error) {
	key, err := s.keyInUse(n)
	if err != nil {
		return nil, err
	}
	return s.readSecrets(ctx, s.path(secretsName), s.withNext(n, key))
}

// withNext adds the key that an unfinished Rekey was going to use.
func (s *Store) withNext(n *snapshot, keys ...Key) []Key {
	if n.own.next != nil {
		keys = append(keys, s.absolute(*n.own.next))
	}
	return keys
}

// acquire takes a lock that may be held during I/O: unlike for a mutex, one can
// stop waiting for it.
func acquire(ctx context.Context, lock chan struct{}) error {
	select {
	case lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func release(lock chan struct{}) { <-lock }

// readSecrets tries keys in turn. The error is that of the first.
func (s *Store) readSecrets(ctx context.Context, path string, keys []Key) (*secrets, error) {
	v, content, err := look(path)
	if err != nil {
		return nil, &SecretError{File: path, Err: cause(err)}
	}
	if !v.exists() {
		return &secrets{view: v}, nil
	}
	if err := checkPrivate(path, v.info); err != nil {
		return nil, err
	}
	plain, o, first := s.decrypt(ctx, keys[0], path, content)
	err = first
	for _, key := range keys[1:] {
		if err != nil {
			plain, o, err = s.decrypt(ctx, key, path, content)
		}
	}
	if err != nil {
		return nil, first
	}
	passwords, err := readPasswords(path, plain)
	if err != nil {
		return nil, err
	}
	return &secrets{view: v, content: content, passwords: passwords, opener: o}, nil
}

func (s *Store) decrypt(ctx context.Context, key Key, path string, content []byte) ([]byte, opener, error) {
	if byPassphrase(content) {
		key = Key{Kind: KeyPassphrase} // whatever is said elsewhere
	}
	o, err := s.opener(ctx, key)
	if err != nil {
		return nil, opener{}, err
	}
	if s.passphrases.refused(o, content) {
		return nil, opener{}, s.doesNotOpen(o, path)
	}
	plain, err := unseal(content, o.identities)
	switch {
	case err == nil:
		s.passphrases.worked(o)
		return plain, o, nil
	case !errors.Is(err, ErrWrongKey):
		return nil, opener{}, s.isDamaged(path)
	case s.passphrases.forget(o):
		return s.decrypt(ctx, key, path, content) // it was changed by another program: ask again
	case s.backupOpens(o, path):
		return nil, opener{}, s.isDamaged(path)
	}
	s.passphrases.failed(o, content)
	return nil, opener{}, s.doesNotOpen(o, path)
}

func (s *Store) doesNotOpen(o opener, path string) error {
	if o.key.Kind == KeyPassphrase {
		return &SecretError{File: path, Err: fmt.Errorf("%w: the passphrase does not open it", ErrWrongKey), Hint: "or its first lines are damaged; " + s.howToRestore(path)}
	}
	return &SecretError{File: path, Err: fmt.Errorf("%w: the %s does not open it", ErrWrongKey, o.key),
		Hint: "it was encrypted for another key: put that key back; or its first lines are damaged: " + s.howToRestore(path)}
}

func (s *Store) isDamaged(path string) error {
	return &SecretError{File: path, Err: fmt.Errorf("%w: it was cut short or changed by something else", ErrDamaged), Hint: s.howToRestore(path)}
}

func (s *Store) howToRestore(path string) string {
	if path != s.path(secretsName) {
		return "there is no older version: remove both files and set the passwords again"
	}
	return "kaizen account restore (Store.RestoreBackup) takes the version before the last change, " + backupName
}

// backupOpens tells a damaged file from a wrong key: a key that opens the backup
// belongs here.
func (s *Store) backupOpens(o opener, path string) bool {
	if path != s.path(secretsName) {
		return false
	}
	_, content, err := look(s.path(backupName))
	if err != nil || len(content) == 0 {
		return false
	}
	_, err = unseal(content, o.identities)
	return err == nil
}

// byPassphrase looks at the first recipient of an age file.
func byPassphrase(content []byte) bool {
	_, rest, _ := bytes.Cut(content, []byte("\n"))
	return bytes.HasPrefix(rest, []byte("-> scrypt "))
}

// unseal decrypts an age file whole: what is returned was authenticated to its
// end. Errors are ErrWrongKey or ErrDamaged; the library's words add nothing that
// a person could act on.
func unseal(content []byte, identities []age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(content), identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, ErrWrongKey
	}
	if err != nil {
		return nil, ErrDamaged
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

func seal(w io.Writer, plain []byte, recipients ...age.Recipient) error {
	encrypted, err := age.Encrypt(w, recipients...)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if _, err := encrypted.Write(plain); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if err := encrypted.Close(); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	return nil
}

// readPasswords reads the plain text. Its errors hold nothing of it.
func readPasswords(path string, plain []byte) (map[string]string, error) {
	var file struct {
		Version  int
		Accounts map[string]struct{ Password string }
	}
	// A key that we do not know may be of a later version; writing would lose it.
	err := toml.NewDecoder(bytes.NewReader(plain)).DisallowUnknownFields().Decode(&file)
	switch {
	case file.Version > secretsVersion:
		return nil, &SecretError{File: path, Err: errors.New("written by a later version of kaizen"), Hint: "use that version"}
	case err != nil || file.Version != secretsVersion:
		return nil, &SecretError{File: path, Err: fmt.Errorf("%w: it opens, but what is inside is not kaizen's", ErrDamaged), Hint: "version = 1 and tables [accounts.NAME] with a password are expected"}
	}
	passwords := make(map[string]string, len(file.Accounts))
	for name, a := range file.Accounts {
		passwords[name] = a.Password
	}
	return passwords, nil
}

func writePasswords(passwords map[string]string) ([]byte, error) {
	accounts := table{}
	for name, password := range passwords {
		accounts[name] = table{"password": password}
	}
	t := table{"version": secretsVersion}
	if len(accounts) > 0 {
		t["accounts"] = accounts
	}
	plain, err := toml.Marshal(t)
	if err != nil {
		return nil, errors.New("write the secrets: they cannot be written as TOML")
	}
	return append([]byte("# Secrets of the accounts in kaizen.toml and accounts.d.\n"), plain...), nil
}

// ofClient follows the name of an account where the secret is that of its OAuth 2
// client. No name has a slash.
const ofClient = "/oauth"

// secretKey is where the secret of an account stands. A password and the secret of a
// client are kept apart: neither must go to the server of the other when an account
// changes over.
func (e *Entry) secretKey() string {
	if e.UsesOAuth() {
		return e.Name + ofClient
	}
	return e.Name
}

func dropSecrets(passwords map[string]string, name string) {
	delete(passwords, name)
	delete(passwords, name+ofClient)
}

// checkSecret refuses what could not be sent or read again.
func checkSecret(secret string) error {
	switch {
	case secret == "":
		return errors.New("it is empty")
	case !utf8.ValidString(secret) || strings.ContainsFunc(secret, unicode.IsControl):
		return errors.New("it has a control character, or is not UTF-8")
	case len(secret) > maxSecret:
		return fmt.Errorf("it is longer than %d octets", maxSecret)
	}
	return nil
}

// maxSecret is more than any token has.
const maxSecret = 64 << 10

// ask opens the secrets, if there are any, before the lock is taken: a person may
// have to type a passphrase, and nobody is to wait for that.
func (s *Store) ask(ctx context.Context) error {
	_, err := s.openSecrets(ctx)
	return err
}

// changeSecrets rewrites secrets.age, under the lock. The version before becomes
// the backup; it was just read, so that a damaged file never replaces a good
// backup.
func (s *Store) changeSecrets(ctx context.Context, n *snapshot, change func(passwords map[string]string)) error {
	opened, err := s.openSecrets(ctx)
	if err != nil {
		return err
	}
	passwords := maps.Clone(opened.passwords)
	if passwords == nil {
		passwords = map[string]string{}
	}
	change(passwords)
	if maps.Equal(passwords, opened.passwords) {
		return nil
	}
	o, err := s.openerFor(ctx, n, opened)
	if err != nil {
		return err
	}
	sealed, err := sealPasswords(passwords, o)
	if err != nil {
		return err
	}
	if opened.view.exists() {
		if err := s.writeFile(s.path(backupName), opened.content); err != nil {
			return err
		}
	}
	return s.writeSecrets(sealed, passwords, o)
}

func sealPasswords(passwords map[string]string, o opener) ([]byte, error) {
	plain, err := writePasswords(passwords)
	if err != nil {
		return nil, err
	}
	var sealed bytes.Buffer
	err = seal(&sealed, plain, o.recipient)
	return sealed.Bytes(), err
}

// writeSecrets writes secrets.age, and spares decrypting what was just encrypted.
func (s *Store) writeSecrets(sealed []byte, passwords map[string]string, o opener) error {
	path := s.path(secretsName)
	if err := s.writeFile(path, sealed); err != nil {
		return err
	}
	s.passphrases.worked(o)
	if v, content, err := look(path); err == nil && bytes.Equal(content, sealed) {
		s.secrets.Store(&secrets{view: v, content: content, passwords: passwords, opener: o})
	}
	return nil
}

// openerFor is what opened the secrets; if there are none yet, the key of the
// settings, which is made if it does not exist.
func (s *Store) openerFor(ctx context.Context, n *snapshot, opened *secrets) (opener, error) {
	if opened.view.exists() {
		return opened.opener, nil
	}
	key, err := s.keyInUse(n)
	if err != nil {
		return opener{}, err
	}
	o, err := s.firstKey(ctx, key)
	if err != nil || n.own.key != nil && s.absolute(*n.own.key) == key {
		return o, err
	}
	own := n.own
	own.key = &Key{Kind: key.Kind}
	if n.written.key == nil || n.written.key.File == "" {
		return o, s.writeOwn(own)
	}
	own.key.File = n.written.key.File
	return o, s.writeOwn(own)
}

func (s *Store) firstKey(ctx context.Context, key Key) (opener, error) {
	if key.Kind == KeyPassphrase {
		return s.newKey(ctx, key, s.askPassphrase)
	}
	o, err := s.opener(ctx, key)
	if errors.Is(err, ErrNoKey) && !s.keyIsThere(key) {
		return s.newKey(ctx, key, nil)
	}
	return o, err
}
