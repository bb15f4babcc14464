package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/route"
	"github.com/spf13/cobra"
)

// routesHelp is the part of a help page about several accounts.
const routesHelp = `--account 'office>backup' (quote it: ">" means something to a shell) sends through
the first of several accounts that can. Where kaizen.toml has rules ([[routes]]) and
no account is named, they choose; 'kaizen route' tells what they would do.`

// several reports whether a message may go through several accounts: those of a
// chain, or those that the rules choose.
func (t *target) several() bool { return t.routed || route.IsChain(t.Name) }

// named is the account or the chain of that name.
func (f *serverFlags) named(app *app, cmd *cobra.Command, name string) (*target, error) {
	if !route.IsChain(name) {
		return f.fromFiles(cmd.Context(), app, name)
	}
	if !f.several {
		return nil, misuse(cmd, fmt.Errorf("%q is several accounts: this command takes one", name))
	}
	chain, err := app.properChain(name)
	if err != nil {
		return nil, err
	}
	t := &target{Account: kaizen.Account{Name: chain.String()}, kept: true, complete: true}
	t.sender, err = app.addressOf(chain[0])
	return t, err
}

// properChain is a chain with the names as the files have them. All must be there.
func (a *app) properChain(name string) (route.Chain, error) {
	chain, err := route.ParseChain(name)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	store, err := a.store()
	if err != nil {
		return nil, err
	}
	for i := range chain {
		e, err := store.Entry(chain[i])
		if err != nil {
			return nil, err
		}
		chain[i] = e.Name
	}
	return chain, nil
}

func (a *app) addressOf(account string) (string, error) {
	store, err := a.store()
	if err != nil {
		return "", err
	}
	e, err := store.Entry(account)
	return e.Address, err
}

// routed is what is sent by the rules of kaizen.toml; nil if there are none.
func (f *serverFlags) routed(app *app) (*target, error) {
	if !f.several {
		return nil, nil
	}
	store, err := app.store()
	if err != nil {
		return nil, err
	}
	table, err := store.Routes()
	if is[*accounts.NoDefaultError](err) {
		return nil, nil
	}
	if err != nil || len(table.Rules()) == 0 {
		return nil, err
	}
	t := &target{routed: true, kept: true, complete: true}
	if standard := table.Default(); standard != nil {
		t.sender, err = app.addressOf(standard[0])
	}
	return t, err
}

// shown names the target.
func (t *target) shown() string {
	if t.routed {
		return "the rules"
	}
	return t.Name
}

// clientFor is a client that sends to the target; flags say how its accounts are
// reached.
func (a *app) clientFor(t *target, flags *wayFlags, logger *slog.Logger) (*kaizen.Client, error) {
	config, err := a.clientConfig(t.kept, logger)
	if err != nil {
		return nil, err
	}
	if t.several() {
		config.Accounts = changedAccounts{config.Accounts, t, flags}
	}
	return kaizen.New(config), nil
}

// changedAccounts are accounts with what the command line says of all of them.
type changedAccounts struct {
	kaizen.AccountResolver
	target *target
	flags  *wayFlags
}

// Account finds one.
func (c changedAccounts) Account(ctx context.Context, name string) (kaizen.Account, error) {
	account, err := c.AccountResolver.Account(ctx, name)
	if err != nil {
		return account, err
	}
	if rates := c.target.Limits.Rates; rates != nil {
		account.Limits.Rates = rates
	}
	account.Trace = c.target.Trace
	return account, c.flags.apply(&account)
}

// Forget has a password_command run again.
func (c changedAccounts) Forget(name string) {
	if f, ok := c.AccountResolver.(interface{ Forget(name string) }); ok {
		f.Forget(name)
	}
}

// checkSeveral finds flags that go with one account alone.
func (f *serverFlags) checkSeveral(cmd *cobra.Command, t *target) error {
	if f.passwordFile != "" && t.several() {
		return misuse(cmd, fmt.Errorf("--password-file goes with one account, and this is %s: name one with --account", t.shown()))
	}
	return nil
}

// partsInWords tells what each of several accounts did.
func (a *app) printParts(r *kaizen.Receipt) {
	for i := range r.Parts {
		p := &r.Parts[i]
		fmt.Fprintf(a.stdout, "Account      %s\n", flat(partInWords(p, len(r.Recipients))))
	}
}

func partInWords(p *kaizen.ReceiptPart, all int) string {
	text := printable(p.Account)
	if n := len(p.Recipients); n < all {
		text += fmt.Sprintf(" for %s", plural(n, "recipient"))
	}
	if p.Rules != nil {
		text += " by " + rulesInWords(p.Rules)
	}
	if p.Err != nil {
		bare := *p.Err
		bare.Account, bare.Recipients = "", nil
		text += ": " + bare.Error()
	}
	return text
}

func rulesInWords(rules []string) string {
	if slices.Equal(rules, []string{route.DefaultRule}) {
		return "default: no rule matches"
	}
	words := make([]string, len(rules))
	for i, name := range rules {
		words[i] = printable(name)
		if !strings.HasPrefix(name, "rule ") {
			words[i] = `rule "` + words[i] + `"`
		}
	}
	return strings.Join(words, ", ")
}

// errTagAlone: a tag has no meaning where nothing is queued and nothing chosen.
var errTagAlone = errors.New("--tag goes with --queue, or where rules of kaizen.toml choose the account")
