package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/spf13/cobra"
)

const accountAddLong = `Add an account: find its server, try its login, and keep its password encrypted.

What no flag says is asked for, if standard input is a terminal. The server is
found by the provider's name ("kaizen account providers" lists 140), by the mail
address, or by what its domain publishes in DNS; --server names any other.

The password is asked for, read from standard input (--password-stdin) or from
KAIZEN_PASSWORD, and kept encrypted. Or it is left where it is: --password-file,
--password-env and --password-command say where to read it whenever it is needed.

The login is tried before anything is saved: if it fails, nothing is.

With --oauth, and for providers that take no password, the account is saved first and
then logged in with OAuth 2, as "kaizen account login" does; see its --help.`

const accountAddExample = `  kaizen account add
  kaizen account add --address ann@gmail.com
  kaizen account add --address shop@example.com --provider sendgrid --password-env SENDGRID_KEY
  kaizen account add --address ann@example.com --server smtps://mail.example.com --password-stdin < password
  kaizen account add --name test --server 'smtp://localhost:1025?tls=none' --no-verify`

// accountAdd is the command line as it was written, and what comes of it.
type accountAdd struct {
	app    *app
	cmd    *cobra.Command
	store  *accounts.Store
	person *terminal // nil if there is nobody to ask

	address, provider, server, username, name string
	wayFlags
	proxySecret                          secretFlags
	source                               secretFlags
	rates                                []string
	connections, messagesPerConnection   int
	clientID                             string
	oauth, standard, noVerify, yes, json bool
	transcript                           bool
	timeout                              time.Duration

	entry  accounts.Entry
	preset *accounts.Preset
	secret string // to be kept in secrets.age
}

func newAccountAddCommand(app *app) *cobra.Command {
	c := &accountAdd{app: app}
	cmd := &cobra.Command{
		Use:     "add",
		Short:   "Add an account: find its server, try its login, keep its password",
		Long:    accountAddLong,
		Example: accountAddExample,
		Args:    cobra.NoArgs,
		RunE:    c.run,
	}
	c.bind(cmd)
	return cmd
}

func (c *accountAdd) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&c.address, "address", "", "mail `ADDRESS` that you send from")
	flags.StringVar(&c.provider, "provider", "", "`NAME` of a provider: its server, login and limits are known")
	flags.StringVar(&c.server, "server", "", "server, as a `URL` (smtps://mail.example.com)")
	flags.StringVar(&c.username, "username", "", "user `NAME` of the login (default: what the provider wants, else the address)")
	flags.StringVar(&c.name, "name", "", "what to call the account (default: after the provider or the address)")
	c.source.bind(flags)
	flags.BoolVar(&c.oauth, "oauth", false, "log in with OAuth 2 instead of a password, in a browser")
	flags.StringVar(&c.clientID, "client-id", "", "`ID` of the OAuth 2 client that you registered with the provider (docs/oauth.md)")
	flags.StringArrayVar(&c.rates, "rate", nil, "at most as many messages, as `N/DURATION` (30/1m, 500/24h), or none; may be repeated")
	flags.IntVar(&c.connections, "connections", 0, "connections at once (default: the provider's limit, at most 5)")
	flags.IntVar(&c.messagesPerConnection, "messages-per-connection", 0, "then a new one (default: the provider's limit, at most 100)")
	c.wayFlags.bind(flags)
	flags.StringVar(&c.proxySecret.env, "proxy-password-env", "", "the password of the proxy is in the variable `NAME`")
	flags.StringVar(&c.proxySecret.file, "proxy-password-file", "", "the password of the proxy is in this `FILE`")
	flags.StringVar(&c.proxySecret.command, "proxy-password-command", "", "this `COMMAND` of the shell prints the password of the proxy")
	flags.BoolVar(&c.standard, "default", false, "make it the default account")
	flags.BoolVar(&c.noVerify, "no-verify", false, "save it without trying the login")
	flags.BoolVarP(&c.yes, "yes", "y", false, "take the server that DNS names without asking")
	flags.DurationVar(&c.timeout, "timeout", 0, "give up trying the login after this `DURATION`, like 30s")
	flags.BoolVar(&c.transcript, "transcript", false, "show the dialogue with the server on standard error")
	flags.BoolVar(&c.json, "json", false, "print JSON")
}

func (c *accountAdd) run(cmd *cobra.Command, _ []string) (err error) {
	c.cmd = cmd
	c.person, _ = c.app.terminal()
	if c.store, err = c.app.store(); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return misuse(cmd, err)
	}
	for _, step := range []func(context.Context) error{
		c.findAddress, c.findServer, c.explain, c.findUsername, c.limit, c.findName, c.findSecret, c.verify, c.save,
	} {
		if err := step(cmd.Context()); err != nil {
			return err
		}
	}
	if err := c.report(); err != nil {
		return err
	}
	return c.logIn(cmd.Context())
}

