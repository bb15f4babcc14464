package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/pelletier/go-toml/v2"
)

// bundleVersion is of the plain text of a bundle: TOML with version, default,
// [accounts.NAME] as in kaizen.toml, [secrets] by account, and [tokens.NAME] as in
// tokens/NAME.age.
const bundleVersion = 1

// bundleFile stands for the file in errors: a bundle is a stream.
const bundleFile = "bundle"

// bundle is what is carried. It prints nothing.
type bundle struct {
	standard string
	entries  []*Entry
	secrets  map[string]string
	tokens   map[string]tokenFile
}

func newBundle() *bundle {
	return &bundle{secrets: map[string]string{}, tokens: map[string]tokenFile{}}
}

// Format tells the number of accounts.
func (b *bundle) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "bundle of %d accounts", len(b.entries)) }

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
	Accounts []string `json:"accounts"`
	Secrets  []string `json:"secrets,omitempty"` // accounts whose secret is in the bundle
	Tokens   []string `json:"tokens,omitempty"`  // accounts whose OAuth 2 tokens are
	// Missing has accounts whose secret is taken from the environment, a file or a
	// command, or not there: the other machine needs it too.
	Missing []string `json:"missing,omitempty"`
	// Files are named by the accounts and not in the bundle.
	Files []string `json:"files,omitempty"`
}

// Export writes accounts and their stored secrets as a bundle: text, an armored
// age file, which the age tool opens too.
func (s *Store) Export(ctx context.Context, w io.Writer, o ExportOptions) (ExportReport, error) {
	recipients, err := o.recipients(ctx)
	if err != nil {
		return ExportReport{}, fmt.Errorf("export: %w", err)
	}
	b, report, err := s.pack(ctx, o)
	if err != nil {
		return ExportReport{}, err
	}
	plain, err := b.marshal()
	if err != nil {
		return ExportReport{}, err
	}
	if len(recipients) == 0 {
		_, err = w.Write(plain)
	} else {
		err = armored(w, plain, recipients)
	}
	if err != nil {
		return ExportReport{}, fmt.Errorf("write the bundle: %w", err)
	}
	return report, nil
}

func armored(w io.Writer, plain []byte, recipients []age.Recipient) error {
	text := armor.NewWriter(w)
	if err := seal(text, plain, recipients...); err != nil {
		return err
	}
	return text.Close()
}

// recipients are none if the bundle is to be in the clear.
func (o *ExportOptions) recipients(ctx context.Context) ([]age.Recipient, error) {
	switch {
	case len(o.Recipients) > 0 && o.Passphrase != nil:
		return nil, errors.New("a bundle has either recipients or a passphrase")
	case o.SecretsInTheClear && (len(o.Recipients) > 0 || o.Passphrase != nil || o.WithoutSecrets):
		return nil, errors.New("secrets in the clear contradict recipients, a passphrase, and leaving secrets out")
	case len(o.Recipients) > 0:
		return parseRecipients(o.Recipients)
	case o.Passphrase != nil:
		p, err := askedPassphrase(ctx, o.Passphrase, PassphraseRequest{New: true})
		if err != nil {
			return nil, err
		}
		opener, err := passphraseOpener(p)
		return []age.Recipient{opener.recipient}, err
	case o.SecretsInTheClear || o.WithoutSecrets:
		return nil, nil
	}
	return nil, errors.New("the bundle would hold passwords in the clear: encrypt it to a passphrase or to a public key (age1…)")
}

// parseRecipients does not quote what is wrong: it may be the secret half.
func parseRecipients(keys []string) ([]age.Recipient, error) {
	var all []age.Recipient
	for i, key := range keys {
		found, err := age.ParseRecipients(strings.NewReader(strings.TrimSpace(key)))
		if err != nil {
			return nil, fmt.Errorf("recipient %d is not an age public key (age1…)", i+1)
		}
		all = append(all, found...)
	}
	return all, nil
}

// pack collects what is carried.
func (s *Store) pack(ctx context.Context, o ExportOptions) (*bundle, ExportReport, error) {
	n, err := s.settings()
	if err != nil {
		return nil, ExportReport{}, err
	}
	names := slices.Compact(slices.Sorted(slices.Values(o.Names)))
	if len(names) == 0 {
		names = n.names
	}
	b, report := newBundle(), ExportReport{}
	for _, name := range names {
		e, err := s.entry(n, name)
		if err == nil {
			err = s.packOne(ctx, b, &report, e, !o.WithoutSecrets)
		}
		if err != nil {
			return nil, ExportReport{}, fmt.Errorf("export: %w", err)
		}
	}
	if standard, err := s.Default(); err == nil && len(n.names) > 1 && slices.Contains(names, standard) {
		b.standard = standard
	}
	return b, report, nil
}

