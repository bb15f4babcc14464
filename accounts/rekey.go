package accounts

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// RekeyOptions say what [Store.Rekey] changes to.
type RekeyOptions struct {
	// Key is the new place of the key. A new key is made, unless Key.File exists
	// and is not the one in use: then its first identity is taken.
	Key Key
	// Passphrase is asked for the new passphrase. Default: Options.Passphrase.
	// KAIZEN_PASSPHRASE is the old one and not taken for the new.
	Passphrase func(ctx context.Context, ask PassphraseRequest) (string, error)
}

// RekeyReport says what [Store.Rekey] did.
type RekeyReport struct {
	From    Key    `json:"from"`
	To      Key    `json:"to"`
	Secrets int    `json:"secrets"`          // how many were encrypted anew
	Tokens  int    `json:"tokens,omitempty"` // accounts whose OAuth 2 tokens were, too
	Kept    string `json:"kept,omitempty"`   // a former key file that lies outside of the directory and was not removed
}

// Rekey encrypts all secrets, tokens, and the backup, with a new key. The old key opens
// neither afterwards. A crash at any point leaves a store that opens. If
// kaizen.toml says otherwise than o.Key, the error is a [*HandWrittenError].
func (s *Store) Rekey(ctx context.Context, o RekeyOptions) (report RekeyReport, err error) {
	if o.Passphrase == nil {
		o.Passphrase = s.options.Passphrase
	}
	err = s.change(ctx, func(n *snapshot) (err error) {
		report, err = s.rekey(ctx, n, o)
		return err
	})
	return report, err
}

// rekey goes through states each of which opens: the new key lies beside the old
// one, and the settings name both, until the file has changed.
func (s *Store) rekey(ctx context.Context, n *snapshot, o RekeyOptions) (RekeyReport, error) {
	from, to := s.keyBefore(n), s.absolute(o.Key)
	if w := n.written.key; w != nil && s.absolute(*w) != to {
		return RekeyReport{}, &HandWrittenError{What: "the key of secrets.age", File: n.written.file, Line: n.written.keyLine}
	}
	opened, err := s.readSecrets(ctx, s.path(secretsName), s.allKeys(n))
	if err != nil {
		return RekeyReport{}, err
	}
	if opened.view.exists() {
		from = opened.opener.key
	}
	report := RekeyReport{From: from, To: to, Secrets: len(opened.passwords)}
	own := n.own
	own.key, own.next = s.relative(from), s.relative(to)
	if err := s.writeOwn(own); err != nil {
		return report, err
	}
	fresh, err := s.keyFor(ctx, from, to, o)
	if err != nil {
		return report, err
	}
	sealed, err := sealPasswords(opened.passwords, fresh)
	if err != nil {
		return report, err
	}
	if err := s.writeSecrets(sealed, opened.passwords, fresh); err != nil {
		return report, err
	}
	if err := s.writeFile(s.path(backupName), sealed); err != nil {
		return report, err
	}
	if report.Tokens, err = s.rekeyTokens(ctx, fresh, opened.opener); err != nil {
		return report, err
	}
	own.key, own.next = s.relative(to), nil
	if err := s.writeOwn(own); err != nil {
		return report, err
	}
	report.Kept, err = s.dropOldKeys(append(s.allKeys(n), from), from, fresh)
	return report, errors.Join(err, s.removeFile(s.path(damagedName)))
}

