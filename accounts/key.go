package accounts

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// KeyKind is where the key of secrets.age is kept.
type KeyKind uint8

// The kinds.
const (
	KeyFile       KeyKind = iota // an age identity in a file with mode 0600
	KeyKeyring                   // an age identity in the operating system's keyring
	KeyPassphrase                // made of a passphrase (scrypt, 32 MB)
)

var keyKinds = []string{"file", "keyring", "passphrase"}

// String returns "file", "keyring" or "passphrase".
func (k KeyKind) String() string {
	if int(k) < len(keyKinds) {
		return keyKinds[k]
	}
	return fmt.Sprintf("key(%d)", uint8(k))
}

// MarshalText writes the kind as String does.
func (k KeyKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind as String writes it.
func (k *KeyKind) UnmarshalText(text []byte) error {
	i := slices.Index(keyKinds, string(text))
	if i < 0 {
		return fmt.Errorf("%q is none of file, keyring, passphrase", text)
	}
	*k = KeyKind(i)
	return nil
}

// Key says where the key of secrets.age is; it is not the key.
type Key struct {
	Kind KeyKind `json:"kind"`
	File string  `json:"file,omitempty"` // of KeyFile; default key.txt in the configuration directory
}

// String says it in words: "key file /home/ann/.config/kaizen/key.txt", "keyring"
// or "passphrase".
func (k Key) String() string {
	if k.Kind == KeyFile {
		return "key file " + k.File
	}
	return k.Kind.String()
}

// Key tells how secrets.age is opened, or would be if it does not exist.
func (s *Store) Key() (Key, error) {
	n, err := s.settings()
	if err != nil {
		return Key{}, err
	}
	return s.keyInUse(n)
}

// Recipient is the public half of the key ("age1…"), to which others can export.
// The key is created if there are no secrets yet. A store with a passphrase has
// none.
func (s *Store) Recipient(ctx context.Context) (string, error) {
	n, err := s.settings()
	if err != nil {
		return "", err
	}
	k, err := s.keyInUse(n)
	if err != nil {
		return "", err
	}
	if k.Kind == KeyPassphrase {
		return "", &SecretError{File: s.path(secretsName), Err: ErrNoKey, Hint: "it has a passphrase, and thus no public key to export to"}
	}
	var o opener
	err = s.change(ctx, func(n *snapshot) (err error) {
		secrets, err := s.openSecrets(ctx)
		if err == nil {
			o, err = s.openerFor(ctx, n, secrets)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprint(o.recipient), nil
}

// absolute fills in where the key file is.
func (s *Store) absolute(k Key) Key {
	if k.Kind != KeyFile {
		return Key{Kind: k.Kind}
	}
	if k.File == "" {
		k.File = keyName
	}
	return Key{Kind: KeyFile, File: inDir(s.dir, k.File)}
}

// keyInUse is the key that secrets.age was encrypted with, or will be.
func (s *Store) keyInUse(n *snapshot) (Key, error) {
	written, own := n.written.key, n.own.key
	if written == nil || own == nil || written.Kind == own.Kind || !s.exists(secretsName) {
		return s.keyBefore(n), nil
	}
	return Key{}, &FileError{File: n.written.file, Line: n.written.keyLine, Key: "secrets.key",
		Err: fmt.Errorf("%q is not what %s was encrypted with (%s): change that with kaizen account rekey --key %s (Store.Rekey), or set it back",
			written.Kind, s.path(secretsName), own.Kind, written.Kind)}
}

// keyBefore is the key that secrets.age was encrypted with, whatever kaizen.toml
// says now. Its kind stands in the program's own settings, so that a change in
// kaizen.toml alone is noticed and not taken for the truth.
func (s *Store) keyBefore(n *snapshot) Key {
	written, own := n.written.key, n.own.key
	switch {
	case written == nil && own == nil:
		return s.absolute(Key{})
	case written == nil:
		return s.absolute(*own)
	case own == nil || own.Kind == written.Kind || !s.exists(secretsName):
		return s.absolute(*written)
	}
	return s.absolute(*own)
}

func (s *Store) exists(name string) bool {
	_, err := os.Stat(s.path(name))
	return err == nil
}
