package main

import (
	"errors"
	"fmt"

	"github.com/kaizenmail/kaizen/accounts/oauth"
	"github.com/spf13/cobra"
)

func newAccountLogoutCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "logout [NAME]",
		Short: "Forget the OAuth 2 login of an account",
		Long: `Forget the OAuth 2 login of an account (the default account, if none is named): its
tokens are removed, and the provider is told where it takes that (Google does; at
Microsoft the consent is withdrawn at https://myapps.microsoft.com). The account
stays, and 'kaizen account login' makes it usable again.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: app.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, e, err := app.named(cmd, args)
			if err != nil {
				return err
			}
			revoked, err := store.Logout(cmd.Context(), e.Name)
			if told, ok := errors.AsType[*oauth.Error](err); ok {
				app.warn("the tokens of %s are removed here, but the provider did not take that they are not used any more: withdraw the consent in your account there", e.Name)
				return told
			}
			if err != nil {
				return err
			}
			where := map[bool]string{true: "here and at the provider", false: "here; the provider was not told"}[revoked]
			fmt.Fprintf(app.stdout, "Logged %s out, %s.\n", e.Name, where)
			return nil
		},
	}
}
