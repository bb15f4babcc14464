package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age/armor"
)

// ImportOptions say how a bundle is opened and what it may change.
type ImportOptions struct {
	// Passphrase is asked if the bundle has one. Default: Options.Passphrase.
	// KAIZEN_PASSPHRASE is that of secrets.age and not tried.
	Passphrase func(ctx context.Context, ask PassphraseRequest) (string, error)
	// KeyFile has the identities for a bundle made for a recipient. Default: the
	// key of the store.
	KeyFile string
	// Overwrite replaces accounts that exist. Without it, one that exists makes
	// Import fail with [ErrExists] and change nothing.
	Overwrite bool
	// Commands accepts accounts with a password_command or sendmail. Anybody who knows a public
	// key can make a bundle for it, and a command can do anything: without it such
	// accounts make Import fail and change nothing.
	Commands bool
}

// ImportReport says what [Store.Import] did.
type ImportReport struct {
	Added    []string `json:"added,omitempty"`
	Replaced []string `json:"replaced,omitempty"`
	Secrets  []string `json:"secrets,omitempty"` // accounts whose secret came with the bundle
	Tokens   []string `json:"tokens,omitempty"`  // accounts whose OAuth 2 tokens did
	Missing  []string `json:"missing,omitempty"` // accounts that log in and have no secret yet
	Files    []string `json:"files,omitempty"`   // named by the accounts and not there
	Default  string   `json:"default,omitempty"` // the default account, if the bundle set it
}

// Import reads a bundle, of Export or written by hand, at most 16 MB. It is
// checked as a whole before anything is changed. An account that is replaced
// keeps its secret only if it stays with the same server; else whoever made the
// bundle could have the secret sent to theirs.
func (s *Store) Import(ctx context.Context, r io.Reader, o ImportOptions) (report ImportReport, err error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return report, fmt.Errorf("read the bundle: %w", err)
	}
	if len(content) > maxFile {
		return report, fmt.Errorf("read the bundle: larger than %d MB", maxFile>>20)
	}
	plain, err := s.openBundle(ctx, content, o)
	if err != nil {
		return report, err
	}
	b, err := readBundle(plain)
	if err != nil {
		return report, err
	}
	if err := s.ask(ctx); err != nil {
		return report, err
	}
	err = s.change(ctx, func(n *snapshot) (err error) {
		report, err = s.unpack(ctx, n, b, o)
		return err
	})
	return report, err
}

const ageHeader = "age-encryption.org/"

// openBundle returns the plain text; a bundle may be plain text.
func (s *Store) openBundle(ctx context.Context, content []byte, o ImportOptions) ([]byte, error) {
	if start := bytes.TrimSpace(content); bytes.HasPrefix(start, []byte(armor.Header)) {
		binary, err := io.ReadAll(armor.NewReader(bytes.NewReader(start)))
		if err != nil {
			return nil, &SecretError{File: bundleFile, Err: ErrDamaged, Hint: "it was cut short or changed on its way: fetch it again"}
		}
		content = binary
	} else if !bytes.HasPrefix(content, []byte(ageHeader)) {
		return content, nil
	}
	opener, err := s.bundleOpener(ctx, content, o)
	if err != nil {
		return nil, err
	}
	plain, err := unseal(content, opener.identities)
	switch {
	case errors.Is(err, ErrWrongKey) && opener.key.Kind == KeyPassphrase:
		return nil, &SecretError{File: bundleFile, Err: fmt.Errorf("%w: the passphrase does not open it", ErrWrongKey)}
	case errors.Is(err, ErrWrongKey):
		return nil, &SecretError{File: bundleFile, Err: fmt.Errorf("%w: the %s does not open it", ErrWrongKey, opener.key),
			Hint: "it was made for another public key; name the key file that belongs to that"}
	case err != nil:
		return nil, &SecretError{File: bundleFile, Err: ErrDamaged, Hint: "it was cut short or changed on its way: fetch it again"}
	}
	return plain, nil
}

func (s *Store) bundleOpener(ctx context.Context, content []byte, o ImportOptions) (opener, error) {
	if byPassphrase(content) {
		ask := o.Passphrase
		if ask == nil {
			ask = s.options.Passphrase
		}
		if ask == nil {
			return opener{}, &SecretError{File: bundleFile, Err: ErrNoKey, Hint: "it needs the passphrase that it was exported with"}
		}
		p, err := askedPassphrase(ctx, ask, PassphraseRequest{})
		if err != nil {
			return opener{}, err
		}
		return passphraseOpener(p)
	}
	if o.KeyFile != "" {
		return s.opener(ctx, Key{Kind: KeyFile, File: o.KeyFile})
	}
	n, err := s.settings()
	if err != nil {
		return opener{}, err
	}
	key, err := s.keyInUse(n)
	if err != nil {
		return opener{}, err
	}
	if key.Kind == KeyPassphrase {
		return opener{}, &SecretError{File: bundleFile, Err: ErrNoKey, Hint: "it was made for a public key: name the key file that belongs to it"}
	}
	return s.opener(ctx, key)
}

