package accounts_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/kaizenmail/kaizen/accounts"
)

func answering(passphrase string) func(context.Context, accounts.PassphraseRequest) (string, error) {
	return func(context.Context, accounts.PassphraseRequest) (string, error) { return passphrase, nil }
}

// filled is a store with one account of each kind of secret.
func filled(t *testing.T) (*accounts.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, ctx := open(t, dir), t.Context()
	must(t, s.Add(ctx, work(), secret))
	env, nobody, mail := work(), accounts.Entry{Name: "open", Host: "mx", CAFile: "ca.pem"}, work()
	env.Name, env.Secret = "env", accounts.SecretSource{Kind: accounts.SecretEnv, Name: "MAIL"}
	mail.Name, mail.Timeouts.Connect = "ann@example.com", 5e9
	must(t, s.Put(ctx, env))
	must(t, s.Add(ctx, mail, "second"))
	write(t, filepath.Join(dir, "accounts.d", "open.toml"), "host = \"mx\"\nca_file = \"ca.pem\"\n")
	_ = nobody
	must(t, s.SetDefault(ctx, "work"))
	return s, dir
}

func TestExportImport(t *testing.T) {
	t.Parallel()
	from, fromDir := filled(t)
	ctx := t.Context()
	for _, way := range []string{"passphrase", "recipient", "clear"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			to := open(t, dir)
			var export accounts.ExportOptions
			var imported accounts.ImportOptions
			switch way {
			case "passphrase":
				export.Passphrase, imported.Passphrase = answering("carry it"), answering("carry it")
			case "recipient":
				key, err := to.Recipient(ctx)
				must(t, err)
				export.Recipients = []string{key}
			case "clear":
				export.SecretsInTheClear = true
			}
			var bundle bytes.Buffer
			sent, err := from.Export(ctx, &bundle, export)
			must(t, err)
			if !slices.Equal(sent.Accounts, []string{"ann@example.com", "env", "open", "work"}) || !slices.Equal(sent.Secrets, []string{"ann@example.com", "work"}) ||
				!slices.Equal(sent.Missing, []string{"env"}) || !slices.Equal(sent.Files, []string{filepath.Join(fromDir, "ca.pem")}) {
				t.Errorf("%+v", sent)
			}
			if strings.Contains(bundle.String(), secret) != (way == "clear") || strings.Contains(bundle.String(), "mail.example.com") != (way == "clear") {
				t.Error("in the clear, or not")
			}
			got, err := to.Import(ctx, &bundle, imported)
			must(t, err)
			if !slices.Equal(got.Added, sent.Accounts) || !slices.Equal(got.Secrets, sent.Secrets) || !slices.Equal(got.Missing, sent.Missing) ||
				got.Default != "work" || len(got.Replaced) != 0 || !slices.Equal(got.Files, []string{filepath.Join(dir, "ca.pem")}) {
				t.Errorf("%+v", got)
			}
			same(t, from, to)
			if a := resolve(t, to, "work"); a.Password != secret {
				t.Error("the secret did not come along")
			}
			if name, err := to.Default(); name != "work" || err != nil {
				t.Error(name, err)
			}
		})
	}
}

// same compares the settings of two stores.
func same(t *testing.T, one, other *accounts.Store) {
	t.Helper()
	a, err := one.Entries()
	must(t, err)
	b, err := other.Entries()
	must(t, err)
	for i := range a {
		a[i].Source, b[i].Source = "", ""
		x, _ := a[i].MarshalJSON()
		y, _ := b[i].MarshalJSON()
		if !bytes.Equal(x, y) {
			t.Errorf("%s became %s", x, y)
		}
	}
}

