package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

var errNoPassword = errors.New("no password for the login: set KAIZEN_PASSWORD or give --password-file (there is no terminal to ask on)")

// findPassword completes a login: --password-file, then the URL, then
// KAIZEN_PASSWORD, then the person at the terminal. An account has its own.
func (f *serverFlags) findPassword(ctx context.Context, app *app, t *target) error {
	if t.complete || !t.logsIn() {
		return nil
	}
	if f.passwordFile != "" {
		secret, err := readPassword(f.passwordFile)
		t.setSecret(secret)
		return err
	}
	if t.Password != "" {
		if f.url != "" {
			app.warn("others on this machine can see the password in --server; KAIZEN_PASSWORD and --password-file hide it")
		}
		return nil
	}
	if secret, _ := app.lookupEnv("KAIZEN_PASSWORD"); secret != "" {
		t.setSecret(secret)
		return nil
	}
	secret, err := app.askPassword(ctx, t.Username+" at "+t.Host)
	t.setSecret(secret)
	return err
}

// readPassword takes the file without its last line end.
func readPassword(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", withCode(exitNoInput, fmt.Errorf("--password-file: %w", err))
	}
	password := withoutLineEnd(string(content))
	if password == "" {
		return "", withCode(exitConfig, fmt.Errorf("--password-file: %s is empty", file))
	}
	return password, nil
}

func withoutLineEnd(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }

// askPassword prompts without showing what is typed.
func (a *app) askPassword(ctx context.Context, whose string) (string, error) {
	person, ok := a.terminal()
	if !ok {
		return "", withCode(exitConfig, errNoPassword)
	}
	password, err := person.secret(ctx, "Password of "+whose+": ")
	if err == nil && password == "" {
		err = withCode(exitConfig, errors.New("no password given"))
	}
	return password, err
}
