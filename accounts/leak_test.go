package accounts_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/accounts"
)

// One secret is planted everywhere, and looked for in all that is shown.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	env := map[string]string{"MAIL": secret, "KAIZEN_PASSPHRASE": secret}
	write(t, filepath.Join(dir, "kaizen.toml"), "secrets.key = \"passphrase\"\n")
	s := open(t, dir, func(o *accounts.Options) {
		o.LookupEnv = environment(env)
		o.Passphrase = answering(secret)
	})
	sources := map[string]accounts.SecretSource{
		"stored": {}, "env": {Kind: accounts.SecretEnv, Name: "MAIL"}, "file": {Kind: accounts.SecretFile, Name: "mail.secret"},
	}
	write(t, filepath.Join(dir, "mail.secret"), secret)
	seen := lookout{t: t}
	for name, source := range sources {
		e := work()
		e.Name, e.Secret, e.Mechanisms = name, source, []string{"PLAIN"}
		must(t, s.Put(ctx, e))
		if name == "stored" {
			must(t, s.SetSecret(ctx, name, secret))
		}
		a := resolve(t, s, name)
		if a.Password != secret {
			t.Error(name, "does not resolve")
		}
		entry, err := s.Entry(name)
		must(t, err)
		seen.at(name, s, a, &a, a.Auth, entry, entry.Settings(), entry.Secret)
	}
	key, err := s.Key()
	must(t, err)
	seen.at("key", key)
	for _, file := range []string{"accounts.d/stored.toml", "accounts.d/.settings.toml", "secrets.age"} {
		seen.at(file, read(t, dir, file))
	}
	var bundle bytes.Buffer
	report, err := s.Export(ctx, &bundle, accounts.ExportOptions{Passphrase: answering(secret)})
	must(t, err)
	seen.at("bundle", report, bundle.String())

	seen.at("errors", s.SetSecret(ctx, "stored", secret+"\n"), s.SetSecret(ctx, "env", secret), s.SetSecret(ctx, "none", secret))
	must(t, os.WriteFile(filepath.Join(dir, "mail.secret"), []byte(secret+"\n"+secret), 0o600))
	env["MAIL"] = secret + "\x01"
	for name := range sources {
		_, err := s.Account(ctx, name)
		seen.at(name, err)
	}
	env["KAIZEN_PASSPHRASE"] = secret + "!"
	_, err = open(t, dir, func(o *accounts.Options) { o.LookupEnv = environment(env) }).Account(ctx, "stored")
	if !errors.Is(err, accounts.ErrWrongKey) {
		t.Error(err)
	}
	seen.at("wrong passphrase", err)
}

// A password where it does not belong is not repeated in the error about it,
// however the file is broken.
func TestNoSecretInErrorsAboutFiles(t *testing.T) {
	t.Parallel()
	seen := lookout{t: t}
	for _, line := range []string{
		"password = \"%s\"", "password = '%s'", "password = %s", "password = \"%s", "password = '''%s", "passwort = \"%s\"",
		"password = [\"%s\"]", "port = \"%s\"", "host = \"x\" %s", "insecure_auth = \"%s\"", "password = \"\\%s\"",
		"password = {x = \"%s\"}", "password = \"%s\"\npassword = \"%s\"", "timeouts = \"%s\"", "auth = [[\"%s\"]]", "secret = \"%s\"",
		"password = 1.5e%s", "password = 2020-01-01T%s", "password = \"a\x00%s\"", "password = \"\xff%s\"", "host = [\"%s\"]", "min_idle = { a = \"%s\" }",
	} {
		for _, file := range []string{"kaizen.toml", "accounts.d/work.toml"} {
			dir := t.TempDir()
			text := strings.ReplaceAll(line, "%s", secret)
			if file == "kaizen.toml" {
				text = "[accounts.work]\n" + text
			}
			write(t, filepath.Join(dir, file), text+"\n")
			_, err := open(t, dir).Entry("work")
			var wrong *accounts.FileError
			if !errors.As(err, &wrong) || wrong.Line == 0 {
				t.Errorf("%s: %v", text, err)
			}
			seen.at(line, err, wrong)
		}
	}
	_, err := accounts.Entry{Name: "work", Host: "smtps://ann:" + secret + "@mx"}.Account()
	if err == nil {
		t.Error("a URL is taken for a host")
	}
	seen.at("a URL", err)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kaizen.toml"), "[accounts.work]\nhost = \"mx\"\npassword = \""+secret+"\"\n")
	_, err = open(t, dir).Account(t.Context(), "work")
	if err == nil || !strings.Contains(err.Error(), "kaizen.toml:3:1: accounts.work.password: a password must not stand in this file: store it encrypted") {
		t.Error(err)
	}
}

// lookout looks for the secret in everything it is shown, in every form.
type lookout struct{ t *testing.T }

func (l lookout) at(where string, values ...any) {
	l.t.Helper()
	for _, v := range values {
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "v", v)
		marshalled, _ := json.Marshal(v)
		shown := []string{fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), fmt.Sprintf("%s", v), fmt.Sprintf("%q", v), logged.String(), string(marshalled)}
		if err, ok := v.(error); ok && err != nil {
			shown = append(shown, err.Error())
			for below := errors.Unwrap(err); below != nil; below = errors.Unwrap(below) {
				shown = append(shown, fmt.Sprintf("%#v", below))
			}
		}
		for _, text := range shown {
			if strings.Contains(text, secret) {
				l.t.Errorf("%s: %T shows the secret: %.200s", where, v, strings.ReplaceAll(text, secret, "SECRET"))
			}
		}
	}
}