// check finds what is wrong with the flags before anything is asked.
func (c *accountAdd) check() error {
	if err := errors.Join(c.source.check(), c.takeServer()); err != nil {
		return err
	}
	if c.oauth = c.oauth || c.clientID != ""; c.oauth && c.source != (secretFlags{}) {
		return errors.New("with OAuth 2 there is no password: give --oauth or one of --password-…, not both")
	}
	if c.source.stdin {
		c.person = nil // it brings the password, not answers
	}
	if c.address != "" && !isAddress(c.address) {
		return fmt.Errorf("--address: %q is not a mail address like ann@example.com", c.address)
	}
	if c.connections < 0 || c.messagesPerConnection < -1 {
		return errors.New("--connections and --messages-per-connection are positive numbers")
	}
	if c.name == "" {
		return nil
	}
	return c.checkName(c.name)
}

func (c *accountAdd) checkName(name string) error {
	if err := accounts.CheckName(name); err != nil {
		return err
	}
	_, err := c.store.Entry(name)
	if err == nil {
		return fmt.Errorf("there is an account %q already: 'kaizen account set' and 'password' change it, or choose another --name", name)
	}
	if errors.Is(err, accounts.ErrNotFound) {
		return nil
	}
	return err
}

// findAddress asks for the address, which a server that was named can do
// without.
func (c *accountAdd) findAddress(ctx context.Context) (err error) {
	named := c.provider != "" || c.server != ""
	for c.address == "" && c.person != nil {
		if c.address, err = c.person.ask(ctx, "Mail address that you send from: "); err != nil {
			return err
		}
		if c.address == "" && named {
			break
		}
		if !isAddress(c.address) {
			c.person.say("An address is like ann@example.com.")
			c.address = ""
		}
	}
	if c.address == "" && !named {
		return misuse(c.cmd, errors.New("which account? Give --address, and --provider or --server if it is not enough"))
	}
	c.entry.Address = c.address
	return nil
}

// limit takes the limits that were given: what the provider allows holds without.
func (c *accountAdd) limit(context.Context) error {
	for _, r := range c.rates {
		if _, err := kaizen.ParseRates(r); err != nil {
			return misuse(c.cmd, fmt.Errorf("--rate: %w", err))
		}
	}
	if c.rates != nil {
		c.entry.Rates = c.rates
	}
	if c.connections != 0 {
		c.entry.Connections = c.connections
	}
	if c.messagesPerConnection != 0 {
		c.entry.MessagesPerConnection = c.messagesPerConnection
	}
	return nil
}

// findName suggests the provider, or else the domain, and the whole address
// where that is taken.
func (c *accountAdd) findName(ctx context.Context) (err error) {
	c.entry.Name = c.name
	for c.entry.Name == "" {
		standard := c.freeName()
		if c.person == nil {
			if standard == "" {
				return misuse(c.cmd, errors.New("what is the account to be called? Give --name"))
			}
			c.entry.Name = standard
			break
		}
		name, err := c.person.askOr(ctx, "Name of the account", standard)
		if err != nil {
			return err
		}
		if err := c.checkName(name); err != nil {
			c.person.say("%v", err)
			continue
		}
		c.entry.Name = name
	}
	return nil
}

func (c *accountAdd) freeName() string {
	for _, name := range []string{c.shortName(), c.address} {
		if name != "" && c.checkName(name) == nil {
			return name
		}
	}
	return ""
}

// save writes the account. The first one is the default, so that a second one
// does not take that away from the commands that rely on it.
func (c *accountAdd) save(ctx context.Context) error {
	names, err := c.store.Names()
	if err != nil {
		return err
	}
	if err := c.store.Add(ctx, c.entry, c.secret); err != nil {
		return err
	}
	if !c.standard && len(names) > 0 {
		return nil
	}
	err = c.store.SetDefault(ctx, c.entry.Name)
	if hand, ok := errors.AsType[*accounts.HandWrittenError](err); ok {
		c.app.warn("the account is saved, but not the default: %v", hand)
		return nil
	}
	return err
}

// findSecret finds out where the password is, or what it is.
func (c *accountAdd) findSecret(ctx context.Context) (err error) {
	if c.entry.UsesOAuth() {
		return nil // the login asks for what the client has
	}
	c.entry.Secret, err = c.source.source()
	if err != nil || c.entry.Secret.Kind != accounts.SecretStored || !c.logsIn() || c.secret != "" {
		return err
	}
	if c.source.stdin {
		c.secret, err = readSecret(c.app.stdin)
		return err
	}
	if c.secret, _ = c.app.lookupEnv("KAIZEN_PASSWORD"); c.secret != "" {
		return nil
	}
	if c.person == nil {
		return misuse(c.cmd, errors.New("the password? Give --password-stdin, --password-file, --password-env or --password-command, or set KAIZEN_PASSWORD (there is no terminal to ask on)"))
	}
	c.secret, err = c.person.secret(ctx, c.secretQuestion()+": ")
	if err == nil && c.secret == "" {
		err = withCode(exitConfig, errors.New("no password given; nothing was saved"))
	}
	return err
}

// readSecret takes the first line, as programs that keep passwords print them.
func readSecret(r io.Reader) (string, error) {
	const most = 64 << 10
	content, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return "", withCode(exitIO, fmt.Errorf("read the password: %w", err))
	}
	line, _, _ := strings.Cut(string(content), "\n")
	secret := withoutLineEnd(line)
	if secret == "" {
		return "", withCode(exitConfig, errors.New("--password-stdin: standard input is empty"))
	}
	return secret, nil
}
