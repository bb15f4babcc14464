package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/spf13/cobra"
)

func newAccountSetCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME KEY=VALUE...",
		Short: "Change settings of an account",
		Long: `Change settings of an account. An empty value ("port=") goes back to the
provider's, or to the default. Lists are separated by commas.

Keys: ` + strings.Join(accounts.Keys(), ", ") + `.

The password is changed by "kaizen account password".`,
		Example: "  kaizen account set work rates=30/1m,500/24h connections=2\n  kaizen account set work password_command='pass show mail/work'\n  kaizen account set work port=",
		Args:    cobra.MinimumNArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return app.completeAccounts(cmd, args, begun)
			}
			keys := accounts.Keys()
			for i := range keys {
				keys[i] += "="
			}
			return keys, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			store, e, err := app.named(cmd, args[:1])
			if err != nil {
				return err
			}
			if err := setAll(&e, args[1:]); err != nil {
				return misuse(cmd, err)
			}
			if _, err := e.Account(); err != nil { // else it is saved and of no use
				return err
			}
			return store.Put(cmd.Context(), e)
		},
	}
	return cmd
}

func setAll(e *accounts.Entry, settings []string) error {
	for _, s := range settings {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is not of the form KEY=VALUE", s)
		}
		if key == "password" {
			return errors.New("a password does not stand in the settings: 'kaizen account password " + e.Name + "' keeps it encrypted")
		}
		if err := e.Set(key, value); err != nil {
			return err
		}
	}
	return nil
}

func newAccountDefaultCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:               "default [NAME]",
		Short:             "Choose the account that is used where none is named, or print it",
		Example:           "  kaizen account default work\n  kaizen account default",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: app.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, e, err := app.named(cmd, args)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				fmt.Fprintln(app.stdout, e.Name)
				return nil
			}
			return store.SetDefault(cmd.Context(), e.Name)
		},
	}
}

func newAccountRemoveCommand(app *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:               "remove NAME",
		Aliases:           []string{"rm", "delete"},
		Short:             "Remove an account and its password",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: app.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, e, err := app.named(cmd, args)
			if err != nil {
				return err
			}
			if !yes {
				person, ok := app.terminal()
				if !ok {
					return misuse(cmd, errors.New("give --yes to remove it without a question (there is no terminal to ask on)"))
				}
				sure, err := person.confirm(cmd.Context(), fmt.Sprintf("Remove account %s (%s) and its password?", e.Name, orDash(e.Address)), false)
				if err != nil || !sure {
					return err
				}
			}
			return app.removeAccount(cmd.Context(), store, e.Name)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// removeAccount also takes the choice of a default back that named it.
func (a *app) removeAccount(ctx context.Context, store *accounts.Store, name string) error {
	standard, _ := store.Default()
	_, wrong := store.Routes() // before
	if err := store.Remove(ctx, name); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Removed %s.\n", name)
	a.warnOfQueued(ctx, name)
	if _, err := store.Routes(); errors.Is(err, accounts.ErrNotFound) && !errors.Is(wrong, accounts.ErrNotFound) {
		a.warn("the rules of kaizen.toml name it, and choose no account until that is changed: %v", err)
	}
	names, err := store.Names()
	if standard != name || len(names) == 0 || err != nil {
		return err
	}
	if _, err := store.Default(); err != nil {
		fmt.Fprintln(a.stderr, "There is no default account any more: 'kaizen account default NAME' chooses one.")
	}
	return nil
}

func newAccountTestCommand(app *app) *cobra.Command {
	var flags serverFlags
	cmd := &cobra.Command{
		Use:   "test [NAME]",
		Short: "Connect, log in, send nothing, and report what was found",
		Long: `Try an account (the default account, if none is named) as "kaizen verify" does:
connect, log in, send nothing, and report. A success lets an account be used again
that had stopped.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: app.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, e, err := app.named(cmd, args)
			if err != nil {
				return err
			}
			flags.name = e.Name
			return flags.verify(app, cmd)
		},
	}
	flags.bindCommon(cmd)
	return cmd
}

func newAccountResumeCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "resume [NAME]",
		Short: "Let an account be used again that has stopped",
		Long: `Let an account be used again that has stopped because its login was refused, or
because its server does not answer. The server is not asked: "kaizen account
test" looks first, and is mostly what you want.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: app.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, e, err := app.named(cmd, args)
			if err != nil {
				return err
			}
			return app.resume(cmd.Context(), kaizen.Account{Name: e.Name})
		},
	}
}
