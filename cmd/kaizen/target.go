package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/spf13/cobra"
)

// target is the server that a command speaks to.
type target struct {
	kaizen.Account
	sender   string // the account's own address; "" if it has none, and for a URL
	preset   *accounts.Preset
	kept     bool // it is an account of the files
	complete bool // with its secret, if it needs one
	routed   bool // rules choose the account
}

// logsIn reports whether there is a login, with or without a secret so far.
func (t *target) logsIn() bool {
	return t.Username != "" || t.Auth != nil || t.preset != nil && t.preset.Username == accounts.UsernameToken
}

func (t *target) setSecret(secret string) {
	if t.preset != nil && t.preset.Username == accounts.UsernameToken && t.Username == "" {
		t.Username = secret
	}
	if t.Auth == nil {
		t.Password = secret
		return
	}
	auth := *t.Auth
	auth.Password = secret
	if auth.Username == "" {
		auth.Username = t.Username
	}
	t.Auth = &auth
}

// from is the address that a message is from unless --from says otherwise.
func (t *target) from() string {
	if t.sender != "" {
		return t.sender
	}
	if isAddress(t.Username) {
		return t.Username
	}
	return ""
}

// account is the server that the command line names, else the variables, else
// the default account.
func (f *serverFlags) account(app *app, cmd *cobra.Command) (*target, error) {
	t, err := f.choose(app, cmd)
	if err != nil {
		return nil, err
	}
	if err := f.checkSeveral(cmd, t); err != nil {
		return nil, err
	}
	if f.passwordFile != "" && !t.logsIn() {
		return nil, misuse(cmd, errors.New("--password-file needs a user name in the URL"))
	}
	if err := f.apply(&t.Account); err != nil {
		return nil, err
	}
	if smtp.ProxyHasPassword(f.proxy) {
		app.warn("others on this machine can see the password in --proxy; the variable ALL_PROXY (--proxy environment) and accounts hide it")
	}
	if f.transcript {
		t.Trace = transcript(app.stderr)
	}
	return t, nil
}

func (f *serverFlags) choose(app *app, cmd *cobra.Command) (*target, error) {
	switch {
	case f.url != "" && f.name != "":
		return nil, misuse(cmd, errors.New("--account or --server, not both"))
	case f.url != "":
		a, err := kaizen.ParseURL(f.url)
		if err != nil {
			return nil, misuse(cmd, fmt.Errorf("--server: %w", err))
		}
		return &target{Account: a}, nil
	case f.name != "":
		t, err := f.named(app, cmd, f.name)
		if notFound, ok := errors.AsType[*accounts.NotFoundError](err); ok {
			return nil, misuse(cmd, notFound)
		}
		return t, err
	}
	return f.fromVariables(app, cmd)
}

func (f *serverFlags) fromVariables(app *app, cmd *cobra.Command) (*target, error) {
	url, _ := app.lookupEnv("KAIZEN_SERVER")
	name, _ := app.lookupEnv("KAIZEN_ACCOUNT")
	switch {
	case url != "" && name != "":
		return nil, withCode(exitConfig, errors.New("KAIZEN_ACCOUNT and KAIZEN_SERVER are both set: which is meant? Unset one, or give --account or --server"))
	case url != "":
		a, err := kaizen.ParseURL(url)
		if err != nil {
			return nil, withCode(exitConfig, fmt.Errorf("KAIZEN_SERVER: %w", err))
		}
		return &target{Account: a}, nil
	case name != "":
		t, err := f.named(app, cmd, name)
		if err != nil {
			err = fmt.Errorf("KAIZEN_ACCOUNT: %w", err)
		}
		return t, err
	}
	return f.standard(app, cmd)
}

// standard is the account that is meant where nothing is said, unless rules choose
// it.
func (f *serverFlags) standard(app *app, cmd *cobra.Command) (*target, error) {
	if t, err := f.routed(app); t != nil || err != nil {
		return t, err
	}
	store, err := app.store()
	if err != nil {
		return nil, err
	}
	name, err := store.Default()
	if none, ok := errors.AsType[*accounts.NoDefaultError](err); ok {
		return nil, misuse(cmd, whichAccount(none))
	}
	if err != nil {
		return nil, err
	}
	return f.fromFiles(cmd.Context(), app, name)
}

func whichAccount(e *accounts.NoDefaultError) error {
	if len(e.Names) == 0 {
		return errors.New("which server? 'kaizen account add' makes an account; or give --server URL, or set KAIZEN_SERVER")
	}
	return fmt.Errorf("which account? %w; or give --account NAME", e)
}

// fromFiles is an account of the files. A password file that the command line names
// goes before its own secret.
func (f *serverFlags) fromFiles(ctx context.Context, app *app, name string) (*target, error) {
	store, err := app.store()
	if err != nil {
		return nil, err
	}
	e, err := store.Entry(name)
	if err != nil {
		return nil, err
	}
	t := &target{sender: e.Address, kept: true}
	t.preset, _ = accounts.LookupPreset(e.Provider)
	if f.noSecret {
		t.Account, err = e.Account()
		return t, err
	}
	if f.passwordFile != "" {
		t.Account, err = store.AccountWith(ctx, e.Name, "")
		return t, err
	}
	t.Account, err = store.Account(ctx, e.Name)
	t.complete = true
	return t, err
}
