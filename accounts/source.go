package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
	"unicode"
)

var errMissing = errors.New("no such file")

// readSecret takes the secret from where the entry says.
func (s *Store) readSecret(ctx context.Context, m, last *made) (err error) {
	e := m.entry
	switch e.Secret.Kind {
	case SecretEnv:
		m.secret, _ = s.options.LookupEnv(e.Secret.Name)
		if m.secret == "" {
			err = &SecretError{File: e.Secret.String(), Err: ErrNoSecret, Hint: "it is not set"}
		}
	case SecretFile:
		m.file, m.secret, err = readSecretFile(inDir(s.dir, e.Secret.Name))
	case SecretCommand:
		if last != nil && last.failed == nil && last.of(e) && last.secret != "" {
			m.secret = last.secret // only a file beside it has changed
			return nil
		}
		if m.secret, err = s.runCommand(ctx, e.Secret); err != nil && ctx.Err() == nil {
			m.failed, err = about(e, err), nil
		}
	default:
		m.secret, err = s.readStored(ctx, m)
	}
	if err == nil && m.failed == nil {
		err = checkRead(e, m.secret)
	}
	if err != nil {
		return about(e, err)
	}
	return nil
}

func (s *Store) readStored(ctx context.Context, m *made) (string, error) {
	opened, err := s.openSecrets(ctx)
	if err != nil {
		return "", err
	}
	m.secrets = opened
	secret := opened.passwords[m.entry.secretKey()]
	if secret == "" {
		return "", &SecretError{File: opened.view.path, Err: ErrNoSecret,
			Hint: fmt.Sprintf("store it: kaizen account password %s (Store.SetSecret)", m.entry.Name)}
	}
	return secret, nil
}

// about names the account in an error about its secret.
func about(e *Entry, err error) error {
	var known *SecretError
	if errors.As(err, &known) && known.Account == "" {
		named := *known
		named.Account = e.Name
		return &named
	}
	if errors.As(err, &known) {
		return err
	}
	return &SecretError{Account: e.Name, Err: err}
}

func checkRead(e *Entry, secret string) error {
	if err := checkSecret(secret); err != nil {
		return &SecretError{File: e.Secret.String(), Err: err}
	}
	return nil
}

func readSecretFile(path string) (*view, string, error) {
	v, content, err := look(path)
	if err == nil && !v.exists() {
		err = errMissing
	}
	if err != nil {
		return nil, "", &SecretError{File: path, Err: fmt.Errorf("%w: %w", ErrNoSecret, cause(err))}
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if secret == "" {
		return nil, "", &SecretError{File: path, Err: ErrNoSecret, Hint: "the file is empty"}
	}
	return v, secret, nil
}

var errSlow = errors.New("it did not end in time")

// runCommand returns the first line that the command prints.
func (s *Store) runCommand(ctx context.Context, source SecretSource) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.options.CommandTimeout, errSlow)
	defer cancel()
	stdout, stderr := &bounded{most: maxSecret + 2}, &bounded{most: maxSecret}
	cmd := command(ctx, source)
	cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = stdout, stderr, s.dir, withoutSecrets(os.Environ())
	// What the command started may hold its output open after it was killed.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	line, _, _ := bytes.Cut(stdout.Bytes(), []byte("\n"))
	secret := string(bytes.TrimSuffix(line, []byte("\r")))
	switch cause := context.Cause(ctx); {
	case err == nil && secret != "":
		return secret, nil
	case err == nil:
		err = errors.New("it printed nothing")
	case cause == errSlow:
		err = fmt.Errorf("%w (%v)", errSlow, s.options.CommandTimeout)
	case cause != nil:
		return "", cause
	}
	return "", &SecretError{File: source.String(), Err: fmt.Errorf("%w: %w", ErrNoSecret, err), Hint: complaint(stderr, secret)}
}

func command(ctx context.Context, source SecretSource) *exec.Cmd {
	if source.Shell {
		return shellCommand(ctx, source.Command[0])
	}
	return exec.CommandContext(ctx, homed(source.Command[0]), source.Command[1:]...)
}

// ownVariables may hold secrets, and are read by Kaizen alone.
var ownVariables = []string{passphraseVariable, "KAIZEN_NEW_PASSPHRASE", "KAIZEN_BUNDLE_PASSPHRASE", "KAIZEN_PASSWORD", "KAIZEN_SERVER"}

// withoutSecrets: the key of all secrets, and other accounts' passwords, are none
// of a command's business.
func withoutSecrets(environment []string) []string {
	return slices.DeleteFunc(environment, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(ownVariables, name)
	})
}

// homed expands ~/ as a shell would.
func homed(path string) string {
	if strings.HasPrefix(path, "~/") {
		return inDir("", path)
	}
	return path
}

// complaint is what a command said on standard error, on one line and without
// the secret.
func complaint(stderr *bounded, secret string) string {
	text := stderr.String()
	if secret != "" {
		text = strings.ReplaceAll(text, secret, "<secret>")
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	const most = 300
	text = strings.Join(words, " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	if text == "" {
		return ""
	}
	return "it said: " + text
}

// bounded keeps the first octets that are written to it.
type bounded struct {
	bytes.Buffer
	most int
}

// Write never fails, so that a command that says too much is not ended by it.
func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), b.most-b.Len())])
	return len(p), nil
}
