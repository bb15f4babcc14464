package accounts

import (
	"context"
	"io"
)

// ExportOptions say what a bundle holds and who can open it: give Recipients or
// Passphrase, or one of the other two.
type ExportOptions struct {
	Names []string // default: all
	// Recipients are age public keys ("age1…"), as [Store.Recipient] tells.
	Recipients []string
	// Passphrase is asked for the passphrase that opens the bundle.
	Passphrase func(ctx context.Context, ask PassphraseRequest) (string, error)
	// WithoutSecrets leaves the secrets out; the bundle is then plain TOML unless
	// there are Recipients or a Passphrase.
	WithoutSecrets bool
	// SecretsInTheClear writes plain TOML with all secrets in it.
	SecretsInTheClear bool
}

// ExportReport says what a bundle holds.
type ExportReport struct {
	Accounts []string
	Secrets  []string // accounts whose secret is in the bundle
	// Missing has accounts whose secret is taken from the environment, a file or a
	// command, or not there: the other machine needs it too.
	Missing []string
	// Files are named by the accounts and not in the bundle.
	Files []string
}

// Export writes accounts and their stored secrets as a bundle: text, an armored
// age file, which the age tool opens too.
func (s *Store) Export(ctx context.Context, w io.Writer, o ExportOptions) (ExportReport, error) {
	return ExportReport{}, errPending
}

// ImportOptions say how a bundle is opened and what it may change.
type ImportOptions struct {
	// Passphrase is asked if the bundle has one. Default: Options.Passphrase.
	Passphrase func(ctx context.Context, ask PassphraseRequest) (string, error)
	// KeyFile has the identities for a bundle made for a recipient. Default: the
	// key of the store.
	KeyFile string
	// Overwrite replaces accounts that exist. Without it, one that exists makes
	// Import fail with [ErrExists] and change nothing.
	Overwrite bool
	// Commands accepts accounts with a password_command. Anybody who knows a public
	// key can make a bundle for it, and a command can do anything: without it such
	// accounts make Import fail and change nothing.
	Commands bool
}

// ImportReport says what [Store.Import] did.
type ImportReport struct {
	Added    []string
	Replaced []string
	Secrets  []string // accounts whose secret came with the bundle
	Missing  []string // accounts that log in and whose secret did not
	Files    []string // named by the accounts and not there
	Default  string   // the default account, if the bundle set it
}

// Import reads a bundle, of Export or written by hand, at most 16 MB. It changes
// everything or nothing.
func (s *Store) Import(ctx context.Context, r io.Reader, o ImportOptions) (ImportReport, error) {
	return ImportReport{}, errPending
}
