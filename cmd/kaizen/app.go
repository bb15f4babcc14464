package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/kaizenmail/kaizen/accounts"
)

// app is what a command sees of the world: it reads, writes and asks for
// variables here and nowhere else, so that a test can be the world.
//
// A command lives in a file of its own, which has one constructor,
// newNameCommand(app *app) *cobra.Command, called in root.go. Its RunE takes
// the context from cmd.Context() and returns its error; it neither prints it
// nor exits. What an error means for the caller is decided in exit.go.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(name string) (value string, found bool)
	resolver       accounts.Resolver // of servers in DNS; nil: the system's

	mu     sync.Mutex // guards stores
	stores []io.Closer
}

// keep has a store closed at the end: it may be renewing a token.
func (a *app) keep(store io.Closer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stores = append(a.stores, store)
}

// close waits for what goes on in the background.
func (a *app) close() {
	a.mu.Lock()
	stores := a.stores
	a.mu.Unlock()
	for _, s := range stores {
		_ = s.Close() // what went wrong was told
	}
}

// warn tells a person something that is not the error a command ends with.
func (a *app) warn(format string, values ...any) {
	fmt.Fprintf(a.stderr, "%s "+format+"\n", append([]any{a.yellow("kaizen: warning:")}, values...)...)
}

func newApp() *app {
	return &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookupEnv: os.LookupEnv}
}

// run executes one command line and returns what the process exits with.
func run(app *app, args []string) exitCode {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer app.close()
	// The first signal asks for an orderly end. From then on signals have their
	// usual effect again, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)

	err := execute(ctx, app, args)
	if err == nil {
		return exitOK
	}
	app.report(err)
	return exitCodeOf(ctx, err)
}
