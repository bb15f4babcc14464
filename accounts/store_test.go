package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/smtp"
)

// open returns a store in a directory, with a keyring and an environment of its
// own.
func open(t testing.TB, dir string, change ...func(*accounts.Options)) *accounts.Store {
	t.Helper()
	o := accounts.Options{Dir: dir, Keyring: keyring{}, LookupEnv: environment(nil)}
	for _, f := range change {
		f(&o)
	}
	s, err := accounts.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func environment(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

// keyring is one in memory.
type keyring map[string]string

func (k keyring) Get(service, user string) (string, error) {
	v, ok := k[service+user]
	if !ok {
		return "", accounts.ErrNoKey
	}
	return v, nil
}

func (k keyring) Set(service, user, secret string) error { k[service+user] = secret; return nil }

func (k keyring) Delete(service, user string) error { delete(k, service+user); return nil }

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func resolve(t testing.TB, s *accounts.Store, name string) kaizen.Account {
	t.Helper()
	a, err := s.Account(t.Context(), name)
	must(t, err)
	return a
}

// work is an account whose password is stored.
func work() accounts.Entry {
	return accounts.Entry{Name: "work", Host: "mail.example.com", Username: "ann", Address: "ann@example.com"}
}

func TestEmptyStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "there")
	s := open(t, dir)
	names, err := s.Names()
	if len(names) != 0 || err != nil {
		t.Fatal(names, err)
	}
	var none *accounts.NotFoundError
	if _, err := s.Entry("work"); !errors.As(err, &none) || !errors.Is(err, accounts.ErrNotFound) {
		t.Fatal(err)
	}
	var noDefault *accounts.NoDefaultError
	if _, err := s.Default(); !errors.As(err, &noDefault) {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("looking created the directory", err)
	}
}

const everything = `# what people write
default = "work"

[secrets]
key = "file"
key_file = "my-key.txt"

[accounts.work]
provider = "gmail"
address = "ann@example.com"
host = "mail.example.com"
port = 2525
tls = "opportunistic"
username = "ann"
password_command = ["printf", "%s", "one"]
auth = ["plain", "LOGIN"]
insecure_auth = true
local_name = "me.example.com"
level = "group"
connections = 2
messages_per_connection = -1
rates = ["10/1s", "500 recipients/1h", "50MB/day"]
min_idle = 1
retry = ["1m", "1h30m"]
expire = "72h"
idle_timeout = "90s"
max_lifetime = "1h"
timeouts.connect = "3s"

[accounts.work.timeouts]
`

func TestEverythingInAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := strings.Replace(everything, "\n[accounts.work.timeouts]\n", "timeouts.final = \"none\"\n", 1)
	write(t, filepath.Join(dir, "kaizen.toml"), text)
	s := open(t, dir)
	e, err := s.Entry("work")
	must(t, err)
	if e.Source != filepath.Join(dir, "kaizen.toml") || e.Line != 8 || e.Secret.Kind != accounts.SecretCommand {
		t.Errorf("%+v", e)
	}
	a := resolve(t, s, "work")
	want := kaizen.Limits{Connections: 2, MessagesPerConnection: -1, Rates: []kaizen.Rate{{Count: 10, Per: time.Second}, {Count: 500, Per: time.Hour, Unit: kaizen.Recipients},
		{Count: 50_000_000, Per: 24 * time.Hour, Unit: kaizen.Octets}}}
	if a.Name != "work" || a.Host != "mail.example.com" || a.Port != 2525 || a.TLS != smtp.TLSOpportunistic || a.Username != "ann" ||
		a.Password != "one" || a.Auth == nil || !slices.Equal(a.Auth.Mechanisms, []string{"PLAIN", "LOGIN"}) || a.Auth.Password != "one" ||
		!a.InsecureAuth || a.LocalName != "me.example.com" || a.MaxLevel != smtp.LevelGroup || a.MinIdle != 1 ||
		!slices.Equal(a.Retry.Backoff, []time.Duration{time.Minute, 90 * time.Minute}) || a.Retry.Expire != 72*time.Hour ||
		a.Limits.Connections != want.Connections || a.Limits.MessagesPerConnection != -1 || !slices.Equal(a.Limits.Rates, want.Rates) ||
		a.IdleTimeout != 90*time.Second || a.MaxLifetime != time.Hour || a.Timeouts.Connect != 3*time.Second || a.Timeouts.Final >= 0 {
		t.Errorf("%#v %+v %+v", a, a.Limits, a.Timeouts)
	}
	if name, err := s.Default(); name != "work" || err != nil {
		t.Error(name, err)
	}
	if key, err := s.Key(); key.File != filepath.Join(dir, "my-key.txt") || err != nil {
		t.Error(key, err)
	}
	if read(t, dir, "kaizen.toml") != text {
		t.Error("kaizen.toml was changed")
	}
}

func TestPutReadsBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	e := accounts.Entry{Name: "ann+list@example.com", Host: "mx", Username: `a"n\n`, Rates: []string{"none"}, IdleTimeout: -1,
		Timeouts: smtp.Timeouts{Command: 10 * time.Minute}, MaxLifetime: 90 * time.Minute, Level: smtp.LevelLockStep,
		Secret: accounts.SecretSource{Kind: accounts.SecretCommand, Command: []string{"pass", "show", "mail/ann's"}}}
	must(t, s.Put(t.Context(), e))
	got, err := open(t, dir).Entry(e.Name)
	must(t, err)
	if got.Username != e.Username || got.IdleTimeout != -1 || got.Timeouts != e.Timeouts || got.MaxLifetime != e.MaxLifetime ||
		got.Level != e.Level || !slices.Equal(got.Rates, e.Rates) || !slices.Equal(got.Secret.Command, e.Secret.Command) || got.Secret.Shell {
		t.Errorf("%+v\n%s", got, read(t, got.Source))
	}
	a, err := got.Account()
	if err != nil || a.Limits.Rates == nil || len(a.Limits.Rates) != 0 {
		t.Error(a.Limits, err)
	}
}

func TestPresetFillsIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		e    accounts.Entry
		port int
		tls  smtp.TLSMode
	}{
		{accounts.Entry{}, 0, smtp.TLSAuto}, // the preset's
		{accounts.Entry{Port: 465}, 465, smtp.TLSAuto},
		{accounts.Entry{TLS: smtp.TLSImplicit}, 0, smtp.TLSImplicit},
		{accounts.Entry{Port: 2525, TLS: smtp.TLSNone}, 2525, smtp.TLSNone},
	} {
		p, ok := accounts.LookupPreset("gmail")
		if !ok {
			t.Fatal("no preset gmail")
		}
		e := c.e
		e.Name, e.Provider, e.Address = "g", "gmail", "Ann <ann@gmail.com>"
		a, err := e.Account()
		must(t, err)
		if e.Port == 0 && e.TLS == smtp.TLSAuto {
			c.port, c.tls = p.Port, p.TLS
		}
		if e.TLS == p.TLS {
			c.port = p.Port
		}
		if e.Port == p.Port {
			c.tls = p.TLS
		}
		if a.Host != p.Host || a.Port != c.port || a.TLS != c.tls || a.Username != "ann@gmail.com" {
			t.Errorf("%+v: %s:%d %v %q", c.e, a.Host, a.Port, a.TLS, a.Username)
		}
	}
	_, err := accounts.Entry{Name: "g", Provider: "gmial"}.Account()
	var wrong *accounts.FileError
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "gmail") {
		t.Error(err)
	}
}

