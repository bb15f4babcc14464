package accounts_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/kaizenmail/kaizen/accounts"
)

const secret = "hunter2-geheim"

func ageIdentities(t testing.TB, path string) []age.Identity {
	t.Helper()
	found, err := age.ParseIdentities(strings.NewReader(read(t, path)))
	must(t, err)
	return found
}

func decrypted(t testing.TB, path string, identities ...age.Identity) string {
	t.Helper()
	r, err := age.Decrypt(strings.NewReader(read(t, path)), identities...)
	must(t, err)
	plain, err := io.ReadAll(r)
	must(t, err)
	return string(plain)
}

// The file is one that the age library (and thus the age tool) opens with the
// key file, and reads as TOML.
func TestAgeOpensTheSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Add(t.Context(), work(), secret))
	plain := decrypted(t, filepath.Join(dir, "secrets.age"), ageIdentities(t, filepath.Join(dir, "key.txt"))...)
	if !strings.Contains(plain, "[accounts.work]\npassword = '"+secret+"'") {
		t.Error(plain)
	}
}

// A file that was made with age alone is taken.
func TestSecretsMadeByAge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	identity, err := age.GenerateX25519Identity()
	must(t, err)
	write(t, filepath.Join(dir, "mine.txt"), "# created: today\n"+identity.String()+"\n")
	write(t, filepath.Join(dir, "kaizen.toml"), "secrets.key_file = \"mine.txt\"\n[accounts.work]\nhost=\"mx\"\nusername=\"ann\"\n")
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, identity.Recipient())
	must(t, err)
	_, err = io.WriteString(w, "version = 1\naccounts.work.password = \"typed\"\n")
	must(t, err)
	must(t, w.Close())
	write(t, filepath.Join(dir, "secrets.age"), sealed.String())
	s := open(t, dir)
	if a := resolve(t, s, "work"); a.Password != "typed" {
		t.Error("not read")
	}
	must(t, s.SetSecret(t.Context(), "work", "second"))
	if a := resolve(t, open(t, dir), "work"); a.Password != "second" {
		t.Error("not written")
	}
}

func TestEveryFlippedOctetIsNoticed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, open(t, dir).Add(t.Context(), work(), secret))
	path := filepath.Join(dir, "secrets.age")
	good := []byte(read(t, path))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		write(t, path, string(bad))
		refused(t, dir, "octet", i)
	}
	for i := 0; i < len(good); i += 3 {
		write(t, path, string(good[:i]))
		refused(t, dir, "length", i)
	}
	write(t, path, string(good)+"x")
	refused(t, dir, "longer by", 1)
	write(t, path, string(good))
	if a := resolve(t, open(t, dir), "work"); a.Password != secret {
		t.Error("the whole file does not open")
	}
}

// refused: damage shows as damage, or as a key that does not fit.
func refused(t *testing.T, dir string, about ...any) {
	t.Helper()
	_, err := open(t, dir).Account(t.Context(), "work")
	if !errors.Is(err, accounts.ErrDamaged) && !errors.Is(err, accounts.ErrWrongKey) || !strings.Contains(err.Error(), "secrets.age.bak") {
		t.Fatal(about, err)
	}
}

func TestRestoreBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, ctx := open(t, dir), t.Context()
	must(t, s.Add(ctx, work(), "first"))
	if err := s.RestoreBackup(ctx); err == nil || !strings.Contains(err.Error(), "no backup yet") {
		t.Fatal(err)
	}
	must(t, s.SetSecret(ctx, "work", "second"))
	path := filepath.Join(dir, "secrets.age")
	second := read(t, path)
	write(t, path, "age-encryption.org/v1\n-> X25519 "+second[60:])
	_, err := s.Account(ctx, "work")
	if !errors.Is(err, accounts.ErrDamaged) || !strings.Contains(err.Error(), path+": damaged") {
		t.Fatal(err)
	}
	if err := s.SetSecret(ctx, "work", "third"); !errors.Is(err, accounts.ErrDamaged) {
		t.Fatal("wrote over a damaged file:", err)
	}
	must(t, s.RestoreBackup(ctx))
	if a := resolve(t, s, "work"); a.Password != "first" {
		t.Error("not restored")
	}
	if _, err := os.Stat(filepath.Join(dir, "secrets.age.damaged")); err != nil {
		t.Error(err)
	}
	// Restoring what is whole swaps the two.
	must(t, s.SetSecret(ctx, "work", "third"))
	must(t, s.RestoreBackup(ctx))
	must(t, s.RestoreBackup(ctx))
	if a := resolve(t, s, "work"); a.Password != "third" {
		t.Error("restoring twice does not lead back")
	}
}

