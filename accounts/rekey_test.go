package accounts_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/kaizenmail/kaizen/accounts"
)

// Every kind of key to every other, and to a new one of its own kind: the
// secrets open, the old key opens neither file, and nothing of it lies about.
func TestRekey(t *testing.T) {
	t.Parallel()
	kinds := []accounts.KeyKind{accounts.KeyFile, accounts.KeyKeyring, accounts.KeyPassphrase}
	for _, from := range kinds {
		for _, to := range kinds {
			t.Run(from.String()+" to "+to.String(), func(t *testing.T) {
				t.Parallel()
				rekeys(t, from, to)
			})
		}
	}
}

func rekeys(t *testing.T, from, to accounts.KeyKind) {
	dir, ring, ctx := t.TempDir(), keyring{}, t.Context()
	passphrase := "old passphrase"
	options := func(o *accounts.Options) {
		o.Keyring = ring
		o.Passphrase = func(context.Context, accounts.PassphraseRequest) (string, error) { return passphrase, nil }
	}
	s := open(t, dir, options)
	_, err := s.Rekey(ctx, accounts.RekeyOptions{Key: accounts.Key{Kind: from}}) // without secrets yet
	must(t, err)
	must(t, s.Add(ctx, work(), "first"))
	must(t, s.SetSecret(ctx, "work", secret))
	old := identitiesOf(t, dir, ring, from, passphrase)
	before := read(t, dir, "secrets.age")

	report, err := s.Rekey(ctx, accounts.RekeyOptions{Key: accounts.Key{Kind: to},
		Passphrase: func(context.Context, accounts.PassphraseRequest) (string, error) { return "new passphrase", nil }})
	must(t, err)
	if report.From.Kind != from || report.To.Kind != to || report.Secrets != 1 || report.Kept != "" {
		t.Errorf("%+v", report)
	}
	for _, file := range []string{"secrets.age", "secrets.age.bak"} {
		if _, err := age.Decrypt(strings.NewReader(read(t, dir, file)), old...); err == nil {
			t.Error("the old key opens", file)
		}
	}
	if read(t, dir, "secrets.age") == before {
		t.Error("secrets.age is the same")
	}
	if a := resolve(t, s, "work"); a.Password != secret {
		t.Error("the same store does not open it")
	}
	passphrase = "new passphrase"
	fresh := open(t, dir, options)
	if a := resolve(t, fresh, "work"); a.Password != secret {
		t.Error("a new store does not open it")
	}
	must(t, fresh.RestoreBackup(ctx))
	if key, err := fresh.Key(); key.Kind != to || err != nil {
		t.Error(key, err)
	}
	_, noFile := os.Stat(filepath.Join(dir, "key.txt"))
	if (to == accounts.KeyFile) != (noFile == nil) || (to == accounts.KeyKeyring) != (len(ring) == 1) {
		t.Error("a key lies where it should not:", noFile, len(ring))
	}
	if to == accounts.KeyFile && strings.Count(read(t, dir, "key.txt"), "AGE-SECRET-KEY") != 1 {
		t.Error("the old key is still in the file")
	}
}

func identitiesOf(t *testing.T, dir string, ring keyring, kind accounts.KeyKind, passphrase string) []age.Identity {
	t.Helper()
	text := ""
	switch kind {
	case accounts.KeyFile:
		text = read(t, dir, "key.txt")
	case accounts.KeyKeyring:
		for _, v := range ring {
			text = v
		}
	case accounts.KeyPassphrase:
		identity, err := age.NewScryptIdentity(passphrase)
		must(t, err)
		return []age.Identity{identity}
	}
	found, err := age.ParseIdentities(strings.NewReader(text))
	must(t, err)
	return found
}