func TestDefault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	ctx := t.Context()
	must(t, s.Put(ctx, work()))
	if name, err := s.Default(); name != "work" || err != nil {
		t.Fatal("the only account:", name, err)
	}
	home := work()
	home.Name = "home"
	must(t, s.Put(ctx, home))
	if _, err := s.Default(); err == nil || !strings.Contains(err.Error(), `"home", "work"`) {
		t.Fatal(err)
	}
	must(t, s.SetDefault(ctx, "home"))
	if name, _ := open(t, dir).Default(); name != "home" {
		t.Fatal(name)
	}
	if err := s.SetDefault(ctx, "hme"); !errors.Is(err, accounts.ErrNotFound) || !strings.Contains(err.Error(), `"home"`) {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "kaizen.toml"), "\ndefault = \"work\"\n")
	if name, _ := s.Default(); name != "work" {
		t.Fatal("kaizen.toml must win:", name)
	}
	var written *accounts.HandWrittenError
	if err := s.SetDefault(ctx, "home"); !errors.As(err, &written) || written.Line != 2 {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "kaizen.toml"), "default = \"gone\"\n")
	if _, err := s.Default(); !errors.Is(err, accounts.ErrNotFound) || !strings.Contains(err.Error(), "kaizen.toml:1") {
		t.Fatal(err)
	}
	must(t, os.Remove(filepath.Join(dir, "kaizen.toml")))
	must(t, s.Remove(ctx, "home"))
	if name, err := s.Default(); name != "work" || err != nil {
		t.Fatal("removed default:", name, err)
	}
}

func TestHandWrittenStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := "# mine\n\n[accounts.work]\nhost = 'mx'   # spaces\nusername=\"ann\"\n"
	write(t, filepath.Join(dir, "kaizen.toml"), text)
	s, ctx := open(t, dir), t.Context()
	var written *accounts.HandWrittenError
	if err := s.Put(ctx, work()); !errors.As(err, &written) || written.Line != 3 || !strings.Contains(err.Error(), "kaizen.toml:3") {
		t.Error(err)
	}
	if err := s.Remove(ctx, "work"); !errors.As(err, &written) {
		t.Error(err)
	}
	if err := s.Add(ctx, work(), "x"); !errors.Is(err, accounts.ErrExists) {
		t.Error(err)
	}
	must(t, s.SetSecret(ctx, "work", "hunter2"))
	if a := resolve(t, s, "work"); a.Password != "hunter2" {
		t.Error("password not stored")
	}
	other := work()
	other.Name = "other"
	must(t, s.Add(ctx, other, "x"))
	must(t, s.SetDefault(ctx, "other"))
	must(t, s.Remove(ctx, "other"))
	if read(t, dir, "kaizen.toml") != text {
		t.Error("kaizen.toml was changed")
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, ctx := open(t, dir), t.Context()
	must(t, s.Put(ctx, work()))
	loud := work()
	loud.Name = "WORK"
	if err := s.Put(ctx, loud); !errors.Is(err, accounts.ErrExists) || !strings.Contains(err.Error(), "case") {
		t.Error(err)
	}
	for _, name := range []string{"work", "Work"} {
		write(t, filepath.Join(dir, "kaizen.toml"), "[accounts."+name+"]\nhost=\"mx\"\n[accounts.other]\nhost=\"mx\"\n")
		var twice *accounts.DuplicateError
		_, err := s.Entry("work")
		if !errors.As(err, &twice) || !strings.Contains(err.Error(), "kaizen.toml") || !strings.Contains(err.Error(), "work.toml") {
			t.Error(name, err)
		}
		if _, err := s.Account(ctx, "other"); err != nil {
			t.Error("the other account suffers:", err)
		}
		entries, err := s.Entries()
		if len(entries) != 1 || !errors.As(err, &twice) {
			t.Error(entries, err)
		}
	}
}

