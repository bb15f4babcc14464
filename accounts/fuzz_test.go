package accounts_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/kaizenmail/kaizen/accounts"
)

// sane is what every entry that was read must be.
func sane(t *testing.T, e accounts.Entry) {
	t.Helper()
	shown := fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s|%v|%v|%v", e.Name, e.Provider, e.Address, e.Host, e.Username, e.LocalName, e.CAFile, e.Mechanisms, e.Rates, e.Secret.Command)
	if strings.ContainsFunc(shown+e.Secret.Name, unicode.IsControl) || accounts.CheckName(e.Name) != nil || e.Port < 0 || e.Port > 65535 || e.Connections < 0 || e.MinIdle < 0 {
		t.Fatalf("%+v", e)
	}
	if _, err := e.Account(); err != nil {
		var wrong *accounts.FileError
		if !errors.As(err, &wrong) {
			t.Fatal(err)
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add(everything)
	for _, text := range []string{"", "default = \"a\"", "\ufeffaccounts.a.host = 'x'", "[accounts.a]\nhost = \"\\u0000\"", "[[accounts]]", "accounts = {a = {timeouts = {connect = \"1s\"}}}",
		"[accounts.\"a.b\"]\nport = 0x19\nrates=['1/1s']", "[accounts.a]\npassword_command = [\"a\", 1]", "[secrets]\nkey = \"file\"\nnext = \"keyring\""} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		write(t, filepath.Join(dir, "kaizen.toml"), text)
		entries, err := open(t, dir).Entries()
		var wrong *accounts.FileError
		var twice *accounts.DuplicateError
		if err != nil && !errors.As(err, &wrong) && !errors.As(err, &twice) {
			t.Fatal(err)
		}
		for _, e := range entries {
			sane(t, e)
			e.Settings()
		}
	})
}

// What is read from a file, written by Put and read again is the same.
func FuzzWrittenIsRead(f *testing.F) {
	f.Add("host = 'mx'\nusername = \"a'b\\\"c\"\nrates = ['1/1s', '2/1h']\ntimeouts.connect = '1m'\npassword_command = ['a', 'b']")
	f.Add("provider = 'gmail'\naddress = 'ann@gmail.com'\nlevel = 'group'\ntls = 'implicit'\nidle_timeout = 'none'")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		write(t, filepath.Join(dir, "accounts.d", "a.toml"), text)
		s := open(t, dir)
		e, err := s.Entry("a")
		if err != nil {
			return
		}
		if s.Put(t.Context(), e) != nil {
			return // a host may be missing
		}
		again, err := s.Entry("a")
		if err != nil {
			t.Fatalf("%v\n%s", err, read(t, dir, "accounts.d", "a.toml"))
		}
		one, _ := e.MarshalJSON()
		other, _ := again.MarshalJSON()
		if string(one) != string(other) {
			t.Fatalf("%s became %s", one, other)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, name := range []string{"work", "../x", ".x", "a/b", "con", "ann@example.com", "A", "", "x."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if accounts.CheckName(name) != nil {
			return
		}
		path := filepath.Join("accounts.d", name+".toml")
		if filepath.Dir(path) != "accounts.d" || filepath.Base(path) != name+".toml" || !filepath.IsLocal(path) || name[0] == '.' || len(name) > 64 || strings.ContainsFunc(name, unicode.IsControl) {
			t.Fatalf("%q", name)
		}
	})
}

func FuzzImport(f *testing.F) {
	f.Add("version = 1\n[accounts.a]\nhost='mx'\naddress='a@b'\noauth.client_id='x'\noauth.auth_url='https://a'\noauth.token_url='https://t'\n[tokens.a]\nversion=1\naccess_token='x'\nclient_id='x'\ntoken_url='https://t'\nexpires='2026-01-01T00:00:00Z'")
	f.Add("version = 1\ndefault = 'a'\n[accounts.a]\nhost='mx'\nusername='u'\n[secrets]\na='s'\n")
	f.Add("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n")
	f.Add("age-encryption.org/v1\n-> X25519 x\n---\n")
	f.Add("age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 40\nAAAA\n--- AAAA\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		to := filepath.Join(dir, "to")
		must(t, os.RemoveAll(to))
		s := open(t, to, func(o *accounts.Options) { o.Passphrase = answering("x") })
		report, err := s.Import(t.Context(), strings.NewReader(text), accounts.ImportOptions{})
		if err != nil {
			if names, _ := s.Names(); len(names) > 0 {
				t.Fatalf("%v, and yet imported %v", err, names)
			}
			return
		}
		entries, err := s.Entries()
		if err != nil || len(entries) != len(report.Added) {
			t.Fatal(len(entries), report, err)
		}
		for _, e := range entries {
			sane(t, e)
			if e.Secret.Kind == accounts.SecretCommand {
				t.Fatal("a command was imported")
			}
		}
	})
}
