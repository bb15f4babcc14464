package accounts_test

import (
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/accounts"
)

// A running program sees what another one changed, at the next message.
func TestChangesAreNoticed(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	running, other := open(t, dir), open(t, dir)
	if _, err := running.Account(ctx, "work"); !errors.Is(err, accounts.ErrNotFound) {
		t.Fatal(err)
	}
	must(t, other.Add(ctx, work(), "first"))
	for _, password := range []string{"first", "again", "final"} { // the same length, at once
		must(t, other.SetSecret(ctx, "work", password))
		if a := resolve(t, running, "work"); a.Password != password {
			t.Fatalf("still not %s", password)
		}
	}
	// As an editor does it: in place, the same size, within the same moment.
	path := filepath.Join(dir, "accounts.d", "work.toml")
	for _, host := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		write(t, path, "host = \""+host+"\"\nusername = \"ann\"\n")
		if a := resolve(t, running, "work"); a.Host != host {
			t.Fatalf("still %s, not %s", a.Host, host)
		}
	}
	if _, err := other.Rekey(ctx, accounts.RekeyOptions{}); err != nil {
		t.Fatal(err)
	}
	must(t, other.SetSecret(ctx, "work", "new key"))
	if a := resolve(t, running, "work"); a.Password != "new key" {
		t.Error("not with the new key")
	}
	must(t, other.Remove(ctx, "work"))
	if _, err := running.Account(ctx, "work"); !errors.Is(err, accounts.ErrNotFound) {
		t.Error(err)
	}
}

func TestEnvironmentAndFile(t *testing.T) {
	t.Parallel()
	dir, env := t.TempDir(), map[string]string{}
	write(t, filepath.Join(dir, "kaizen.toml"), `
[accounts.env]
host = "mx"
address = "Ann <ann@example.com>"
password_env = "MAIL"
[accounts.file]
host = "mx"
username = "ann"
password_file = "mail.secret"
`)
	s := open(t, dir, func(o *accounts.Options) { o.LookupEnv = environment(env) })
	var wrong *accounts.SecretError
	if _, err := s.Account(t.Context(), "env"); !errors.As(err, &wrong) || !errors.Is(err, accounts.ErrNoSecret) || wrong.File != "variable MAIL" {
		t.Error(err)
	}
	for _, password := range []string{"one", "two"} {
		env["MAIL"] = password
		write(t, filepath.Join(dir, "mail.secret"), password+"\r\n")
		if a := resolve(t, s, "env"); a.Password != password || a.Username != "ann@example.com" {
			t.Errorf("%s as %s", password, a.Username)
		}
		if a := resolve(t, s, "file"); a.Password != password {
			t.Error(password)
		}
	}
	for text, want := range map[string]string{"": "empty", "\n": "empty", "two\nlines\n": "control character"} {
		write(t, filepath.Join(dir, "mail.secret"), text)
		if _, err := s.Account(t.Context(), "file"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	must(t, os.Remove(filepath.Join(dir, "mail.secret")))
	if _, err := s.Account(t.Context(), "file"); !errors.Is(err, accounts.ErrNoSecret) || !strings.Contains(err.Error(), "mail.secret: no secret: no such file") {
		t.Error(err)
	}
}

// TLS settings stay the same object as long as the certificates are the same:
// connections are shared by it.
func TestTrust(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	ca := filepath.Join(dir, "ca.pem")
	s := open(t, dir)
	e := accounts.Entry{Name: "work", Host: "mx", CAFile: "ca.pem"}
	if err := s.Put(ctx, e); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Error(err)
	}
	write(t, ca, "nothing")
	if err := s.Put(ctx, e); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Error(err)
	}
	write(t, ca, certificate)
	must(t, s.Put(ctx, e))
	first := resolve(t, s, "work")
	if first.TLSConfig == nil || first.TLSConfig.RootCAs == nil {
		t.Fatal("not trusted")
	}
	write(t, ca, certificate)
	e.Port = 26
	must(t, s.Put(ctx, e))
	if again := resolve(t, s, "work"); again.Port != 26 || again.TLSConfig != first.TLSConfig {
		t.Error("other TLS settings for the same certificates")
	}
	write(t, ca, certificate+certificate)
	if again := resolve(t, s, "work"); again.TLSConfig == first.TLSConfig {
		t.Error("a changed file was not noticed")
	}
}