// unpack checks everything, then writes.
func (s *Store) unpack(ctx context.Context, n *snapshot, b *bundle, o ImportOptions) (report ImportReport, err error) {
	var wrong []error
	for _, e := range b.entries {
		wrong = append(wrong, s.mayImport(n, e, o))
	}
	if err := errors.Join(wrong...); err != nil {
		return report, err
	}
	if err := s.unpackSecrets(ctx, n, b, &report); err != nil {
		return report, err
	}
	if err := s.unpackTokens(ctx, n, b, &report); err != nil {
		return report, err
	}
	for _, e := range b.entries {
		if err := s.putEntry(*e); err != nil {
			return report, err
		}
		if _, ok := n.found[e.Name]; ok {
			report.Replaced = append(report.Replaced, e.Name)
		} else {
			report.Added = append(report.Added, e.Name)
		}
		report.Files = append(report.Files, missingFiles(e)...)
		s.Forget(e.Name)
	}
	return report, s.unpackDefault(n, b, &report)
}

func (s *Store) mayImport(n *snapshot, e *Entry, o ImportOptions) error {
	if err := s.mayPut(n, e); err != nil {
		return err
	}
	f, exists := n.found[e.Name]
	switch {
	case exists && !o.Overwrite:
		return fmt.Errorf("%w: %q stands in %s; nothing was imported", ErrExists, e.Name, f.file())
	case len(e.Sendmail) > 0 && !o.Commands:
		return &SecretError{Account: e.Name, Err: errors.New("the bundle has a sendmail command, which would be run on this machine"),
			Hint: "import it with commands allowed if you trust who made it; nothing was imported"}
	case (e.Secret.Kind == SecretCommand || e.ProxySecret.Kind == SecretCommand) && !o.Commands:
		return &SecretError{Account: e.Name, Err: errors.New("the bundle has a password_command or proxy_password_command, which would be run on this machine"),
			Hint: "import it with commands allowed if you trust who made it; nothing was imported"}
	}
	return nil
}

// unpackSecrets writes the secrets, and drops those that must not go to another
// server.
func (s *Store) unpackSecrets(ctx context.Context, n *snapshot, b *bundle, report *ImportReport) error {
	keep := map[string]bool{}
	touched := len(b.secrets) > 0
	for _, e := range b.entries {
		f := n.found[e.Name]
		keep[e.Name] = f.entry != nil && sameServer(f.entry, e)
		touched = touched || s.exists(secretsName)
	}
	stored := map[string]string{}
	if touched {
		err := s.changeSecrets(ctx, n, func(passwords map[string]string) {
			for _, e := range b.entries {
				if !keep[e.Name] {
					dropSecrets(passwords, e.Name)
				}
				if secret := b.secrets[e.Name]; secret != "" {
					passwords[e.secretKey()] = secret
				}
			}
			stored = passwords
		})
		if err != nil {
			return err
		}
	}
	for _, e := range b.entries {
		switch {
		case b.secrets[e.Name] != "":
			report.Secrets = append(report.Secrets, e.Name)
		case e.logsIn() && e.needsSecret() && (e.Secret.Kind != SecretStored || stored[e.secretKey()] == ""):
			report.Missing = append(report.Missing, e.Name)
		}
	}
	return nil
}

func sameServer(a, b *Entry) bool {
	one, err := a.server()
	other, err2 := b.server()
	return err == nil && err2 == nil && strings.EqualFold(one.Address(), other.Address()) && one.TLS == other.TLS && one.LMTP == other.LMTP &&
		a.CAFile == b.CAFile && a.InsecureAuth == b.InsecureAuth && sameAuthority(a, b) &&
		a.Proxy == b.Proxy && a.TLSMin == b.TLSMin && slices.Equal(a.PinnedKeys, b.PinnedKeys)
}

func missingFiles(e *Entry) (missing []string) {
	for _, file := range e.files() {
		if _, err := os.Stat(file); err != nil {
			missing = append(missing, file)
		}
	}
	return missing
}

// unpackDefault takes the default of the bundle only where there is none.
func (s *Store) unpackDefault(n *snapshot, b *bundle, report *ImportReport) error {
	if b.standard == "" || n.written.standard != "" || n.own.standard != "" {
		return nil
	}
	own := n.own
	if latest, err := s.settings(); err == nil {
		own = latest.own // writing the first secret noted the key there
	}
	own.standard = b.standard
	report.Default = b.standard
	return s.writeOwn(own)
}
