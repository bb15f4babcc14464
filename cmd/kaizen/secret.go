package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kaizenmail/kaizen"
	"golang.org/x/term"
)

var errNoPassword = errors.New("no password for the login: set KAIZEN_PASSWORD or give --password-file (there is no terminal to ask on)")

var errInterrupted = withCode(exitInterrupted, errors.New("interrupted"))

// findPassword completes a login: --password-file, then the URL, then
// KAIZEN_PASSWORD, then the person at the terminal.
func (f *serverFlags) findPassword(ctx context.Context, app *app, a *kaizen.Account) (err error) {
	if a.Username == "" {
		return nil
	}
	if f.passwordFile != "" {
		a.Password, err = readPassword(f.passwordFile)
		return err
	}
	if a.Password != "" {
		if f.url != "" {
			fmt.Fprintln(app.stderr, app.yellow("kaizen: warning:"), "others on this machine can see the password in --server; KAIZEN_PASSWORD and --password-file hide it")
		}
		return nil
	}
	if a.Password, _ = app.lookupEnv("KAIZEN_PASSWORD"); a.Password != "" {
		return nil
	}
	a.Password, err = app.askPassword(ctx, a.Username+" at "+a.Host)
	return err
}

// readPassword takes the file without its last line end.
func readPassword(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", withCode(exitNoInput, fmt.Errorf("--password-file: %w", err))
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if password == "" {
		return "", withCode(exitConfig, fmt.Errorf("--password-file: %s is empty", file))
	}
	return password, nil
}

// askPassword prompts without showing what is typed.
func (a *app) askPassword(ctx context.Context, whose string) (string, error) {
	in, ok := a.stdin.(*os.File)
	if !ok || !isTerminal(in) || !isTerminal(a.stderr) {
		return "", withCode(exitConfig, errNoPassword)
	}
	fd := int(in.Fd())
	shown, err := term.GetState(fd)
	if err != nil {
		return "", withCode(exitIO, fmt.Errorf("prepare the terminal: %w", err))
	}
	fmt.Fprintf(a.stderr, "Password of %s: ", whose)
	password, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	fmt.Fprintln(a.stderr)
	if ctx.Err() != nil {
		_ = term.Restore(fd, shown) // else the shell would not show what is typed
		return "", err
	}
	if err != nil {
		return "", withCode(exitIO, fmt.Errorf("read the password: %w", err))
	}
	if len(password) == 0 {
		return "", withCode(exitConfig, errors.New("no password given"))
	}
	return string(password), nil
}

// await waits for a read that cannot be cancelled, or for ctx. The process ends
// soon after ctx does, and the read with it: nothing can end it sooner.
func await(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := read()
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		return nil, errInterrupted
	}
}