// rekeyTokens encrypts tokens anew. What does not open is left: it is of no use, and a
// login makes another one.
func (s *Store) rekeyTokens(ctx context.Context, fresh, before opener) (n int, err error) {
	names, err := s.tokenNames()
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		_, content, err := look(s.tokenPath(name))
		if err != nil {
			return n, fmt.Errorf("read %s: %w", s.tokenPath(name), cause(err))
		}
		plain, err := unseal(content, before.identities)
		if err != nil {
			if plain, err = s.unsealToken(ctx, s.tokenPath(name), content); err != nil {
				continue
			}
		}
		t, err := readToken(s.tokenPath(name), plain)
		if err != nil {
			continue
		}
		if err := s.writeToken(name, t, fresh); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// allKeys are all that may have been used: kaizen.toml may name a key file by now
// that the secrets are only to get.
func (s *Store) allKeys(n *snapshot) []Key {
	keys := []Key{s.keyBefore(n)}
	if n.own.key != nil && s.absolute(*n.own.key) != keys[0] {
		keys = append(keys, s.absolute(*n.own.key))
	}
	return s.withNext(n, keys...)
}

// keyFor is a new key, or that of a file which somebody made for this.
func (s *Store) keyFor(ctx context.Context, from, to Key, o RekeyOptions) (opener, error) {
	if to.Kind == KeyFile && to != from && to.File != s.path(keyName) && s.keyIsThere(to) {
		return s.opener(ctx, to)
	}
	if to.Kind == KeyFile && to == from && !s.owns(to.File) {
		return opener{}, &SecretError{File: to.File, Err: errors.New("it is in use and lies outside of " + s.dir),
			Hint: "make a key with age-keygen and name its file, so that nothing else that this one opens is lost"}
	}
	return s.newKey(ctx, to, func(ctx context.Context, ask PassphraseRequest) (string, error) {
		return askedPassphrase(ctx, o.Passphrase, ask)
	})
}

// dropOldKeys removes what opened the secrets before, from where we put it: also
// what a Rekey left that did not finish.
func (s *Store) dropOldKeys(all []Key, from Key, fresh opener) (kept string, err error) {
	if fresh.key == from && from.Kind != KeyPassphrase {
		err = s.dropOldIdentities(fresh)
	}
	for _, old := range all {
		switch {
		case old == fresh.key || old.Kind == KeyPassphrase:
		case old.Kind == KeyKeyring:
			if e := s.options.Keyring.Delete(keyringService, s.keyringUser()); e != nil && !errors.Is(e, ErrNoKey) {
				err = errors.Join(err, s.keyringError(fmt.Errorf("remove the old key: %w", e)))
			}
		case s.owns(old.File):
			err = errors.Join(err, s.removeFile(old.File))
		case s.keyIsThere(old):
			kept = old.File
		}
	}
	return kept, err
}

// owns tells whether a file lies in the configuration directory.
func (s *Store) owns(file string) bool {
	rel, err := filepath.Rel(s.dir, file)
	return err == nil && filepath.IsLocal(rel)
}

// relative writes a path in the directory so that the directory can be moved.
func (s *Store) relative(k Key) *Key {
	if k.Kind == KeyFile && s.owns(k.File) {
		k.File = strings.TrimPrefix(k.File, s.dir+string(filepath.Separator))
	}
	if k.File == keyName {
		k.File = ""
	}
	return &k
}

// RestoreBackup makes secrets.age.bak, which must open with the key, the
// secrets.age. What was secrets.age becomes secrets.age.bak, or
// secrets.age.damaged if it does not open.
func (s *Store) RestoreBackup(ctx context.Context) error {
	return s.change(ctx, func(n *snapshot) error {
		backup, err := s.readSecrets(ctx, s.path(backupName), s.allKeys(n))
		switch {
		case err != nil:
			return fmt.Errorf("restore the backup: %w", err)
		case !backup.view.exists():
			return &SecretError{File: s.path(backupName), Err: errors.New("there is no backup yet"), Hint: "it is made by the second change of a secret"}
		}
		_, now, err := look(s.path(secretsName))
		if err != nil {
			return &SecretError{File: s.path(secretsName), Err: cause(err)}
		}
		if err := s.putAside(now, backup.opener); err != nil {
			return err
		}
		return s.writeFile(s.path(secretsName), backup.content)
	})
}

func (s *Store) putAside(content []byte, o opener) error {
	if len(content) == 0 {
		return nil
	}
	name := backupName
	if _, err := unseal(content, o.identities); err != nil {
		name = damagedName
	}
	return s.writeFile(s.path(name), content)
}
