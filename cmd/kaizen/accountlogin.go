package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/accounts/oauth"
	"github.com/spf13/cobra"
)

const accountLoginLong = `Log an account (the default account, if none is named) in with OAuth 2, at Google,
Microsoft or an authorization server of your own, instead of a password.

It needs a client id, which you register with the provider once (docs/oauth.md says
how): --client-id, or oauth.client_id in the settings. What the flags say is kept.

Ways to log in (--flow):
  code                a browser on this machine; the default
  device              a code to type in on any other device (Microsoft)
  client-credentials  no person: an application that its organisation trusts (Microsoft)
  service-account     no person: a key that may act for the mailbox (Google Workspace)

Tokens are kept encrypted and renewed by themselves. The login at the mail server is
tried afterwards; a success lets an account be used again that had stopped.`

const accountLoginExample = `  kaizen account login work --client-id 1234.apps.googleusercontent.com
  kaizen account login office --flow device --client-id 00000000-… --tenant example.com
  kaizen account login robot --flow service-account --key-file robot.json
  ssh -L 8123:127.0.0.1:8123 server kaizen account login work --no-browser --port 8123`

// accountLogin is the command line, and what comes of it.
type accountLogin struct {
	app    *app
	cmd    *cobra.Command
	store  *accounts.Store
	person *terminal // nil if there is nobody to ask

	flow, clientID, tenant, secretFile, keyFile string
	secretStdin, noBrowser, noVerify, json      bool
	port                                        int
	timeout                                     time.Duration

	entry  accounts.Entry
	before *accounts.Entry // as it was with a password
	secret string          // of the client, or the key of a service account; "": as it was
}

func newAccountLoginCommand(app *app) *cobra.Command {
	c := &accountLogin{app: app}
	cmd := &cobra.Command{
		Use:               "login [NAME]",
		Short:             "Log an account in with OAuth 2, in a browser",
		Long:              accountLoginLong,
		Example:           accountLoginExample,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: app.completeAccounts,
		RunE:              c.run,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&c.flow, "flow", "", "`WAY` to log in: code, device, client-credentials or service-account")
	flags.StringVar(&c.clientID, "client-id", "", "`ID` of the client that you registered with the provider")
	flags.BoolVar(&c.secretStdin, "client-secret-stdin", false, "read the client's secret from standard input, and keep it encrypted")
	flags.StringVar(&c.secretFile, "client-secret-file", "", "read the client's secret from `FILE` now, and keep it encrypted")
	flags.StringVar(&c.tenant, "tenant", "", "organisation at Microsoft, as its `ID` or domain (default: any)")
	flags.StringVar(&c.keyFile, "key-file", "", "read the JSON key of a service account from `FILE` now, and keep it encrypted")
	flags.BoolVar(&c.noBrowser, "no-browser", false, "print the address, and open no browser")
	flags.IntVar(&c.port, "port", 0, "`PORT` on 127.0.0.1 that the browser comes back to (default: a free one)")
	flags.DurationVar(&c.timeout, "timeout", 10*time.Minute, "give up after this `DURATION`")
	flags.BoolVar(&c.noVerify, "no-verify", false, "do not try the login at the mail server")
	flags.BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

func (c *accountLogin) run(cmd *cobra.Command, args []string) (err error) {
	c.cmd = cmd
	c.person, _ = c.app.terminal()
	if c.secretStdin {
		c.person = nil // it brings the secret, not answers
	}
	if c.store, c.entry, err = c.app.named(cmd, args); err != nil {
		return err
	}
	return c.login(cmd.Context())
}

func (c *accountLogin) login(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errNobodyCame)
	defer cancel()
	var token oauth.Token
	for _, step := range []func(context.Context) error{
		c.takeFlags, c.findClient, c.findSecret, c.save,
		func(ctx context.Context) (err error) { token, err = c.ask(ctx); return err },
		c.verify,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return c.report(token)
}

var errNobodyCame = withCode(exitTempFail, errors.New("nobody has logged in within --timeout"))

// takeFlags makes an account with a password one with OAuth, if it is known whom to
// ask.
func (c *accountLogin) takeFlags(context.Context) error {
	e := &c.entry
	before := e.UsesOAuth()
	for key, value := range map[string]string{"oauth.flow": c.flow, "oauth.client_id": c.clientID, "oauth.tenant": c.tenant} {
		if value == "" {
			continue
		}
		if err := e.Set(key, value); err != nil {
			return misuse(c.cmd, err)
		}
	}
	if c.keyFile != "" && c.flow == "" {
		e.OAuth.Flow = oauth.FlowServiceAccount
	}
	if !before {
		e.Secret = accounts.SecretSource{} // the password's: the client is not to have it
	}
	if !before && e.OAuth.Flow == "" {
		e.OAuth.Flow = oauth.FlowCode
	}
	if config := e.OAuthConfig(); config.Provider == "" && config.TokenURL == "" && e.OAuth.Flow != oauth.FlowServiceAccount {
		return withCode(exitConfig, fmt.Errorf("it is not known who gives out tokens for account %q: 'kaizen account set %s oauth.provider=google' (or microsoft), or oauth.auth_url=… oauth.token_url=… for another", e.Name, e.Name))
	}
	if _, err := e.Account(); err != nil {
		return err
	}
	return nil
}

// findClient asks for the client id where it is missing.
func (c *accountLogin) findClient(ctx context.Context) (err error) {
	e := &c.entry
	if e.OAuth.ClientID != "" || e.OAuth.Flow == oauth.FlowServiceAccount {
		return nil
	}
	missing := fmt.Sprintf("%s wants a client id, which you register there once (docs/oauth.md says how)", c.authority())
	if c.person == nil {
		return withCode(exitConfig, fmt.Errorf("%s: give --client-id, or 'kaizen account set %s oauth.client_id=…'", missing, e.Name))
	}
	c.person.say("%s.", missing)
	if e.OAuth.ClientID, err = c.person.ask(ctx, "Client id: "); err == nil && e.OAuth.ClientID == "" {
		err = withCode(exitConfig, errors.New("no client id given; nothing was changed"))
	}
	return err
}

// authority is who gives out the tokens, in words.
func (c *accountLogin) authority() string {
	config := c.entry.OAuthConfig()
	if p, ok := oauth.LookupProvider(config.Provider); ok {
		return p.Title
	}
	return "the authorization server"
}

// findSecret reads what is given, and asks where one is needed: Google's clients for
// desktops have a secret, too.
func (c *accountLogin) findSecret(ctx context.Context) (err error) {
	e := &c.entry
	switch {
	case c.secretStdin:
		c.secret, err = readSecret(c.app.stdin)
	case c.secretFile != "":
		c.secret, err = readSecretFile("--client-secret-file", c.secretFile)
	case c.keyFile != "":
		return c.readKey()
	case c.person == nil || e.Secret.Kind != accounts.SecretStored || e.OAuth.Flow == oauth.FlowServiceAccount || e.OAuth.Flow == oauth.FlowDevice:
	default:
		var known bool
		if known, err = c.store.HasSecret(ctx, e.Name); err == nil && (!known || c.clientID != "") {
			c.secret, err = c.person.secret(ctx, "Secret of the client (Enter if it has none): ")
		}
	}
	return err
}

func readSecretFile(flag, file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", withCode(exitNoInput, fmt.Errorf("%s: %w", flag, err))
	}
	secret := withoutLineEnd(string(content))
	if secret == "" {
		return "", withCode(exitConfig, fmt.Errorf("%s: %s is empty", flag, file))
	}
	return secret, nil
}