func TestOneBadFileHurtsOneAccount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "accounts.d", "good.toml"), "host = \"mx\"\n")
	write(t, filepath.Join(dir, "accounts.d", "bad.toml"), "host = \"mx\"\nprot = 25\n")
	write(t, filepath.Join(dir, "accounts.d", "not an account.toml"), "host = \"mx\"\n")
	write(t, filepath.Join(dir, "accounts.d", ".kaizen-new-123.toml"), "half")
	write(t, filepath.Join(dir, "accounts.d", "README"), "half")
	s := open(t, dir)
	if names, err := s.Names(); err != nil || !slices.Equal(names, []string{"bad", "good", "not an account"}) {
		t.Error(names, err)
	}
	resolve(t, s, "good")
	_, err := s.Entry("bad")
	var wrong *accounts.FileError
	if !errors.As(err, &wrong) || wrong.Line != 2 || wrong.Column != 1 || wrong.Suggestion != "port" || !strings.Contains(err.Error(), `bad.toml:2:1: prot: unknown key: did you mean "port"?`) {
		t.Error(err)
	}
	must(t, s.Remove(t.Context(), "bad"))
}

func TestWrongKeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"accounts.work.user_name = \"x\"":                          `kaizen.toml:1:15: accounts.work.user_name: unknown key: did you mean "username"?`,
		"[accounts.work]\nHost = \"x\"":                            `kaizen.toml:2:1: accounts.work.Host: unknown key: did you mean "host"?`,
		"[accounts.work]\nzzz = 1":                                 `kaizen.toml:2:1: accounts.work.zzz: unknown key`,
		"[account.work]\nhost = \"x\"":                             `kaizen.toml:1:2: account: unknown key: did you mean "accounts"?`,
		"defualt = \"x\"":                                          `did you mean "default"?`,
		"[secrets]\nkye = \"file\"":                                `kaizen.toml:2:1: secrets.kye: unknown key: did you mean "key"?`,
		"[secrets]\nkey = \"floppy\"":                              `kaizen.toml:2:1: secrets.key: "floppy" is none of file, keyring, passphrase`,
		"[secrets]\nkey = \"keyring\"\nkey_file=\"x\"":             `secrets.key_file: contradicts key = "keyring"`,
		"[accounts.work.timeouts]\nconect = \"1s\"":                `kaizen.toml:2:1: accounts.work.timeouts.conect: unknown key: did you mean "connect"?`,
		"accounts = {work = {host = \"x\", prot = 1}}":             `kaizen.toml:1:33: accounts.work.prot: unknown key: did you mean "port"?`,
		"accounts = 1":                                             "accounts: must be tables",
		"accounts.work = 1":                                        "must be a table: [accounts.work]",
		"[accounts.\"../x\"]\nhost=\"x\"":                          "cannot be an account's name",
		"[accounts.work]\nport = \"587\"":                          "port: must be a number without quotes",
		"[accounts.work]\nport = 0.5":                              "port: must be a number",
		"[accounts.work]\nport = 70000":                            "port: 70000 is not a number from 1 to 65535",
		"[accounts.work]\nhost = \"\"":                             "is empty: leave the key out",
		"[accounts.work]\nrates = [\"10\"]":                        "is not a rate like 10/1s",
		"[accounts.work]\nrates = [\"none\", \"1/1s\"]":            "must be the only rate",
		"[accounts.work]\nrates = \"1/1s\"":                        `rates: must be a list like`,
		"[accounts.work]\nrates = [1]":                             "texts in quotes only",
		"[accounts.work]\ntls = \"ssl\"":                           "is none of auto, implicit, starttls, opportunistic, none",
		"[accounts.work]\nlevel = \"warp\"":                        "unknown level",
		"[accounts.work]\nidle_timeout = \"5\"":                    "is not a duration like 30s or 5m",
		"[accounts.work]\ninsecure_auth = \"yes\"":                 "must be true or false",
		"[accounts.work]\nauth = [\"PL AIN\"]":                     "is not a SASL mechanism",
		"[accounts.work]\npassword_env=\"A\"\npassword_file=1":     "must be text in quotes",
		"[accounts.work]\npassword_env=\"A\"\npassword_file=\"b\"": "give one of password_env",
		"[accounts.work]\npassword_command=[]":                     "is empty",
		"[accounts.work]\nhost = \"a\\u0000b\"":                    "has a control character",
		"[accounts.work]\nhost = \"a\\r\\nb\"":                     "has a control character",
		"[accounts.work]\nhost = x":                                "kaizen.toml:2:8",
		"[accounts.work]\nhost=\"x\"\nhost=\"y\"":                  "kaizen.toml:3",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "kaizen.toml"), text)
		_, err := open(t, dir).Entry("work")
		var wrong *accounts.FileError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	e := work()
	for key, value := range map[string]string{"port": "25", "tls": "none", "rates": "10/1s, 20/1h", "timeouts.connect": "4s",
		"insecure_auth": "true", "auth": "plain,login", "level": "group", "idle_timeout": "none", "protocol": "lmtp"} {
		must(t, e.Set(key, value))
	}
	must(t, e.Set("password_env", "MAIL"))
	must(t, e.Set("password_command", "pass show mail | head -1"))
	if !e.LMTP || e.Port != 25 || e.TLS != smtp.TLSNone || len(e.Rates) != 2 || e.Timeouts.Connect != 4*time.Second || !e.InsecureAuth ||
		len(e.Mechanisms) != 2 || e.Level != smtp.LevelGroup || e.IdleTimeout >= 0 || !e.Secret.Shell || e.Secret.Kind != accounts.SecretCommand {
		t.Errorf("%+v", e)
	}
	for _, key := range accounts.Keys() {
		must(t, e.Set(key, ""))
	}
	got, _ := e.MarshalJSON()
	if string(got) != `{"name":"work"}` {
		t.Errorf("left: %s", got)
	}
	for key, value := range map[string]string{"prot": "1", "password": "hunter2", "port": "x", "host": "a\nb", "insecure_auth": "maybe", "protocol": "LMTP"} {
		var wrong *accounts.FileError
		if err := e.Set(key, value); !errors.As(err, &wrong) || strings.Contains(err.Error(), "hunter2") {
			t.Error(key, err)
		}
	}
}

