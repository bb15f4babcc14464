package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/accounts/oauth"
	"github.com/kaizenmail/kaizen/internal/safefile"
	"github.com/pelletier/go-toml/v2"
)

const (
	tokenEnding     = ".age"
	tokenLockEnding = ".lock"
	// tokenVersion is of the plain text of a token's file.
	tokenVersion = 1
)

// tokenPath is the file with the tokens of an account. They are apart from passwords
// since they change all the time.
func (s *Store) tokenPath(name string) string {
	return filepath.Join(s.dir, tokensName, name+tokenEnding)
}

// tokenLock is the file that is locked while an account's token is renewed.
func (s *Store) tokenLock(name string) string {
	return filepath.Join(s.dir, tokensName, name+tokenLockEnding)
}

// tokenKeep keeps the tokens of one account.
type tokenKeep struct {
	store *Store
	name  string
}

// Lock keeps other processes from renewing the account's token. It is not the lock
// of the directory: a renewal takes as long as the network does.
func (k *tokenKeep) Lock(ctx context.Context) (unlock func(), err error) {
	path := k.store.tokenLock(k.name)
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("create %s: %w", filepath.Dir(path), cause(err))
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, cause(err))
	}
	if err := safefile.Lock(ctx, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// Load reads what any process has kept.
func (k *tokenKeep) Load(ctx context.Context) (oauth.Token, error) {
	_, t, err := k.store.loadToken(ctx, k.name)
	return t, err
}

// Save returns when the token is on the disk.
func (k *tokenKeep) Save(ctx context.Context, t oauth.Token) error {
	return k.store.saveToken(ctx, k.name, t)
}

func (s *Store) loadToken(ctx context.Context, name string) (*view, oauth.Token, error) {
	path := s.tokenPath(name)
	v, content, err := look(path)
	if err != nil {
		return nil, oauth.Token{}, &SecretError{File: path, Err: cause(err)}
	}
	if !v.exists() {
		return v, oauth.Token{}, nil
	}
	if err := checkPrivate(path, v.info); err != nil {
		return nil, oauth.Token{}, err
	}
	plain, err := s.unsealToken(ctx, path, content)
	if err != nil {
		return nil, oauth.Token{}, err
	}
	t, err := readToken(path, plain)
	return v, t, err
}

// unsealToken tries the key of secrets.age, then others that a Rekey which did not
// finish has left.
func (s *Store) unsealToken(ctx context.Context, path string, content []byte) ([]byte, error) {
	opened, err := s.openSecrets(ctx)
	if err != nil {
		return nil, err
	}
	hint := "remove it and log in again"
	if opened.view.exists() {
		plain, err := unseal(content, opened.opener.identities)
		if err == nil {
			return plain, nil
		}
		if errors.Is(err, ErrDamaged) {
			return nil, &SecretError{File: path, Err: ErrDamaged, Hint: hint}
		}
	}
	n, err := s.settings()
	if err != nil {
		return nil, err
	}
	for _, key := range s.allKeys(n) {
		if key.Kind == KeyPassphrase {
			continue // the one that works was tried
		}
		if o, err := s.opener(ctx, key); err == nil {
			if plain, err := unseal(content, o.identities); err == nil {
				return plain, nil
			}
		}
	}
	return nil, &SecretError{File: path, Err: fmt.Errorf("%w: the key of %s does not open it", ErrWrongKey, secretsName), Hint: hint}
}

// tokenFile is the plain text.
type tokenFile struct {
	Version  int      `toml:"version"`
	Access   string   `toml:"access_token"`
	Refresh  string   `toml:"refresh_token,omitempty"`
	Expires  string   `toml:"expires,omitempty"`
	Scopes   []string `toml:"scopes,omitempty"`
	Login    string   `toml:"login,omitempty"`
	Renewed  string   `toml:"renewed,omitempty"`
	ClientID string   `toml:"client_id"`
	TokenURL string   `toml:"token_url"`
}

// Format tells nothing.
func (tokenFile) Format(f fmt.State, _ rune) { fmt.Fprint(f, "token") }

func fileOf(t oauth.Token) tokenFile {
	return tokenFile{tokenVersion, t.Access, t.Refresh, timeText(t.Expires), t.Scopes, timeText(t.Login), timeText(t.Renewed), t.ClientID, t.TokenURL}
}

func (f *tokenFile) token() (t oauth.Token, err error) {
	t = oauth.Token{Access: f.Access, Refresh: f.Refresh, Scopes: f.Scopes, ClientID: f.ClientID, TokenURL: f.TokenURL}
	for _, one := range []struct {
		to   *time.Time
		text string
	}{{&t.Expires, f.Expires}, {&t.Login, f.Login}, {&t.Renewed, f.Renewed}} {
		if one.text == "" {
			continue
		}
		if *one.to, err = time.Parse(time.RFC3339Nano, one.text); err != nil {
			return oauth.Token{}, errors.New("a time in it is none")
		}
	}
	return t, nil
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// readToken reads the plain text. Its errors hold nothing of it.
func readToken(path string, plain []byte) (oauth.Token, error) {
	var f tokenFile
	err := toml.NewDecoder(bytes.NewReader(plain)).DisallowUnknownFields().Decode(&f)
	if f.Version > tokenVersion {
		return oauth.Token{}, &SecretError{File: path, Err: errors.New("written by a later version of kaizen"), Hint: "use that version"}
	}
	var t oauth.Token
	if err == nil && f.Version == tokenVersion {
		if t, err = f.token(); err == nil {
			return t, nil
		}
	}
	return oauth.Token{}, &SecretError{File: path, Err: fmt.Errorf("%w: it opens, but what is inside is not kaizen's", ErrDamaged), Hint: "remove it and log in again"}
}

// saveToken encrypts a token for the key of secrets.age. The account must be there.
func (s *Store) saveToken(ctx context.Context, name string, t oauth.Token) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	return s.change(ctx, func(n *snapshot) error {
		if _, ok := n.found[name]; !ok {
			return &NotFoundError{Name: name, Dir: s.dir}
		}
		o, err := s.tokenOpener(ctx, n)
		if err != nil {
			return err
		}
		return s.writeToken(name, t, o)
	})
}

// tokenOpener makes secrets.age if there is none: what is said of its key holds for
// tokens, too.
func (s *Store) tokenOpener(ctx context.Context, n *snapshot) (opener, error) {
	opened, err := s.openSecrets(ctx)
	if err != nil {
		return opener{}, err
	}
	o, err := s.openerFor(ctx, n, opened)
	if err != nil || opened.view.exists() {
		return o, err
	}
	none := map[string]string{}
	sealed, err := sealPasswords(none, o)
	if err != nil {
		return opener{}, err
	}
	return o, s.writeSecrets(sealed, none, o)
}

func (s *Store) writeToken(name string, t oauth.Token, o opener) error {
	return s.writeTokenFile(name, fileOf(t), o)
}

func (s *Store) writeTokenFile(name string, f tokenFile, o opener) error {
	plain, err := toml.Marshal(f)
	if err != nil {
		return errors.New("write the token: it cannot be written as TOML")
	}
	var sealed bytes.Buffer
	if err := seal(&sealed, plain, o.recipient); err != nil {
		return err
	}
	return s.writeFile(s.tokenPath(name), sealed.Bytes())
}

// dropToken removes the tokens of an account.
func (s *Store) dropToken(name string) error {
	return s.removeFile(s.tokenPath(name))
}

// tokenNames are the accounts that have tokens.
func (s *Store) tokenNames() (names []string, err error) {
	entries, err := os.ReadDir(s.path(tokensName))
	if err = ignoreMissing(err); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.path(tokensName), cause(err))
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), tokenEnding); ok && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names, nil
}
