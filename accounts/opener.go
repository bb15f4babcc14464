package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"
)

const (
	passphraseVariable = "KAIZEN_PASSPHRASE"
	// workFactor: 2^15 iterations of scrypt need 32 MB and a tenth of a second.
	// The age tool's 2^18 needs 256 MB, which small machines do not have to spare.
	workFactor = 15
	// maxWorkFactor opens what the age tool made, and no file that would need more.
	maxWorkFactor = 18
)

// opener opens and makes files for one key. It prints nothing of it.
type opener struct {
	key        Key
	identities []age.Identity
	recipient  age.Recipient
	passphrase string // of KeyPassphrase
}

// Format tells where the key is.
func (o opener) Format(f fmt.State, _ rune) { fmt.Fprint(f, o.key.String()) }

// opener reads a key that exists.
func (s *Store) opener(ctx context.Context, k Key) (opener, error) {
	switch k.Kind {
	case KeyKeyring:
		text, err := s.keyringGet()
		if err != nil {
			return opener{}, err
		}
		return identities(k, "keyring", text)
	case KeyPassphrase:
		passphrase, err := s.askPassphrase(ctx, PassphraseRequest{File: s.path(secretsName)})
		if err != nil {
			return opener{}, err
		}
		return passphraseOpener(passphrase)
	}
	text, err := readPrivate(k.File)
	if errors.Is(err, fs.ErrNotExist) {
		return opener{}, &SecretError{File: k.File, Err: ErrNoKey,
			Hint: "without it " + s.path(secretsName) + " cannot be opened; put the key file back, or name it with key_file under [secrets] in kaizen.toml"}
	}
	if err != nil {
		return opener{}, err
	}
	return identities(k, k.File, string(text))
}

// identities reads key files as age-keygen writes them.
func identities(k Key, where, text string) (opener, error) {
	found, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil || len(found) == 0 {
		// The library's words may quote what it found.
		return opener{}, &SecretError{File: where, Err: ErrNoKey, Hint: "no age identity (AGE-SECRET-KEY-…) stands in it"}
	}
	o := opener{key: k, identities: found}
	switch first := found[0].(type) {
	case *age.X25519Identity:
		o.recipient = first.Recipient()
	case *age.HybridIdentity:
		o.recipient = first.Recipient()
	default:
		return opener{}, &SecretError{File: where, Err: ErrNoKey, Hint: "its first identity is of a kind that cannot encrypt"}
	}
	return o, nil
}

func passphraseOpener(passphrase string) (opener, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return opener{}, err
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return opener{}, err
	}
	recipient.SetWorkFactor(workFactor)
	return opener{key: Key{Kind: KeyPassphrase}, identities: []age.Identity{identity}, recipient: recipient, passphrase: passphrase}, nil
}

// askPassphrase takes the variable, then what was right before, then asks.
func (s *Store) askPassphrase(ctx context.Context, ask PassphraseRequest) (string, error) {
	if p, _ := s.options.LookupEnv(passphraseVariable); p != "" {
		return p, nil
	}
	if p := s.passphrases.last(); p != "" && !ask.New {
		return p, nil
	}
	return askedPassphrase(ctx, s.options.Passphrase, ask)
}

func askedPassphrase(ctx context.Context, asked func(context.Context, PassphraseRequest) (string, error), ask PassphraseRequest) (string, error) {
	if asked == nil {
		return "", &SecretError{File: ask.File, Err: ErrNoKey, Hint: "it needs a passphrase: set " + passphraseVariable}
	}
	p, err := asked(ctx, ask)
	if err == nil && p == "" {
		err = &SecretError{File: ask.File, Err: ErrNoKey, Hint: "the passphrase is empty"}
	}
	return p, err
}

// newKey makes a key where k says. Identities that are there already stay behind
// the new one, so that what they opened still opens until they are dropped.
func (s *Store) newKey(ctx context.Context, k Key, ask func(context.Context, PassphraseRequest) (string, error)) (opener, error) {
	if k.Kind == KeyPassphrase {
		p, err := ask(ctx, PassphraseRequest{File: s.path(secretsName), New: true})
		if err != nil {
			return opener{}, err
		}
		return passphraseOpener(p)
	}
	fresh, err := age.GenerateX25519Identity()
	if err != nil {
		return opener{}, fmt.Errorf("make a key: %w", err)
	}
	var old string
	if k.Kind == KeyKeyring {
		old, err = s.keyringGet()
	} else {
		var content []byte
		content, err = readPrivate(k.File)
		old = string(content)
	}
	if err != nil && !errors.Is(err, ErrNoKey) && !errors.Is(err, fs.ErrNotExist) {
		return opener{}, err
	}
	if err := s.putKey(k, keyText(fresh)+old); err != nil {
		return opener{}, err
	}
	return opener{key: k, identities: []age.Identity{fresh}, recipient: fresh.Recipient()}, nil
}

// keyText is as age-keygen writes it.
func keyText(identity *age.X25519Identity) string {
	return fmt.Sprintf("# The key of kaizen's secrets.age. Whoever has both has the passwords.\n# public key: %s\n%s\n", identity.Recipient(), identity)
}

func (s *Store) putKey(k Key, text string) error {
	if k.Kind == KeyKeyring {
		if err := s.options.Keyring.Set(keyringService, s.keyringUser(), text); err != nil {
			return s.keyringError(err)
		}
		return nil
	}
	return s.writeFile(k.File, []byte(text))
}

// dropOldIdentities leaves only the key that is in use.
func (s *Store) dropOldIdentities(o opener) error {
	if identity, ok := o.identities[0].(*age.X25519Identity); ok {
		return s.putKey(o.key, keyText(identity))
	}
	return nil
}

// keyIsThere tells a key that cannot be used from one that does not exist.
func (s *Store) keyIsThere(k Key) bool {
	if k.Kind == KeyKeyring {
		_, err := s.options.Keyring.Get(keyringService, s.keyringUser())
		return !errors.Is(err, ErrNoKey)
	}
	_, err := os.Lstat(k.File)
	return !errors.Is(err, fs.ErrNotExist)
}

// readPrivate reads a file that only its owner may read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	_, content, err := readWhole(path)
	return bytes.TrimPrefix(content, []byte("\ufeff")), err
}