func TestExportIsNotInTheClearByAccident(t *testing.T) {
	t.Parallel()
	s, _ := filled(t)
	ctx := t.Context()
	identity, err := age.GenerateX25519Identity()
	must(t, err)
	for what, o := range map[string]accounts.ExportOptions{
		"nothing said":     {},
		"both ways":        {Recipients: []string{identity.Recipient().String()}, Passphrase: answering("x")},
		"a secret key":     {Recipients: []string{identity.String()}},
		"nonsense":         {Recipients: []string{"age1nonsense"}},
		"empty passphrase": {Passphrase: answering("")},
		"clear and not":    {SecretsInTheClear: true, Passphrase: answering("x")},
		"unknown":          {Names: []string{"wrok"}, Passphrase: answering("x")},
	} {
		var bundle bytes.Buffer
		if _, err := s.Export(ctx, &bundle, o); err == nil || bundle.Len() > 0 || strings.Contains(err.Error(), identity.String()) {
			t.Errorf("%s: %v, %d octets", what, err, bundle.Len())
		}
	}
	var bundle bytes.Buffer
	report, err := s.Export(ctx, &bundle, accounts.ExportOptions{Names: []string{"work", "work"}, WithoutSecrets: true})
	must(t, err)
	if strings.Contains(bundle.String(), secret) || !slices.Equal(report.Missing, []string{"work"}) || strings.Contains(bundle.String(), "env") {
		t.Errorf("%+v\n%s", report, bundle.String())
	}
}

// The age tool opens a bundle: it is an armored age file.
func TestAgeOpensABundle(t *testing.T) {
	t.Parallel()
	s, _ := filled(t)
	identity, err := age.GenerateX25519Identity()
	must(t, err)
	var bundle bytes.Buffer
	_, err = s.Export(t.Context(), &bundle, accounts.ExportOptions{Recipients: []string{identity.Recipient().String()}})
	must(t, err)
	r, err := age.Decrypt(armor.NewReader(&bundle), identity)
	must(t, err)
	plain, err := io.ReadAll(r)
	if err != nil || !strings.Contains(string(plain), "[secrets]") || !strings.Contains(string(plain), "[accounts.\"work\"]") {
		t.Error(err, string(plain))
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from, _ := filled(t)
	var bundle bytes.Buffer
	_, err := from.Export(ctx, &bundle, accounts.ExportOptions{Passphrase: answering("right")})
	must(t, err)
	armored := bundle.String()
	const head = "version = 1\n"
	for what, c := range map[string]struct {
		bundle, want string
		o            accounts.ImportOptions
	}{
		"wrong passphrase":   {armored, "wrong key", accounts.ImportOptions{Passphrase: answering("wrong")}},
		"no passphrase":      {armored, "needs the passphrase", accounts.ImportOptions{}},
		"cut short":          {armored[:len(armored)/2], "damaged", accounts.ImportOptions{Passphrase: answering("right")}},
		"changed":            {flipped(armored), "damaged", accounts.ImportOptions{Passphrase: answering("right")}},
		"nothing":            {"", "no bundle", accounts.ImportOptions{}},
		"some file":          {"\x7fELF\x00", "bundle:1", accounts.ImportOptions{}},
		"later":              {"version = 2\n", "later version", accounts.ImportOptions{}},
		"unknown key":        {head + "acounts = {}\n", `did you mean "accounts"`, accounts.ImportOptions{}},
		"unknown setting":    {head + "[accounts.x]\nhost='mx'\nprot=1", `did you mean "port"`, accounts.ImportOptions{}},
		"plain password":     {head + "[accounts.x]\nhost='mx'\npassword='" + secret + "'", "must not stand", accounts.ImportOptions{}},
		"path":               {head + "[accounts.'../../x']\nhost='mx'", "cannot be an account's name", accounts.ImportOptions{}},
		"dot":                {head + "[accounts.'.settings']\nhost='mx'", "begins with a dot", accounts.ImportOptions{}},
		"twice":              {head + "[accounts.a]\nhost='mx'\n[accounts.A]\nhost='mx'", "stands twice", accounts.ImportOptions{}},
		"no host":            {head + "[accounts.x]\nport=25", "host: missing", accounts.ImportOptions{}},
		"a secret too many":  {head + "[secrets]\nx='" + secret + "'", "of no account", accounts.ImportOptions{}},
		"a secret of wrong":  {head + "[secrets]\nx=1", "text in quotes", accounts.ImportOptions{}},
		"a line in a secret": {head + "[accounts.x]\nhost='mx'\nusername='a'\n[secrets]\nx=\"" + secret + "\\n\"", "control character", accounts.ImportOptions{}},
		"a command":          {head + "[accounts.x]\nhost='mx'\nusername='a'\npassword_command='rm -rf /'", "would be run", accounts.ImportOptions{}},
		"exists":             {head + "[accounts.new]\nhost='mx'\n[accounts.work]\nhost='mx'", "account exists", accounts.ImportOptions{}},
		"differs in case":    {head + "[accounts.Work]\nhost='mx'", "case only", accounts.ImportOptions{Overwrite: true}},
		"written by hand":    {head + "[accounts.mine]\nhost='mx'", "yours to edit", accounts.ImportOptions{Overwrite: true}},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "kaizen.toml"), "[accounts.mine]\nhost=\"mx\"\n")
		to := open(t, dir)
		must(t, to.Add(ctx, work(), "kept"))
		_, err := to.Import(ctx, strings.NewReader(c.bundle), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", what, err)
		}
		if names, _ := to.Names(); !slices.Equal(names, []string{"mine", "work"}) || resolve(t, to, "work").Password != "kept" {
			t.Errorf("%s: something was imported: %v", what, names)
		}
	}
}

