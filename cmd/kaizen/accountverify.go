package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
)

// targetOf is the server of an entry, without its secret.
func targetOf(e accounts.Entry) (*target, error) {
	a, err := e.Account()
	if err != nil {
		return nil, err
	}
	t := &target{Account: a, sender: e.Address}
	t.preset, _ = accounts.LookupPreset(e.Provider)
	return t, nil
}

// verify tries the login. A mistyped password is asked for once more, not
// oftener: providers lock accounts.
func (c *accountAdd) verify(ctx context.Context) error {
	if c.noVerify || c.entry.UsesOAuth() {
		return nil
	}
	err := c.try(ctx)
	if errors.Is(err, kaizen.ErrAuth) && c.person != nil && c.entry.Secret.Kind == accounts.SecretStored {
		c.person.say("%s %v", c.app.red("The login was refused:"), err)
		again, askErr := c.person.secret(ctx, c.secretQuestion()+", once more (Enter gives up): ")
		if askErr != nil {
			return askErr
		}
		if again != "" {
			c.secret = again
			err = c.try(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(c.app.stderr, "Nothing was saved; --no-verify saves an account without trying it.")
	}
	return err
}

func (c *accountAdd) try(ctx context.Context) error {
	t, err := c.resolve(ctx)
	if err != nil {
		return err
	}
	if c.transcript {
		t.Trace = transcript(c.app.stderr)
	}
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	if t.Mailer == nil {
		c.tell("Trying the login at %s …", serversInShort(&t.Account))
	}
	_, err = examineAll(ctx, &t.Account)
	return err
}

// resolve completes the account as it will be. A secret that stays elsewhere is
// read as it will be read, by a store of its own that lasts as long as this.
func (c *accountAdd) resolve(ctx context.Context) (*target, error) {
	t, err := targetOf(c.entry)
	elsewhere := c.logsIn() && c.entry.Secret.Kind != accounts.SecretStored || c.entry.ProxySecret.Kind != accounts.SecretStored
	if err != nil || !c.logsIn() && !elsewhere {
		return t, err
	}
	if !elsewhere {
		t.setSecret(c.secret)
		return t, nil
	}
	dir, err := os.MkdirTemp("", "kaizen-account-")
	if err != nil {
		return nil, withCode(exitCantCreate, err)
	}
	defer os.RemoveAll(dir)
	trial, err := accounts.Open(accounts.Options{Dir: dir, LookupEnv: c.app.lookupEnv})
	if err != nil {
		return nil, err
	}
	if err := trial.Add(ctx, c.entry, ""); err != nil {
		return nil, err
	}
	if c.entry.Secret.Kind == accounts.SecretStored {
		t.Account, err = trial.AccountWith(ctx, c.entry.Name, c.secret)
	} else {
		t.Account, err = trial.Account(ctx, c.entry.Name)
	}
	return t, err
}

// report tells what there is now, and what to do with it.
func (c *accountAdd) report() error {
	e, err := c.store.Entry(c.entry.Name)
	if err != nil {
		return err
	}
	standard, _ := c.store.Default()
	if c.json {
		return c.app.printJSON(c.app.accountReport(e, standard, nil))
	}
	t, err := targetOf(e)
	if err != nil {
		return err
	}
	row := func(name, value string) { fmt.Fprintf(c.app.stdout, "%-9s %s\n", name, value) }
	row("Added", fmt.Sprintf("%s: %s", e.Name, serverInWords(e, t)))
	row("Settings", e.Source)
	if t.logsIn() && !e.UsesOAuth() {
		row("Password", map[bool]string{true: "encrypted, in "}[e.Secret.Kind == accounts.SecretStored]+e.Secret.String())
	}
	if standard == e.Name {
		row("Default", "yes: commands use it unless --account names another")
	}
	if e.UsesOAuth() {
		row("Next", "kaizen account login "+e.Name)
		return nil
	}
	to := e.Address
	if to == "" {
		to = "you@example.com"
	}
	row("Try", c.tryCommand(e, standard, to))
	return nil
}

func (c *accountAdd) tryCommand(e accounts.Entry, standard, to string) string {
	account := ""
	if standard != e.Name {
		account = " --account " + e.Name
	}
	from := ""
	if e.Address == "" {
		from = " --from you@example.com"
	}
	return fmt.Sprintf("kaizen send%s%s --to %s --subject Hello --text 'It works.'", account, from, to)
}

// serverInWords is the server, and who is behind it.
func serverInWords(e accounts.Entry, t *target) string {
	words := serverOf(&t.Account)
	if t.Mailer == nil {
		words += ", " + security(connection(&t.Account))
	}
	if t.preset != nil {
		words += " (" + t.preset.Title + ")"
	}
	if e.Address != "" {
		words = e.Address + " through " + words
	}
	return words
}
