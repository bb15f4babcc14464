package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/spf13/cobra"
)

const accountLong = `Accounts: a server that takes mail for you, its login, and the limits it sets.

"add" asks for what it needs, finds the server of most providers by itself, tries
the login, and keeps the password encrypted. send, verify, bulk and bench take
--account NAME; without it they take the default account.

Settings are in one folder (KAIZEN_CONFIG_DIR): kaizen.toml, which you may write
and which is never rewritten, and accounts.d, which these commands write.
docs/accounts.md describes both.`

const accountExample = `  kaizen account add
  kaizen account list
  kaizen account test work
  kaizen account set work rates=30/1m connections=2
  kaizen send --account work --to bob@example.org --subject Hello --text 'How are you?'`

func newAccountCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "account",
		Aliases: []string{"accounts"},
		Short:   "Add, test and change accounts",
		Long:    accountLong,
		Example: accountExample,
		Args:    noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(app.stderr)
			_ = cmd.Help()
			return misuse(cmd, errNoCommand)
		},
	}
	addGroup(cmd, "Every day", newAccountAddCommand(app), newAccountListCommand(app), newAccountShowCommand(app), newAccountTestCommand(app))
	addGroup(cmd, "Change", newAccountSetCommand(app), newAccountPasswordCommand(app), newAccountLoginCommand(app), newAccountLogoutCommand(app), newAccountDefaultCommand(app),
		newAccountResumeCommand(app), newAccountRemoveCommand(app))
	addGroup(cmd, "Files and keys", newAccountExportCommand(app), newAccountImportCommand(app), newAccountKeyCommand(app), newAccountRekeyCommand(app), newAccountRestoreCommand(app))
	addGroup(cmd, "Know", newAccountProvidersCommand(app))
	return cmd
}

// store opens the account files. Nothing is read yet.
func (a *app) store() (*accounts.Store, error) {
	dir, _ := a.lookupEnv("KAIZEN_CONFIG_DIR")
	store, err := accounts.Open(accounts.Options{Dir: dir, LookupEnv: a.lookupEnv, Passphrase: a.askPassphrase, Trouble: a.tokenTrouble})
	if err == nil {
		a.keep(store)
	}
	return store, err
}

// tokenTrouble tells of a token that will be missing after this command.
func (a *app) tokenTrouble(account string, err error) {
	a.warn("account %s: %v: 'kaizen account login %s' may be needed again", account, err, account)
}

// noState, as KAIZEN_STATE_DIR, keeps nothing.
const noState = "none"

// stateDir is where clients keep what must outlive the process.
func (a *app) stateDir() (string, error) {
	if dir, _ := a.lookupEnv("KAIZEN_STATE_DIR"); dir != "" {
		return dir, nil
	}
	return accounts.DefaultStateDir()
}

// client sends, and keeps in the state directory what must outlive the process.
// Accounts of the files do not go without; for a URL a place where nothing can be
// kept has to do.
func (a *app) client(kept bool, logger *slog.Logger) (*kaizen.Client, error) {
	config, err := a.clientConfig(kept, logger)
	if err != nil {
		return nil, err
	}
	return kaizen.New(config), nil
}

func (a *app) clientConfig(kept bool, logger *slog.Logger) (kaizen.Config, error) {
	config := kaizen.Config{Logger: logger}
	dir, err := a.stateDir()
	if dir == noState {
		dir = ""
	} else if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil && kept {
		return config, err
	}
	if err != nil {
		a.warn("limits and refused logins are forgotten with this command: %v (KAIZEN_STATE_DIR names a folder for them)", err)
		dir = ""
	}
	config.StateDir = dir
	if kept {
		store, err := a.store()
		if err != nil {
			return config, err
		}
		config.Accounts, config.Router = store, store.Router()
	}
	return config, nil
}

// askPassphrase is asked for what opens secrets.age, or a bundle.
func (a *app) askPassphrase(ctx context.Context, ask accounts.PassphraseRequest) (string, error) {
	person, ok := a.terminal()
	if !ok {
		return "", withCode(exitConfig, errors.New("a passphrase is needed: set KAIZEN_PASSPHRASE (there is no terminal to ask on)"))
	}
	what := "the bundle"
	if ask.File != "" {
		what = ask.File
	}
	if !ask.New {
		return person.secret(ctx, "Passphrase of "+what+": ")
	}
	return person.chooseSecret(ctx, "New passphrase for "+what+": ")
}

// chooseSecret asks twice, for what is not shown is easily mistyped.
func (t *terminal) chooseSecret(ctx context.Context, question string) (string, error) {
	for range 3 {
		first, err := t.secret(ctx, question)
		if err != nil {
			return "", err
		}
		if first == "" {
			return "", withCode(exitConfig, errors.New("no passphrase given"))
		}
		again, err := t.secret(ctx, "Once more: ")
		if err != nil {
			return "", err
		}
		if first == again {
			return first, nil
		}
		t.say("These two differ.")
	}
	return "", withCode(exitConfig, errors.New("the two passphrases differed three times"))
}

// named is the account that an argument names, else the default account.
func (a *app) named(cmd *cobra.Command, args []string) (*accounts.Store, accounts.Entry, error) {
	store, err := a.store()
	if err != nil {
		return nil, accounts.Entry{}, err
	}
	var name string
	if len(args) > 0 {
		name = args[0]
	} else if name, err = store.Default(); err != nil {
		if none, ok := errors.AsType[*accounts.NoDefaultError](err); ok {
			err = misuse(cmd, whichOf(none))
		}
		return nil, accounts.Entry{}, err
	}
	e, err := store.Entry(name)
	if _, ok := errors.AsType[*accounts.NotFoundError](err); ok && len(args) > 0 {
		err = misuse(cmd, err)
	}
	return store, e, err
}

func whichOf(e *accounts.NoDefaultError) error {
	if len(e.Names) == 0 {
		return errors.New("there are no accounts yet: 'kaizen account add' makes one")
	}
	return fmt.Errorf("which account? %w; or name one", e)
}

// completeAccounts completes an argument, or a flag, that names an account.
func (a *app) completeAccounts(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.accountNames(), cobra.ShellCompDirectiveNoFileComp
}

// completeLanes completes an argument that names an account or a chain of them.
func (a *app) completeLanes(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return behindChain(begun, a.accountNames()), cobra.ShellCompDirectiveNoFileComp
}

// accountNames is for completion, where an error has nobody to read it.
func (a *app) accountNames() []cobra.Completion {
	store, err := a.store()
	if err != nil {
		return nil
	}
	entries, _ := store.Entries()
	var names []cobra.Completion
	for _, e := range entries {
		names = append(names, cobra.CompletionWithDesc(e.Name, e.Address))
	}
	return names
}