// flipped changes one letter in the payload.
func flipped(armored string) string {
	lines := strings.Split(armored, "\n")
	line := lines[len(lines)-4]
	other := "A"
	if line[5] == 'A' {
		other = "B"
	}
	lines[len(lines)-4] = line[:5] + other + line[6:]
	return strings.Join(lines, "\n")
}

// A stored secret must not follow a replaced account to another server.
func TestImportOverwrites(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"host='mail.example.com'\nusername='bob'\n":                            "kept",
		"host='MAIL.example.com'\nport=587\nusername='bob'\n":                  "kept",
		"host='evil.example.com'\nusername='ann'\n":                            "",
		"host='mail.example.com'\nusername='ann'\ntls='none'\n":                "",
		"host='mail.example.com'\nusername='ann'\n[secrets]\nwork='brought'\n": "brought",
	} {
		dir, ctx := t.TempDir(), t.Context()
		s := open(t, dir)
		must(t, s.Add(ctx, work(), "kept"))
		report, err := s.Import(ctx, strings.NewReader("version = 1\n[accounts.work]\n"+text), accounts.ImportOptions{Overwrite: true})
		must(t, err)
		a, err := s.Account(ctx, "work")
		if a.Password != want || (want == "") != errors.Is(err, accounts.ErrNoSecret) || !slices.Equal(report.Replaced, []string{"work"}) ||
			(want == "") != slices.Equal(report.Missing, []string{"work"}) {
			t.Errorf("%s: %v %+v", text, err, report)
		}
	}
}

func TestImportTakesCommandsIfTold(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	bundle := "version = 1\n[accounts.x]\nhost='mx'\nusername='a'\npassword_command=['pass', 'x']"
	report, err := s.Import(t.Context(), strings.NewReader(bundle), accounts.ImportOptions{Commands: true})
	if err != nil || !slices.Equal(report.Missing, []string{"x"}) {
		t.Errorf("%+v %v", report, err)
	}
}

// A key file of another store opens what was made for it.
func TestImportWithAKeyFile(t *testing.T) {
	t.Parallel()
	from, dir := filled(t)
	ctx := t.Context()
	key, err := from.Recipient(ctx)
	must(t, err)
	var bundle bytes.Buffer
	_, err = from.Export(ctx, &bundle, accounts.ExportOptions{Recipients: []string{key}})
	must(t, err)
	text := bundle.String()
	to := open(t, t.TempDir())
	_, err = to.Recipient(ctx)
	must(t, err)
	if _, err := to.Import(ctx, strings.NewReader(text), accounts.ImportOptions{}); !errors.Is(err, accounts.ErrWrongKey) {
		t.Error(err)
	}
	_, err = to.Import(ctx, strings.NewReader(text), accounts.ImportOptions{KeyFile: filepath.Join(dir, "key.txt")})
	must(t, err)
	if a := resolve(t, to, "work"); a.Password != secret {
		t.Error("not imported")
	}
}
