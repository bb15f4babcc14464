package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/spf13/cobra"
)

// accountReport is what --json tells of an account.
type accountReport struct {
	Name     string             `json:"name"`
	Default  bool               `json:"default"`
	Address  string             `json:"address,omitempty"`
	Server   string             `json:"server,omitempty"`
	Provider string             `json:"provider,omitempty"`
	Secret   string             `json:"secret,omitempty"` // where it comes from
	Login    *loginReport       `json:"login,omitempty"`  // with OAuth 2
	State    string             `json:"state"`
	Source   string             `json:"source"`
	Line     int                `json:"line,omitempty"`
	Settings []accounts.Setting `json:"settings,omitempty"`
	Status   *kaizen.Status     `json:"status,omitempty"` // what those who send have left
}

func (a *app) accountReport(e accounts.Entry, standard string, status *kaizen.Status) accountReport {
	r := accountReport{Name: e.Name, Default: e.Name == standard, Address: e.Address, Provider: e.Provider,
		State: stateInWords(status), Source: e.Source, Line: e.Line, Status: status}
	t, err := targetOf(e)
	if err != nil {
		r.State = "wrong: " + err.Error()
		return r
	}
	r.Server = serversInShort(&t.Account)
	switch {
	case e.UsesOAuth():
		r.Secret = "OAuth 2"
	case t.logsIn():
		r.Secret = e.Secret.String()
	}
	return r
}

// serversInShort is the first server, and how many others there are.
func serversInShort(a *kaizen.Account) string {
	first := serverOf(a)
	if n := len(a.AllServers()) - 1; n > 0 {
		return fmt.Sprintf("%s and %d more", first, n)
	}
	return first
}

func newAccountListCommand(app *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the accounts",
		Long:    "List the accounts. The default account is marked with a star.\n\nNo secret is read and no server asked.",
		Example: "  kaizen account list\n  kaizen account list --json | jq -r '.accounts[].name'",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return app.listAccounts(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listAccounts lists those that can be read also when others cannot.
func (a *app) listAccounts(asJSON bool) error {
	store, err := a.store()
	if err != nil {
		return err
	}
	entries, failed := store.Entries()
	standard, err := store.Default()
	_, none := errors.AsType[*accounts.NoDefaultError](err)
	if told := failed != nil && err != nil && strings.Contains(failed.Error(), err.Error()); err != nil && !none && !told {
		failed = errors.Join(failed, err)
	}
	reports, statuses := make([]accountReport, len(entries)), a.statuses()
	for i, e := range entries {
		reports[i] = a.accountReport(e, standard, statuses[e.Name])
	}
	if asJSON {
		if err := a.printJSON(map[string]any{"accounts": reports}); err != nil {
			return err
		}
		return failed
	}
	if len(reports) == 0 && failed == nil {
		fmt.Fprintf(a.stderr, "There are no accounts in %s yet: 'kaizen account add' makes one.\n", store.Dir())
		return nil
	}
	a.printAccounts(reports)
	return failed
}

func (a *app) printAccounts(reports []accountReport) {
	if len(reports) == 0 {
		return
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  NAME\tADDRESS\tSERVER\tPROVIDER\tPASSWORD\tSTATE")
	for _, r := range reports {
		mark := map[bool]string{true: "*", false: " "}[r.Default]
		fmt.Fprintf(table, "%s %s\t%s\t%s\t%s\t%s\t%s\n", mark, r.Name, orDash(r.Address), orDash(r.Server), orDash(r.Provider), orDash(r.Secret), r.State)
	}
	_ = table.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func newAccountShowCommand(app *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show the settings of an account, and where each comes from",
		Long: `Show the settings that take effect for an account (the default account, if none
is named), and where each comes from: a file, the provider, or the defaults.

The password is not shown, and not read. Of an OAuth 2 login the times are shown, for
which its tokens are opened; not where that needs a passphrase to be typed.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: app.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, e, err := app.named(cmd, args)
			if err != nil {
				return err
			}
			standard, _ := store.Default() // that there is none is no concern here
			return app.showAccount(cmd.Context(), store, e, standard, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) showAccount(ctx context.Context, store *accounts.Store, e accounts.Entry, standard string, asJSON bool) error {
	r := a.accountReport(e, standard, a.statuses()[e.Name])
	r.Settings = e.Settings()
	var without string
	if e.UsesOAuth() {
		r.Login, without = a.readLogin(ctx, store, e.Name)
	}
	if asJSON {
		return a.printJSON(r)
	}
	row := func(name, value string) { fmt.Fprintf(a.stdout, "%-9s %s\n", name, value) }
	mark := map[bool]string{true: " (default)", false: ""}[r.Default]
	row("Account", r.Name+mark)
	row("Server", orDash(r.Server))
	if e.UsesOAuth() {
		row("Login", r.Secret+without)
	} else {
		row("Password", orDash(r.Secret))
	}
	if r.Login != nil {
		r.Login.print(row)
	}
	row("State", r.State)
	a.printStatus(e.Name, r.Status, row)
	row("File", fmt.Sprintf("%s:%d", r.Source, max(r.Line, 1)))
	fmt.Fprintln(a.stdout)
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tVALUE\tFROM")
	for _, s := range r.Settings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, s.Value, a.origin(s, e))
	}
	if err := table.Flush(); err != nil {
		return withCode(exitIO, err)
	}
	if p, ok := accounts.LookupPreset(e.Provider); ok && p.Limits.Source != "" {
		fmt.Fprintf(a.stdout, "\nThe limits of %s: %s\n", p.Title, p.Limits.Source)
	}
	return nil
}

// origin is where a setting comes from, in few letters.
func (a *app) origin(s accounts.Setting, e accounts.Entry) string {
	if s.From == e.Source {
		return "file"
	}
	return s.From
}

// readLogin is what is known of an OAuth 2 login, or why nothing is.
func (a *app) readLogin(ctx context.Context, store *accounts.Store, name string) (*loginReport, string) {
	key, err := store.Key()
	if variable, _ := a.lookupEnv("KAIZEN_PASSPHRASE"); err == nil && key.Kind == accounts.KeyPassphrase && variable == "" {
		return nil, " (tokens are encrypted with the passphrase)"
	}
	token, err := store.Token(ctx, name)
	switch {
	case err != nil:
		a.warn("%v", err)
		return nil, ""
	case token.IsZero():
		return nil, fmt.Sprintf(", not logged in: 'kaizen account login %s'", name)
	}
	e, err := store.Entry(name)
	if err != nil {
		return nil, ""
	}
	config := e.OAuthConfig()
	if complete, err := config.Complete(); err == nil && !token.Of(complete) {
		return nil, fmt.Sprintf(", logged in with other settings than now: 'kaizen account login %s'", name)
	}
	r := newLoginReport(token, config)
	return &r, ""
}
