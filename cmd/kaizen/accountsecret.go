package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// secretFlags say where the password of an account comes from.
type secretFlags struct {
	file, env, command string
	stdin              bool
}

func (f *secretFlags) bind(flags *pflag.FlagSet) {
	flags.BoolVar(&f.stdin, "password-stdin", false, "read the password from standard input now, and keep it encrypted")
	flags.StringVar(&f.file, "password-file", "", "leave the password in this `FILE`, which is read whenever it is needed")
	flags.StringVar(&f.env, "password-env", "", "leave the password in the variable `NAME`")
	flags.StringVar(&f.command, "password-command", "", "leave the password to this `COMMAND` of the shell, which prints it")
}

func (f *secretFlags) check() error {
	n := 0
	for _, given := range []bool{f.file != "", f.env != "", f.command != "", f.stdin} {
		if given {
			n++
		}
	}
	if n > 1 {
		return errors.New("the password comes from one place: give one of --password-stdin, --password-file, --password-env and --password-command")
	}
	return nil
}

func (f *secretFlags) source() (accounts.SecretSource, error) {
	switch {
	case f.file != "":
		file, err := filepath.Abs(f.file)
		return accounts.SecretSource{Kind: accounts.SecretFile, Name: file}, err
	case f.env != "":
		return accounts.SecretSource{Kind: accounts.SecretEnv, Name: f.env}, nil
	case f.command != "":
		return accounts.SecretSource{Kind: accounts.SecretCommand, Command: []string{f.command}, Shell: true}, nil
	}
	return accounts.SecretSource{}, nil
}

// given reports whether a password was spoken of at all.
func (c *accountAdd) given() bool {
	variable, _ := c.app.lookupEnv("KAIZEN_PASSWORD")
	return c.source != secretFlags{} || variable != ""
}

// logsIn reports whether the account has a login.
func (c *accountAdd) logsIn() bool {
	return c.entry.Username != "" || c.preset != nil && c.preset.Username != accounts.UsernameNone
}

// secretQuestion calls the secret what the provider calls it.
func (c *accountAdd) secretQuestion() string {
	what, whose := "Password", c.entry.Username
	if c.preset != nil {
		what = upperFirst(c.preset.Secret)
		if whose == "" {
			whose = c.preset.UsernameFor(c.address)
		}
	}
	if whose == "" {
		return what
	}
	return what + " of " + whose
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

const accountPasswordLong = `Change the password of an account (the default account, if none is named).

The new password is asked for, or read from standard input (--password-stdin),
and tried before it is kept: if the login fails, the old one stays. A success
lets an account be used again that had stopped.

A password that is taken from a file, a variable or a command is changed there.`

func newAccountPasswordCommand(app *app) *cobra.Command {
	var stdin, noVerify, withTranscript bool
	cmd := &cobra.Command{
		Use:               "password [NAME]",
		Aliases:           []string{"set-password", "passwd"},
		Short:             "Change the password of an account",
		Long:              accountPasswordLong,
		Example:           "  kaizen account password work\n  pass show mail/work | kaizen account password work --password-stdin",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: app.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, e, err := app.named(cmd, args)
			if err != nil {
				return err
			}
			if e.UsesOAuth() {
				return withCode(exitConfig, fmt.Errorf("account %q has no password: 'kaizen account login %s' logs it in, and takes another secret of the client (--client-secret-stdin) or key (--key-file)", e.Name, e.Name))
			}
			if e.Secret.Kind != accounts.SecretStored {
				return withCode(exitConfig, fmt.Errorf("the password of account %q is in %s: change it there, or 'kaizen account set %s %s=' to keep it encrypted",
					e.Name, e.Secret, e.Name, secretKeys[e.Secret.Kind]))
			}
			secret, err := app.newPassword(cmd, e, stdin)
			if err != nil {
				return err
			}
			if !noVerify {
				if err := app.tryLogin(cmd.Context(), store, e, secret, withTranscript); err != nil {
					return err
				}
			}
			if err := store.SetSecret(cmd.Context(), e.Name, secret); err != nil {
				return err
			}
			fmt.Fprintf(app.stdout, "Changed the password of %s.\n", e.Name)
			return app.lift(cmd.Context(), kaizen.Account{Name: e.Name})
		},
	}
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	cmd.Flags().BoolVar(&noVerify, "no-verify", false, "keep it without trying the login")
	cmd.Flags().BoolVar(&withTranscript, "transcript", false, "show the dialogue with the server on standard error")
	return cmd
}

// secretKeys are the keys of the settings that name where a secret is.
var secretKeys = map[accounts.SecretKind]string{accounts.SecretEnv: "password_env", accounts.SecretFile: "password_file", accounts.SecretCommand: "password_command"}

func (a *app) newPassword(cmd *cobra.Command, e accounts.Entry, stdin bool) (string, error) {
	if stdin {
		return readSecret(a.stdin)
	}
	person, ok := a.terminal()
	if !ok {
		return "", misuse(cmd, errors.New("the password? Give --password-stdin (there is no terminal to ask on)"))
	}
	if p, ok := accounts.LookupPreset(e.Provider); ok && p.HelpURL != "" {
		person.say("%s\n%s", p.Hint, p.HelpURL)
	}
	secret, err := person.secret(cmd.Context(), "New password of "+e.Name+": ")
	if err == nil && secret == "" {
		err = withCode(exitConfig, errors.New("no password given; nothing was changed"))
	}
	return secret, err
}

func (a *app) tryLogin(ctx context.Context, store *accounts.Store, e accounts.Entry, secret string, withTranscript bool) error {
	account, err := store.AccountWith(ctx, e.Name, secret)
	if err != nil {
		return err
	}
	if withTranscript {
		account.Trace = transcript(a.stderr)
	}
	if _, err := examineAll(ctx, &account); err != nil {
		fmt.Fprintln(a.stderr, "The password was not changed; --no-verify keeps it without trying the login.")
		return err
	}
	return nil
}
