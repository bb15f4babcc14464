package accounts

import "context"

// KeyKind is where the key of secrets.age is kept.
type KeyKind uint8

// The kinds.
const (
	KeyFile       KeyKind = iota // an age identity in a file with mode 0600
	KeyKeyring                   // an age identity in the operating system's keyring
	KeyPassphrase                // made of a passphrase (scrypt, 32 MB)
)

// String returns "file", "keyring" or "passphrase".
func (k KeyKind) String() string { return "" }

// MarshalText writes the kind as String does.
func (k KeyKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind as String writes it.
func (k *KeyKind) UnmarshalText(text []byte) error { return errPending }

// Key says where the key of secrets.age is; it is not the key.
type Key struct {
	Kind KeyKind
	File string // of KeyFile; default key.txt in the configuration directory
}

// Keyring keeps small secrets for the user who is logged in. ErrNoKey is
// returned, wrapped or not, for what is not there.
type Keyring interface {
	Get(service, user string) (string, error)
	Set(service, user, secret string) error
	Delete(service, user string) error
}

// Key tells how secrets.age is opened, or would be if it does not exist.
func (s *Store) Key() (Key, error) { return Key{}, errPending }

// Recipient is the public half of the key ("age1…"), to which others can export.
// The key is created if there are no secrets yet. A store with a passphrase has
// none.
func (s *Store) Recipient(ctx context.Context) (string, error) { return "", errPending }

// RekeyOptions say what [Store.Rekey] changes to.
type RekeyOptions struct {
	// Key is the new place of the key. A new key is made, unless Key.File exists
	// and is not the one in use: then its first identity is taken.
	Key Key
	// Passphrase is asked for the new passphrase. Default: Options.Passphrase.
	Passphrase func(ctx context.Context, ask PassphraseRequest) (string, error)
}

// RekeyReport says what [Store.Rekey] did.
type RekeyReport struct {
	From, To Key
	Secrets  int    // how many were encrypted anew
	Kept     string // a former key file that lies outside of the directory and was not removed
}

// Rekey encrypts all secrets, and the backup, with a new key. The old key opens
// neither afterwards. A crash at any point leaves a store that opens. If
// kaizen.toml says otherwise than o.Key, the error is a [*HandWrittenError].
func (s *Store) Rekey(ctx context.Context, o RekeyOptions) (RekeyReport, error) {
	return RekeyReport{}, errPending
}

// RestoreBackup makes secrets.age.bak, which must open with the key, the
// secrets.age. What was secrets.age becomes secrets.age.bak, or
// secrets.age.damaged if it does not open.
func (s *Store) RestoreBackup(ctx context.Context) error { return errPending }