// With a backup that the same key opens, damage in the part that tells the key
// is called damage; without one it may be either.
func TestDamageIsToldFromAWrongKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, ctx := open(t, dir), t.Context()
	must(t, s.Add(ctx, work(), "first"))
	must(t, s.SetSecret(ctx, "work", "second"))
	path := filepath.Join(dir, "secrets.age")
	lines := strings.SplitN(read(t, path), "\n", 4)
	lines[2] = strings.Repeat("A", len(lines[2])-1) + lines[2][len(lines[2])-1:]
	write(t, path, strings.Join(lines, "\n"))
	if _, err := open(t, dir).Account(ctx, "work"); !errors.Is(err, accounts.ErrDamaged) {
		t.Error(err)
	}
}

func TestWrongAndMissingKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx := t.Context()
	must(t, open(t, dir).Add(ctx, work(), secret))
	key, content := filepath.Join(dir, "key.txt"), read(t, filepath.Join(dir, "secrets.age"))
	other, err := age.GenerateX25519Identity()
	must(t, err)
	for text, want := range map[string]error{other.String(): accounts.ErrWrongKey, "": accounts.ErrNoKey, "nonsense": accounts.ErrNoKey} {
		write(t, key, text)
		s := open(t, dir)
		if _, err := s.Account(ctx, "work"); !errors.Is(err, want) || !strings.Contains(err.Error(), "key.txt") {
			t.Errorf("key %.10q: %v", text, err)
		}
		if err := s.SetSecret(ctx, "work", "x"); !errors.Is(err, want) {
			t.Errorf("key %.10q: %v", text, err)
		}
	}
	must(t, os.Remove(key))
	s := open(t, dir)
	if err := s.SetSecret(ctx, "work", "x"); !errors.Is(err, accounts.ErrNoKey) {
		t.Error(err)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("a new key was made though there are secrets for another")
	}
	if read(t, dir, "secrets.age") != content {
		t.Error("secrets.age was changed")
	}
}

func TestStrangersInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, open(t, dir).Add(t.Context(), work(), secret))
	identity := ageIdentities(t, filepath.Join(dir, "key.txt"))[0].(*age.X25519Identity)
	for plain, want := range map[string]string{
		"version = 2\n": "later version",
		"":              "not kaizen's",
		"version = 1\n[accounts.work]\npasswort='" + secret + "'": "not kaizen's",
		"\x00\xff": "not kaizen's",
	} {
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, identity.Recipient())
		must(t, err)
		_, err = io.WriteString(w, plain)
		must(t, err)
		must(t, w.Close())
		write(t, filepath.Join(dir, "secrets.age"), sealed.String())
		if _, err := open(t, dir).Account(t.Context(), "work"); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", plain, err)
		}
	}
}

