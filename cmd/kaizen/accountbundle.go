package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kaizenmail/kaizen/accounts"
	"github.com/spf13/cobra"
)

const accountExportLong = `Write accounts and their passwords into one encrypted file, a bundle, for a backup
or another machine. Without names, all accounts.

--to encrypts it for an age public key (age1…; "kaizen account key" on the other
machine prints its own), --passphrase for whoever knows the passphrase, which is
asked for or taken from KAIZEN_BUNDLE_PASSPHRASE. A bundle opens with the age
tool, too.`

func newAccountExportCommand(app *app) *cobra.Command {
	c := &accountExport{app: app}
	cmd := &cobra.Command{
		Use:     "export FILE [NAME...]",
		Short:   "Write accounts and passwords into an encrypted file",
		Long:    accountExportLong,
		Example: "  kaizen account export accounts.age --passphrase\n  kaizen account export - --to age1… | ssh other kaizen account import -",
		Args:    cobra.MinimumNArgs(1),
		RunE:    c.run,
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&c.options.Recipients, "to", nil, "encrypt for this age public `KEY`; may be repeated")
	flags.BoolVar(&c.passphrase, "passphrase", false, "encrypt with a passphrase")
	flags.BoolVar(&c.options.WithoutSecrets, "without-secrets", false, "leave the passwords out")
	flags.BoolVar(&c.options.SecretsInTheClear, "secrets-in-the-clear", false, "write the passwords readable for everybody who gets the file")
	flags.BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

type accountExport struct {
	app        *app
	options    accounts.ExportOptions
	passphrase bool
	json       bool
}

func (c *accountExport) run(cmd *cobra.Command, args []string) error {
	o := &c.options
	_, person := c.app.terminal()
	if len(o.Recipients) == 0 && !c.passphrase && !o.WithoutSecrets && !o.SecretsInTheClear {
		if !person {
			return misuse(cmd, errors.New("who can open it? Give --to KEY or --passphrase (or --without-secrets)"))
		}
		c.passphrase = true
	}
	if c.passphrase {
		o.Passphrase = c.app.bundlePassphrase
	}
	o.Names = args[1:]
	store, err := c.app.store()
	if err != nil {
		return err
	}
	report, err := c.app.writeBundle(cmd.Context(), store, args[0], *o)
	if _, ok := errors.AsType[*accounts.NotFoundError](err); ok {
		err = misuse(cmd, err)
	}
	if err != nil {
		return err
	}
	return c.report(args[0], report)
}

// writeBundle makes the file, or nothing: what was there stays.
func (a *app) writeBundle(ctx context.Context, store *accounts.Store, file string, o accounts.ExportOptions) (accounts.ExportReport, error) {
	if file == "-" {
		return store.Export(ctx, a.stdout, o)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return accounts.ExportReport{}, withCode(exitCantCreate, err)
	}
	report, err := store.Export(ctx, f, o)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(file) // half a bundle is none
	}
	return report, err
}

func (c *accountExport) report(file string, r accounts.ExportReport) error {
	out := c.app.stdout
	if file == "-" {
		out = c.app.stderr // the bundle is on standard output
	}
	if c.json {
		if file == "-" {
			return nil
		}
		return c.app.printJSON(map[string]any{"accounts": r.Accounts, "secrets": r.Secrets, "missing": r.Missing, "files": r.Files})
	}
	fmt.Fprintf(out, "Exported  %s\n", listed(r.Accounts))
	fmt.Fprintf(out, "Passwords %s\n", listed(r.Secrets))
	tellMissing(out, r.Missing, r.Files, "not in the bundle")
	return nil
}

// tellMissing names what the other machine needs, too.
func tellMissing(out io.Writer, secrets, files []string, where string) {
	if len(secrets) > 0 {
		fmt.Fprintf(out, "Without   the password of %s: %s\n", listed(secrets), where)
	}
	if len(files) > 0 {
		fmt.Fprintf(out, "Without   the files %s: %s\n", listed(files), where)
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// bundlePassphrase is another one than that of secrets.age.
func (a *app) bundlePassphrase(ctx context.Context, ask accounts.PassphraseRequest) (string, error) {
	if passphrase, _ := a.lookupEnv("KAIZEN_BUNDLE_PASSPHRASE"); passphrase != "" {
		return passphrase, nil
	}
	if _, ok := a.terminal(); !ok {
		return "", withCode(exitConfig, errors.New("the passphrase of the bundle? Set KAIZEN_BUNDLE_PASSPHRASE (there is no terminal to ask on)"))
	}
	return a.askPassphrase(ctx, ask)
}

func newAccountImportCommand(app *app) *cobra.Command {
	var o accounts.ImportOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Add the accounts of a bundle",
		Long: `Add the accounts of a bundle that "kaizen account export" wrote, with their
passwords. Accounts that exist are not touched unless --overwrite is given; if one
does, nothing is imported.

The bundle is opened with the key of this machine, --key, or its passphrase.`,
		Example: "  kaizen account import accounts.age",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Passphrase = app.bundlePassphrase
			report, err := app.importBundle(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			return app.reportImport(report, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.KeyFile, "key", "", "open it with the age identity in this `FILE`")
	flags.BoolVar(&o.Overwrite, "overwrite", false, "replace accounts that exist")
	flags.BoolVar(&o.Commands, "commands", false, "accept accounts with a password_command or sendmail, which can do anything: only from those you trust")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) importBundle(ctx context.Context, file string, o accounts.ImportOptions) (accounts.ImportReport, error) {
	store, err := a.store()
	if err != nil {
		return accounts.ImportReport{}, err
	}
	if file == "-" {
		return store.Import(ctx, a.stdin, o)
	}
	f, err := os.Open(file)
	if err != nil {
		return accounts.ImportReport{}, withCode(exitNoInput, err)
	}
	defer f.Close()
	return store.Import(ctx, f, o)
}

func (a *app) reportImport(r accounts.ImportReport, asJSON bool) error {
	if asJSON {
		return a.printJSON(map[string]any{"added": r.Added, "replaced": r.Replaced, "secrets": r.Secrets, "missing": r.Missing, "files": r.Files, "default": r.Default})
	}
	fmt.Fprintf(a.stdout, "Added     %s\n", listed(r.Added))
	if len(r.Replaced) > 0 {
		fmt.Fprintf(a.stdout, "Replaced  %s\n", listed(r.Replaced))
	}
	fmt.Fprintf(a.stdout, "Passwords %s\n", listed(r.Secrets))
	tellMissing(a.stdout, r.Missing, r.Files, "to be set here")
	if r.Default != "" {
		fmt.Fprintf(a.stdout, "Default   %s\n", r.Default)
	}
	return nil
}