func (c *accountLogin) readKey() error {
	content, err := os.ReadFile(c.keyFile)
	if err != nil {
		return withCode(exitNoInput, fmt.Errorf("--key-file: %w", err))
	}
	key, err := oauth.CompactKey(content)
	if err != nil {
		return withCode(exitConfig, fmt.Errorf("--key-file: %s: %w", c.keyFile, err))
	}
	c.secret, c.entry.OAuth.KeyFile = string(key), ""
	return nil
}

// save keeps what was given, so that the next login needs nothing.
func (c *accountLogin) save(ctx context.Context) error {
	before, err := c.store.Entry(c.entry.Name)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(before.OAuth, c.entry.OAuth) {
		if err := c.store.Put(ctx, c.entry); err != nil {
			return err
		}
		if !before.UsesOAuth() {
			c.before = &before
		}
	}
	if c.secret == "" {
		return nil
	}
	return c.store.SetSecret(ctx, c.entry.Name, c.secret)
}

// ask lets the person log in. Everything that is said goes to standard error.
func (c *accountLogin) ask(ctx context.Context) (oauth.Token, error) {
	o := oauth.LoginOptions{Port: c.port, Show: c.show}
	if !c.noBrowser && c.person != nil {
		o.Open = openBrowser
	}
	token, err := c.store.Login(ctx, c.entry.Name, o)
	if err != nil && c.before != nil {
		c.undo(context.WithoutCancel(ctx))
	}
	if errors.Is(err, errNobodyCame) {
		return token, errNobodyCame
	}
	return token, err
}

// undo gives an account its password back, which may be good still.
func (c *accountLogin) undo(ctx context.Context) {
	if err := c.store.Put(ctx, *c.before); err != nil {
		c.app.warn("the account is set to OAuth 2, but nobody has logged in: %v", err)
		return
	}
	fmt.Fprintf(c.app.stderr, "Account %s goes on with its password.\n", c.entry.Name)
}

func (c *accountLogin) show(p oauth.Prompt) {
	if p.Code != "" {
		fmt.Fprintf(c.app.stderr, "Open this address on any device:\n\n  %s\n\nand type in the code:\n\n  %s\n\nWaiting …\n", printable(p.URL), printable(p.Code))
		return
	}
	fmt.Fprintf(c.app.stderr, "Open this address in a browser on this machine and log in as %s:\n\n  %s\n\nWaiting …\n", orDash(c.entry.Address), printable(p.URL))
}

// verify tries the token at the mail server, for all who share the state.
func (c *accountLogin) verify(ctx context.Context) error {
	if c.noVerify {
		return nil
	}
	client, err := c.app.client(true, nil)
	if err != nil {
		return err
	}
	err = client.Verify(ctx, kaizen.Account{Name: c.entry.Name})
	if closed := client.Close(); err == nil {
		err = closed
	}
	if err != nil {
		fmt.Fprintf(c.app.stderr, "%s gave a token, which is kept, but the mail server does not take it.\n", upperFirst(c.authority()))
	}
	return err
}

func (c *accountLogin) report(token oauth.Token) error {
	if c.json {
		return c.app.printJSON(map[string]any{"name": c.entry.Name, "verified": !c.noVerify, "login": newLoginReport(token, c.entry.OAuthConfig())})
	}
	row := func(name, value string) { fmt.Fprintf(c.app.stdout, "%-9s %s\n", name, value) }
	row("Login", fmt.Sprintf("%s is logged in with %s", c.entry.Name, c.authority()))
	newLoginReport(token, c.entry.OAuthConfig()).print(row)
	return nil
}
