package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	permanent, temporary := smtp.Reply{Code: 550}, smtp.Reply{Code: 450}
	tests := []struct {
		name string
		err  error
		want exitCode
	}{
		{"unknown outcome", &smtp.Error{Class: smtp.ClassTimeout, Outcome: smtp.Unknown}, exitUnknown},
		{"unknown outcome of a client", fmt.Errorf("send: %w", &kaizen.Error{Class: smtp.ClassTimeout, Outcome: smtp.Unknown}), exitUnknown},
		{"login refused to a client", &kaizen.Error{Class: smtp.ClassAuth, Reply: permanent}, exitNoPerm},
		{"unknown outcome outranks a code", withCode(exitIO, &smtp.Error{Outcome: smtp.Unknown}), exitUnknown},
		{"unknown outcome outranks an interrupt", &smtp.Error{Outcome: smtp.Unknown, Err: context.Canceled}, exitUnknown},
		{"usage", &usageError{err: errNoCommand}, exitUsage},
		{"coded", fmt.Errorf("read settings: %w", withCode(exitConfig, errors.New("bad"))), exitConfig},
		{"interrupted", fmt.Errorf("send: %w", context.Canceled), exitInterrupted},
		{"interrupted while sending", &smtp.Error{Class: smtp.ClassCanceled, Err: context.Canceled}, exitInterrupted},
		{"unreachable", &smtp.Error{Class: smtp.ClassConnect}, exitTempFail},
		{"turned away for now", &smtp.Error{Class: smtp.ClassRecipient, Reply: temporary}, exitTempFail},
		{"login refused", &smtp.Error{Class: smtp.ClassAuth, Reply: permanent}, exitNoPerm},
		{"recipient refused", &smtp.Error{Class: smtp.ClassRecipient, Reply: permanent}, exitNoUser},
		{"sender refused", &smtp.Error{Class: smtp.ClassSender, Reply: permanent}, exitUnavailable},
		{"content refused by the server", &smtp.Error{Class: smtp.ClassContent, Reply: permanent}, exitUnavailable},
		{"content refused here", &smtp.Error{Class: smtp.ClassContent}, exitData},
		{"too large", &smtp.Error{Class: smtp.ClassSize, Reply: permanent}, exitData},
		{"no trusted TLS", &smtp.Error{Class: smtp.ClassTLS}, exitConfig},
		{"unfit address", &kaizen.Error{Class: smtp.ClassSender, Err: errors.New("no domain")}, exitData},
		{"front door, login refused", &kaizen.Error{Class: smtp.ClassAuth, Reply: permanent}, exitNoPerm},
		{"front door, unreachable", &kaizen.Error{Class: smtp.ClassConnect}, exitTempFail},
		{"front door, unknown", &kaizen.Error{Class: smtp.ClassConnect, Outcome: smtp.Unknown}, exitUnknown},
		{"one recipient unknown outranks a refusal", &kaizen.Error{Class: smtp.ClassRecipient, Reply: permanent,
			Recipients: []kaizen.RecipientResult{{Outcome: smtp.Rejected}, {Outcome: smtp.Unknown}}}, exitUnknown},
		{"no such account", fmt.Errorf("KAIZEN_ACCOUNT: %w", &accounts.NotFoundError{Name: "x"}), exitConfig},
		{"no such account, asked for by the library", &kaizen.Error{Class: smtp.ClassConnect, Err: &accounts.NotFoundError{Name: "x"}}, exitConfig},
		{"no such account, on the command line", &usageError{err: &accounts.NotFoundError{Name: "x"}}, exitUsage},
		{"wrong settings", &accounts.FileError{Err: errors.New("bad")}, exitConfig},
		{"a file of others", &accounts.HandWrittenError{}, exitConfig},
		{"damaged secrets", &accounts.SecretError{Err: accounts.ErrDamaged}, exitConfig},
		{"account exists", fmt.Errorf("import: %w", accounts.ErrExists), exitCantCreate},
		{"accounts in use", fmt.Errorf("lock: %w", accounts.ErrLocked), exitTempFail},
		{"out of time", &kaizen.Error{Class: smtp.ClassCanceled, Err: context.DeadlineExceeded}, exitTempFail},
		{"turned away at the greeting", &smtp.Error{Class: smtp.ClassConnect, Reply: permanent}, exitUnavailable},
		{"greeted by another protocol", &smtp.Error{Class: smtp.ClassProtocol, Phase: smtp.PhaseGreeting}, exitProtocol},
		{"no SMTP", &smtp.Error{Class: smtp.ClassProtocol, Reply: permanent}, exitProtocol},
		{"file missing", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, exitNoInput},
		{"file unreadable", &fs.PathError{Op: "read", Path: "x", Err: fs.ErrPermission}, exitIO},
		{"settings unreadable", fmt.Errorf("read kaizen.toml: %w", fs.ErrPermission), exitNoInput},
		{"anything else", errors.New("surprise"), exitSoftware},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := exitCodeOf(canceled, tt.err); got != tt.want {
				t.Errorf("exit code of %q is %d, want %d", tt.err, got, tt.want)
			}
		})
	}
}

func TestErrorsAreOneLineAndAHint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"verzion"}, "kaizen: unknown command \"verzion\": did you mean \"version\"?\nTry 'kaizen --help'.\n"},
		{"unknown flag", []string{"version", "--frobnicate"}, "kaizen: unknown flag: --frobnicate\nTry 'kaizen version --help'.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(testApp(&stdout, &stderr, nil), tt.args)
			if code != exitUsage || stderr.String() != tt.want || stdout.Len() > 0 {
				t.Errorf("exit code %d, standard output %q, standard error %q; want %d, nothing, %q",
					code, stdout.String(), stderr.String(), exitUsage, tt.want)
			}
		})
	}
}

func TestNoColourWithoutATerminal(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	a := testApp(nil, &stderr, map[string]string{"TERM": "xterm"})
	a.report(errors.New("surprise"))
	if got := stderr.String(); got != "kaizen: surprise\n" {
		t.Errorf("reported %q", got)
	}
}

// testApp is a world made of buffers and the given variables.
func testApp(stdout, stderr *bytes.Buffer, env map[string]string) *app {
	return &app{stdin: strings.NewReader(""), stdout: stdout, stderr: stderr,
		lookupEnv: func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok
		}}
}