func TestSecretsThatCannotBe(t *testing.T) {
	t.Parallel()
	s, ctx := open(t, t.TempDir()), t.Context()
	must(t, s.Put(ctx, work()))
	nobody := accounts.Entry{Name: "open", Host: "mx"}
	must(t, s.Put(ctx, nobody))
	elsewhere := work()
	elsewhere.Name, elsewhere.Secret = "env", accounts.SecretSource{Kind: accounts.SecretEnv, Name: "MAIL"}
	must(t, s.Put(ctx, elsewhere))
	var e *accounts.SecretError
	for _, bad := range []string{"", "a\nb", "a\x00", "\xff", strings.Repeat("x", 1<<17)} {
		if err := s.SetSecret(ctx, "work", bad); !errors.As(err, &e) {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
	for _, name := range []string{"open", "env"} {
		if err := s.SetSecret(ctx, name, secret); !errors.As(err, &e) || strings.Contains(err.Error(), secret) {
			t.Error(name, err)
		}
	}
	if _, err := s.Account(ctx, "work"); !errors.Is(err, accounts.ErrNoSecret) || !strings.Contains(err.Error(), "account password work") {
		t.Error(err)
	}
	if a := resolve(t, s, "open"); a.Username != "" || a.Password != "" {
		t.Error("a login out of nothing")
	}
}

func TestPassphrase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kaizen.toml"), "secrets.key = \"passphrase\"\n")
	var asked []accounts.PassphraseRequest
	answer := "correct horse"
	asking := func(o *accounts.Options) {
		o.Passphrase = func(_ context.Context, ask accounts.PassphraseRequest) (string, error) {
			asked = append(asked, ask)
			return answer, nil
		}
	}
	s, ctx := open(t, dir, asking), t.Context()
	must(t, s.Add(ctx, work(), secret))
	must(t, s.SetSecret(ctx, "work", "second"))
	resolve(t, s, "work")
	if len(asked) != 1 || !asked[0].New || asked[0].File != filepath.Join(dir, "secrets.age") {
		t.Errorf("asked %+v: once to choose is enough", asked)
	}
	if _, err := os.Stat(filepath.Join(dir, "key.txt")); err == nil {
		t.Error("a key file beside a passphrase")
	}
	identity, err := age.NewScryptIdentity(answer)
	must(t, err)
	identity.SetMaxWorkFactor(15)
	if plain := decrypted(t, filepath.Join(dir, "secrets.age"), identity); !strings.Contains(plain, "second") {
		t.Error("not in it")
	}

	answer = "wrong horse"
	s = open(t, dir, asking)
	for range 2 {
		if _, err := s.Account(ctx, "work"); !errors.Is(err, accounts.ErrWrongKey) || strings.Contains(err.Error(), answer) {
			t.Fatal(err)
		}
	}
	answer = "correct horse"
	if a := resolve(t, s, "work"); a.Password != "second" {
		t.Error("not asked again after a wrong answer")
	}

	s = open(t, dir)
	if _, err := s.Account(ctx, "work"); !errors.Is(err, accounts.ErrNoKey) || !strings.Contains(err.Error(), "KAIZEN_PASSPHRASE") {
		t.Error(err)
	}
	s = open(t, dir, func(o *accounts.Options) {
		o.LookupEnv = environment(map[string]string{"KAIZEN_PASSPHRASE": "correct horse"})
	})
	if a := resolve(t, s, "work"); a.Password != "second" {
		t.Error("not with the variable")
	}
	if _, err := s.Recipient(ctx); !errors.Is(err, accounts.ErrNoKey) {
		t.Error(err)
	}
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kaizen.toml"), "[secrets]\nkey = \"keyring\"\n")
	ring := keyring{}
	inRing := func(o *accounts.Options) { o.Keyring = ring }
	ctx := t.Context()
	must(t, open(t, dir, inRing).Add(ctx, work(), secret))
	if a := resolve(t, open(t, dir, inRing), "work"); a.Password != secret || len(ring) != 1 {
		t.Error("not through the keyring")
	}
	if _, err := os.Stat(filepath.Join(dir, "key.txt")); err == nil {
		t.Error("a key file beside the keyring")
	}
	if _, err := open(t, dir).Account(ctx, "work"); !errors.Is(err, accounts.ErrNoKey) || !strings.Contains(err.Error(), "keyring") {
		t.Error(err)
	}
	broken := open(t, dir, func(o *accounts.Options) { o.Keyring = brokenKeyring{} })
	if _, err := broken.Account(ctx, "work"); err == nil || !strings.Contains(err.Error(), "unlocked?") {
		t.Error(err)
	}
}

type brokenKeyring struct{}

var errBus = errors.New("no bus")

func (brokenKeyring) Get(_, _ string) (string, error) { return "", errBus }
func (brokenKeyring) Set(_, _, _ string) error        { return errBus }
func (brokenKeyring) Delete(_, _ string) error        { return errBus }

// A change of the kind in kaizen.toml alone is no change of the key.
func TestKeyKindThatDoesNotFit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, ctx := open(t, dir), t.Context()
	must(t, s.Add(ctx, work(), secret))
	write(t, filepath.Join(dir, "kaizen.toml"), "\n[secrets]\nkey = \"keyring\"\n")
	s = open(t, dir)
	if _, err := s.Account(ctx, "work"); err == nil || !strings.Contains(err.Error(), "kaizen.toml:3: secrets.key") || !strings.Contains(err.Error(), "rekey --key keyring") {
		t.Fatal(err)
	}
	_, err := s.Rekey(ctx, accounts.RekeyOptions{Key: accounts.Key{Kind: accounts.KeyKeyring}})
	must(t, err)
	if a := resolve(t, s, "work"); a.Password != secret {
		t.Error("not after the rekey")
	}
}

func TestAddDoesNotInheritASecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, ctx := open(t, dir), t.Context()
	must(t, s.Add(ctx, work(), secret))
	must(t, os.Remove(filepath.Join(dir, "accounts.d", "work.toml")))
	must(t, s.Add(ctx, work(), ""))
	if ok, err := s.HasSecret(ctx, "work"); ok || err != nil {
		t.Error("the secret of a former account of that name:", ok, err)
	}
}

func TestRemoveTakesTheSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, ctx := open(t, dir), t.Context()
	must(t, s.Add(ctx, work(), secret))
	must(t, s.Remove(ctx, "work"))
	plain := decrypted(t, filepath.Join(dir, "secrets.age"), ageIdentities(t, filepath.Join(dir, "key.txt"))...)
	if strings.Contains(plain, secret) {
		t.Error("the secret stays")
	}
	if err := s.Remove(ctx, "work"); !errors.Is(err, accounts.ErrNotFound) {
		t.Error(err)
	}
}
