package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/kaizenmail/kaizen/accounts"
	"github.com/spf13/cobra"
)

const accountRekeyLong = `Encrypt the passwords anew: with a new key, or with a key that is kept elsewhere.

  file         in a file that only you can read (the default)
  keyring      in the operating system's keyring: opened when you log in
  passphrase   in your head; programs take it from KAIZEN_PASSPHRASE (and the
               new one from KAIZEN_NEW_PASSPHRASE)

The old key opens neither the passwords nor their backup afterwards.`

func newAccountRekeyCommand(app *app) *cobra.Command {
	var o accounts.RekeyOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "rekey",
		Short:   "Encrypt the passwords with a new key, or one kept elsewhere",
		Long:    accountRekeyLong,
		Example: "  kaizen account rekey\n  kaizen account rekey --key keyring",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			store, err := app.store()
			if err != nil {
				return err
			}
			if o.Key.File != "" {
				if o.Key.File, err = filepath.Abs(o.Key.File); err != nil {
					return err
				}
			}
			o.Passphrase = app.newStorePassphrase
			report, err := store.Rekey(cmd.Context(), o)
			if err != nil {
				return err
			}
			recipient, err := store.Recipient(cmd.Context())
			if err != nil && o.Key.Kind != accounts.KeyPassphrase {
				return err
			}
			return app.reportRekey(report, recipient, asJSON)
		},
	}
	cmd.Flags().TextVar(&o.Key.Kind, "key", accounts.KeyFile, "where the `KIND` of key is kept: file, keyring, passphrase")
	cmd.Flags().StringVar(&o.Key.File, "key-file", "", "with --key file: the `FILE` (default: key.txt beside the accounts)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// newStorePassphrase is for the new one: KAIZEN_PASSPHRASE is the old one.
func (a *app) newStorePassphrase(ctx context.Context, ask accounts.PassphraseRequest) (string, error) {
	if passphrase, _ := a.lookupEnv("KAIZEN_NEW_PASSPHRASE"); passphrase != "" {
		return passphrase, nil
	}
	if _, ok := a.terminal(); !ok {
		return "", withCode(exitConfig, errors.New("the new passphrase? Set KAIZEN_NEW_PASSPHRASE (there is no terminal to ask on)"))
	}
	return a.askPassphrase(ctx, ask)
}

func newAccountKeyCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Tell where the key of the passwords is, and its public half",
		Long: `Tell where the key is that opens the passwords, and its public half: another
machine can export accounts to it ("kaizen account export FILE --to age1…").`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := app.store()
			if err != nil {
				return err
			}
			key, err := store.Key()
			if err != nil {
				return err
			}
			fmt.Fprintf(app.stdout, "Key        %s\n", keyInWords(key))
			if key.Kind == accounts.KeyPassphrase {
				return nil // which has no public half
			}
			recipient, err := store.Recipient(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(app.stdout, "Public key %s\n", recipient)
			return nil
		},
	}
}

func (a *app) reportRekey(r accounts.RekeyReport, recipient string, asJSON bool) error {
	if asJSON {
		return a.printJSON(map[string]any{"from": r.From.Kind, "to": r.To.Kind, "secrets": r.Secrets, "kept": r.Kept, "recipient": recipient})
	}
	fmt.Fprintf(a.stdout, "Encrypted %d passwords anew; their key is now %s.\n", r.Secrets, keyInWords(r.To))
	if recipient != "" {
		fmt.Fprintf(a.stdout, "Public key %s (others can export to it)\n", recipient)
	}
	if r.Kept != "" {
		fmt.Fprintf(a.stdout, "The former key is still in %s: nothing here needs it any more.\n", r.Kept)
	}
	return nil
}

func keyInWords(k accounts.Key) string {
	switch k.Kind {
	case accounts.KeyKeyring:
		return "in the keyring"
	case accounts.KeyPassphrase:
		return "made of the passphrase"
	}
	return "in " + k.File
}

func newAccountRestoreCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "restore",
		Short: "Go back to the passwords before the last change",
		Long: `Take the passwords from secrets.age.bak, which is what secrets.age was before its
last change: for a file that was damaged.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := app.store()
			if err != nil {
				return err
			}
			if err := store.RestoreBackup(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(app.stdout, "Restored the passwords from the backup.")
			return nil
		},
	}
}