func (s *Store) packOne(ctx context.Context, b *bundle, report *ExportReport, e *Entry, withSecret bool) error {
	b.entries = append(b.entries, e)
	report.Accounts = append(report.Accounts, e.Name)
	report.Files = append(report.Files, e.files()...)
	if !e.logsIn() {
		return nil
	}
	complete := !e.needsSecret()
	if e.UsesOAuth() {
		packed, err := s.packToken(ctx, b, report, e, withSecret)
		if err != nil {
			return err
		}
		complete = complete && packed
	}
	if withSecret && e.Secret.Kind == SecretStored {
		opened, err := s.openSecrets(ctx)
		if err != nil {
			return err
		}
		if secret := opened.passwords[e.secretKey()]; secret != "" {
			b.secrets[e.Name] = secret
			report.Secrets = append(report.Secrets, e.Name)
			complete = complete || e.needsSecret()
		}
	}
	if !complete {
		report.Missing = append(report.Missing, e.Name)
	}
	return nil
}

// files are those that an entry names.
func (e *Entry) files() []string {
	var files []string
	if e.CAFile != "" {
		files = append(files, inDir(e.dir, e.CAFile))
	}
	for _, file := range []string{e.ClientCertificate, e.ClientKey, e.OAuth.KeyFile} {
		if file != "" {
			files = append(files, inDir(e.dir, file))
		}
	}
	for _, source := range []SecretSource{e.Secret, e.ProxySecret} {
		if source.Kind == SecretFile {
			files = append(files, inDir(e.dir, source.Name))
		}
	}
	return files
}

func (b *bundle) marshal() ([]byte, error) {
	head := table{"version": bundleVersion}
	if b.standard != "" {
		head["default"] = b.standard
	}
	var text bytes.Buffer
	text.WriteString("# A bundle of accounts, for kaizen account import.\n")
	if err := appendTOML(&text, head); err != nil {
		return nil, err
	}
	for _, e := range b.entries {
		keys, err := e.marshal()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "\n[accounts.%s]\n%s", strconv.Quote(e.Name), keys)
	}
	carried := table{}
	if len(b.secrets) > 0 {
		carried["secrets"] = b.secrets
	}
	if len(b.tokens) > 0 {
		carried["tokens"] = b.tokens
	}
	if len(carried) == 0 {
		return text.Bytes(), nil
	}
	text.WriteString("\n")
	err := appendTOML(&text, carried)
	return text.Bytes(), err
}

func appendTOML(to *bytes.Buffer, t table) error {
	content, err := toml.Marshal(t)
	if err != nil {
		return errors.New("write the bundle: something in it cannot be written as TOML")
	}
	to.Write(content)
	return nil
}

// readBundle reads the plain text of a bundle.
func readBundle(plain []byte) (*bundle, error) {
	d, err := readDocument(bundleFile, plain)
	if err != nil {
		return nil, err
	}
	if v, ok := d.root["version"].(int64); !ok || v != bundleVersion {
		return nil, d.wrong([]string{"version"}, fmt.Errorf("must be %d: this is no bundle, or one of a later version of kaizen", bundleVersion))
	}
	delete(d.root, "version")
	b := newBundle()
	var wrong []error
	for _, key := range slices.Sorted(maps.Keys(d.root)) {
		if err := b.read(d, key, d.root[key]); err != nil {
			wrong = append(wrong, err)
		}
	}
	return b, errors.Join(append(wrong, b.check(d))...)
}

func (b *bundle) read(d *document, key string, value any) error {
	path := []string{key}
	t, isTable := value.(table)
	switch {
	case key == "default":
		var own settings
		err := own.readDefault(d, path, value)
		b.standard = own.standard
		return err
	case key == "accounts" && isTable:
		return b.readAccounts(d, t)
	case key == "secrets" && isTable:
		return b.readSecrets(d, t)
	case key == "tokens" && isTable:
		return b.readTokens(d, t)
	case key == "accounts" || key == "secrets" || key == "tokens":
		return d.wrong(path, errors.New("must be a table"))
	}
	return d.unknown(path, []string{"version", "default", "accounts", "secrets", "tokens"})
}

func (b *bundle) readAccounts(d *document, t table) error {
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(t)) {
		e, err := d.readTable(name, t[name])
		wrong = append(wrong, err)
		b.entries = append(b.entries, &e)
	}
	return errors.Join(wrong...)
}

func (b *bundle) readSecrets(d *document, t table) error {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		secret, ok := t[name].(string)
		if !ok {
			return d.wrong([]string{"secrets", name}, errors.New("must be text in quotes"))
		}
		if err := checkSecret(secret); err != nil {
			return d.wrong([]string{"secrets", name}, err)
		}
		b.secrets[name] = secret
	}
	return nil
}

// check holds the parts against each other.
func (b *bundle) check(d *document) error {
	byFold := map[string]*Entry{}
	for _, e := range b.entries {
		if byFold[strings.ToLower(e.Name)] != nil {
			return d.wrong([]string{"accounts", e.Name}, errors.New("stands twice; names that differ in case only are the same"))
		}
		byFold[strings.ToLower(e.Name)] = e
	}
	for _, name := range slices.Sorted(maps.Keys(b.secrets)) {
		e := byFold[strings.ToLower(name)]
		if e == nil || e.Name != name || e.Secret.Kind != SecretStored {
			return d.wrong([]string{"secrets", name}, errors.New("is of no account in the bundle that takes its password from secrets.age"))
		}
	}
	return b.checkTokens(d)
}
