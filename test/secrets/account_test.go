package main_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/kaizenmail/kaizen/test/leak"
)

func serverFor(t *testing.T, user, password string) *smtptest.Server {
	t.Helper()
	server, err := smtptest.Listen(smtptest.Config{KeepMessages: true, Auth: &smtptest.Auth{Users: map[string]string{user: password}, Required: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

// addressOf is a server without TLS.
func addressOf(addr string) string {
	u := url.URL{Scheme: "smtp", Host: addr, RawQuery: "tls=none&rate=none"}
	return u.String()
}

// use goes through the days of an account.
func (s *stage) use(name string) {
	s.t.Helper()
	for _, args := range [][]string{
		from("--account", name, "--transcript"), from("--account", name, "--json"), {"verify", "--account", name, "--json", "--transcript"},
		{"account", "list"}, {"account", "list", "--json"}, {"account", "show", name}, {"account", "show", name, "--json"},
		{"account", "test", name}, {"account", "test", name, "--json"}, {"account", "default", name},
		{"account", "set", name, "connections=2"}, {"bench", "--account", name, "--messages", "3", "--json"},
	} {
		s.want(0, "", args...)
	}
}

// A stored password is encrypted, shown by no command and in no file.
func TestStoredPassword(t *testing.T) {
	t.Parallel()
	password := secrets["in secrets.age"]
	server := serverFor(t, "ann@example.com", password)
	s := newStage(t)
	s.holdKey()
	r := s.want(0, password+"\n", "account", "add", "--address", "ann@example.com", "--server", addressOf(server.Addr()), "--name", "work", "--password-stdin", "--json", "--transcript")
	contains(t, r.stderr, "AUTH PLAIN")
	s.use("work")
	s.want(0, password+"\n", "account", "password", "work", "--password-stdin")
	s.want(0, "", "account", "key")
	typing("account", "set", "work", "password="+password)
	s.want(64, "", "account", "set", "work", "password="+password)

	// A password that was mistyped is a secret, too: it is the real one but for a letter.
	wrong := secrets["mistyped"]
	s.want(77, wrong+"\n", "account", "password", "work", "--password-stdin")
	s.want(77, wrong+"\n", "account", "add", "--address", "ann@example.com", "--server", addressOf(server.Addr()), "--name", "other", "--password-stdin", "--transcript")
	s.want(0, wrong+"\n", "account", "password", "work", "--password-stdin", "--no-verify")
	s.want(77, "", from("--account", "work", "--transcript")...)
	s.want(77, "", from("--account", "work", "--json")...)
	s.want(0, "", "account", "show", "work")
	s.want(0, "", "account", "list", "--json")
	if _, err := os.Stat(filepath.Join(s.dir, "state")); err != nil {
		t.Error("nothing was kept that could have been searched:", err)
	}
	s.sameAsKey()
}

// holdKey: the key may stand in its file, which does not exist yet.
func (s *stage) holdKey() string {
	file := filepath.Join(s.dir, "config", "key.txt")
	s.holders = append(s.holders, file)
	return file
}

// sameAsKey searches all other files for the key of the passwords.
func (s *stage) sameAsKey() {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "config", "key.txt"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, key, found := strings.Cut(string(text), "AGE-SECRET-KEY-1")
	if !found {
		s.t.Fatal("key.txt holds no key")
	}
	s.finder = leak.New(map[string]string{"the age key": strings.TrimSpace(key)}, 8)
	s.searchFiles()
	s.want(0, "", "account", "key")
	s.want(0, "", "account", "show")
	s.write("config/broken.txt", "") // the key with an error in it is refused and not shown
	for _, broken := range []string{
		strings.Replace(string(text), "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2", 1), string(text)[:len(text)-4], string(text) + "x\n",
		strings.ToLower(string(text)), strings.Replace(string(text), "AGE", "age", 1), "AGE-SECRET-KEY-1" + strings.TrimSpace(key) + " trailing\n",
	} {
		if err := os.WriteFile(filepath.Join(s.dir, "config", "key.txt"), []byte(broken), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.run("", "verify")
		s.run("", "account", "key")
	}
	s.finder = all
}

// A password that stays elsewhere is read there, and goes nowhere from there.
func TestPasswordsElsewhere(t *testing.T) {
	t.Parallel()
	for kind, secret := range map[string]string{"env": "from a variable", "file": "in a password file", "token": "token as the user name, too"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			user, password := "ann@example.com", secrets[secret]
			if kind == "token" {
				user = password
			}
			server := serverFor(t, user, password)
			s := newStage(t)
			args := []string{"account", "add", "--name", "work", "--address", "ann@example.com", "--server", addressOf(server.Addr())}
			switch kind {
			case "env":
				s.env["OFFICE"] = password
				args = append(args, "--password-env", "OFFICE")
			case "file":
				args = append(args, "--password-file", s.hold("mail.secret", password+"\n"))
			case "token":
				s.env["POSTMARK"] = password
				args = append(args, "--provider", "postmark", "--password-env", "POSTMARK")
			}
			s.want(0, "", args...)
			s.use("work")
			s.want(0, "", "account", "export", "bundle.toml", "--without-secrets", "--json")
			if kind == "file" {
				s.hold("mail.secret", password+"\n"+password)
				s.want(78, "", "verify")
				s.hold("mail.secret", "")
				s.want(78, "", "verify")
			}
		})
	}
}

// Passphrases, bundles and rekeying, from the first account to the other machine.
func TestPassphrasesAndBundles(t *testing.T) {
	t.Parallel()
	password := secrets["in secrets.age"]
	server := serverFor(t, "ann@example.com", password)
	s := newStage(t)
	s.write("config/kaizen.toml", "secrets.key = \"passphrase\"\n")
	s.env["KAIZEN_PASSPHRASE"] = secrets["passphrase of the secrets"]
	s.env["KAIZEN_NEW_PASSPHRASE"] = secrets["new passphrase"]
	s.env["KAIZEN_BUNDLE_PASSPHRASE"] = secrets["passphrase of a bundle"]
	s.want(0, password+"\n", "account", "add", "--address", "ann@example.com", "--server", addressOf(server.Addr()), "--name", "work", "--password-stdin")
	s.want(0, "", from()...)
	s.want(0, "", "account", "export", "bundle.age", "--passphrase", "--json")
	bundle := s.want(0, "", "account", "export", "-", "--passphrase")
	contains(t, bundle.stdout, "BEGIN AGE ENCRYPTED FILE")
	s.want(0, "", "account", "rekey", "--key", "passphrase", "--json")

	wrong := s.want(78, "", "verify") // the old one
	contains(t, wrong.stderr, "wrong key")
	s.env["KAIZEN_PASSPHRASE"] = secrets["new passphrase"]
	s.want(0, "", "verify")
	s.env["KAIZEN_CONFIG_DIR"] = filepath.Join(s.dir, "elsewhere")
	s.holders = append(s.holders, filepath.Join(s.dir, "elsewhere", "key.txt"))
	s.env["KAIZEN_BUNDLE_PASSPHRASE"] = secrets["passphrase of the secrets"]
	contains(t, s.want(78, "", "account", "import", "bundle.age").stderr, "wrong key")
	s.env["KAIZEN_BUNDLE_PASSPHRASE"] = secrets["passphrase of a bundle"]
	s.want(0, "", "account", "import", "bundle.age", "--json")
	s.want(0, bundle.stdout, "account", "import", "-", "--overwrite")
	s.want(0, "", from("--transcript")...)
	s.want(78, bundle.stdout[:len(bundle.stdout)/2], "account", "import", "-", "--overwrite")
}

// Bulk mail and a load, with metrics that are read while they run.
func TestMetrics(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"in KAIZEN_PASSWORD", "token as the user name, too"} {
		t.Run(secret, func(t *testing.T) {
			t.Parallel()
			user := "ann"
			if strings.HasPrefix(secret, "token") {
				user = secrets[secret]
			}
			server := serverFor(t, user, secrets[secret])
			s := newStage(t)
			u := url.URL{Scheme: "smtp", Host: server.Addr(), User: url.User(user), RawQuery: "tls=none&rate=none"}
			s.env["KAIZEN_SERVER"], s.env["KAIZEN_PASSWORD"] = u.String(), secrets[secret]
			page := s.bulkWithMetrics()
			contains(t, page, "kaizen_transactions_total", `outcome="accepted"`)
			s.search("metrics", page)
		})
	}
}