// An account of a mailbox server takes its defaults from LMTP; a provider has none.
func TestLMTP(t *testing.T) {
	t.Parallel()
	e := accounts.Entry{Name: "box", Host: "mail.example.com"}
	must(t, e.Set("protocol", "lmtp"))
	a, err := e.Account()
	must(t, err)
	if !a.LMTP || fmt.Sprint(a) != "account box" {
		t.Errorf("%+v", a)
	}
	from := map[string]string{}
	for _, one := range e.Settings() {
		from[one.Key] = one.Value
	}
	if from["protocol"] != "lmtp" || from["port"] != "24" || from["tls"] != "auto" {
		t.Error(from)
	}
	must(t, e.Set("provider", "gmail"))
	if _, err := e.Account(); err == nil || !strings.Contains(err.Error(), "protocol") {
		t.Error(err)
	}
}

func TestSettingsSayWhereFrom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Put(t.Context(), accounts.Entry{Name: "g", Provider: "gmail", Address: "ann@gmail.com", Connections: 2}))
	e, err := s.Entry("g")
	must(t, err)
	from := map[string]string{}
	for _, one := range e.Settings() {
		from[one.Key] = one.Value + " from " + one.From
	}
	p, _ := accounts.LookupPreset("gmail")
	for key, want := range map[string]string{"connections": "2 from " + e.Source, "host": p.Host + " from preset gmail",
		"username": "ann@gmail.com from preset gmail", "password": "secrets.age from default", "idle_timeout": "5m from default"} {
		if from[key] != want {
			t.Errorf("%s: %q, want %q", key, from[key], want)
		}
	}
	if keys := slices.Sorted(maps.Keys(from)); !slices.Contains(keys, "port") || !slices.Contains(keys, "tls") {
		t.Error(keys)
	}
}

func TestResolverOfAClient(t *testing.T) {
	t.Parallel()
	var _ kaizen.AccountResolver = open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := open(t, t.TempDir())
	must(t, s.Add(t.Context(), work(), "hunter2"))
	if err := s.SetSecret(ctx, "work", "x"); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