// A key that somebody made, outside of the directory, is taken and left alone.
func TestRekeyToAFileOfOnesOwn(t *testing.T) {
	t.Parallel()
	dir, elsewhere, ctx := t.TempDir(), filepath.Join(t.TempDir(), "age.txt"), t.Context()
	identity, err := age.GenerateX25519Identity()
	must(t, err)
	write(t, elsewhere, "# mine\n"+identity.String()+"\n")
	s := open(t, dir)
	must(t, s.Add(ctx, work(), secret))
	_, err = s.Rekey(ctx, accounts.RekeyOptions{Key: accounts.Key{File: elsewhere}})
	must(t, err)
	if plain := decrypted(t, filepath.Join(dir, "secrets.age"), identity); !strings.Contains(plain, secret) {
		t.Error("not encrypted to it")
	}
	if _, err := s.Rekey(ctx, accounts.RekeyOptions{Key: accounts.Key{File: elsewhere}}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
	report, err := s.Rekey(ctx, accounts.RekeyOptions{})
	must(t, err)
	if report.Kept != elsewhere || read(t, elsewhere) != "# mine\n"+identity.String()+"\n" {
		t.Errorf("%+v", report)
	}
	if a := resolve(t, open(t, dir), "work"); a.Password != secret {
		t.Error("does not open")
	}
}

func TestRekeyRespectsKaizenToml(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	write(t, filepath.Join(dir, "kaizen.toml"), "[secrets]\nkey = \"file\"\n")
	s := open(t, dir)
	must(t, s.Add(ctx, work(), secret))
	var written *accounts.HandWrittenError
	_, err := s.Rekey(ctx, accounts.RekeyOptions{Key: accounts.Key{Kind: accounts.KeyKeyring}})
	if !errors.As(err, &written) || written.Line != 2 {
		t.Error(err)
	}
}

// A key file that kaizen.toml names before there is one is made by Rekey.
func TestRekeyToTheFileInKaizenToml(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	s := open(t, dir)
	must(t, s.Add(ctx, work(), secret))
	write(t, filepath.Join(dir, "kaizen.toml"), "secrets.key_file = \"new.txt\"\n")
	if _, err := s.Rekey(ctx, accounts.RekeyOptions{Key: accounts.Key{File: "new.txt"}}); err != nil {
		t.Fatal(err)
	}
	if a := resolve(t, open(t, dir), "work"); a.Password != secret {
		t.Error("does not open")
	}
	if _, err := os.Stat(filepath.Join(dir, "key.txt")); err == nil {
		t.Error("the old key stays")
	}
}

// A Rekey that breaks off at any point leaves a store that opens, and can be
// done again.
func TestRekeyBreaksOff(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"secrets.age", "secrets.age.bak", "accounts.d", "keyring"} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			dir, ring, ctx := t.TempDir(), &failingKeyring{keyring: keyring{}}, t.Context()
			s := open(t, dir, func(o *accounts.Options) { o.Keyring = ring })
			must(t, s.Add(ctx, work(), secret))
			must(t, s.SetSecret(ctx, "work", secret+"!"))
			ring.at(broken, func() { // when the new key is put away
				if broken == "keyring" {
					return
				}
				breakPath(t, filepath.Join(dir, broken))
			})
			to := accounts.RekeyOptions{Key: accounts.Key{Kind: accounts.KeyKeyring}}
			if _, err := s.Rekey(ctx, to); err == nil {
				t.Fatal("nothing broke")
			}
			mendPath(t, filepath.Join(dir, broken))
			ring.broken = false
			again := open(t, dir, func(o *accounts.Options) { o.Keyring = ring })
			if a := resolve(t, again, "work"); a.Password != secret+"!" {
				t.Error("does not open")
			}
			_, err := again.Rekey(ctx, to)
			must(t, err)
			if a := resolve(t, again, "work"); a.Password != secret+"!" {
				t.Error("does not open after the second try")
			}
			if key, err := again.Key(); key.Kind != accounts.KeyKeyring || err != nil {
				t.Error(key, err)
			}
			if _, err := os.Stat(filepath.Join(dir, "key.txt")); err == nil {
				t.Error("the old key stays")
			}
		})
	}
}

// failingKeyring breaks something else, or itself, when a key is stored.
type failingKeyring struct {
	keyring
	broken bool
	then   func()
}

func (k *failingKeyring) at(what string, then func()) { k.broken, k.then = what == "keyring", then }

func (k *failingKeyring) Set(service, user, text string) error {
	if k.broken {
		return errBus
	}
	if k.then != nil {
		k.then()
		k.then = nil
	}
	return k.keyring.Set(service, user, text)
}

// breakPath puts a directory that is not empty in the place of a file, so that
// nothing can be renamed over it; a directory itself it moves away.
func breakPath(t *testing.T, path string) {
	t.Helper()
	must(t, os.Rename(path, path+".aside"))
	if filepath.Base(path) == "accounts.d" {
		write(t, path, "in the way")
		return
	}
	write(t, filepath.Join(path, "in the way"), "")
}

func mendPath(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path + ".aside"); err != nil {
		return
	}
	must(t, os.RemoveAll(path))
	must(t, os.Rename(path+".aside", path))
}
