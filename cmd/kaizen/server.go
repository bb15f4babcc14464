package main

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/spf13/cobra"
)

// serverHelp is the part of a help page about the server and its login.
const serverHelp = `The server is that of an account ("kaizen account add" makes one): --account, or
the default account. Without accounts it is a URL (--server, KAIZEN_SERVER):
  smtps://user@smtp.example.com           TLS from the first octet, port 465
  smtp://user@smtp.example.com            STARTTLS, required, port 587
  smtp://localhost:1025?tls=none          no TLS, by explicit choice
  smtp://localhost?socket=/run/relay.sock a UNIX socket
  lmtp://mail.example.com                 LMTP, port 24
  maildir:///tmp/preview, eml:PREVIEW     a folder in place of a server
  sendmail:, sendmail:///usr/bin/msmtp    a sendmail command in place of a server
Percent-encode special characters of the user name (ann%40example.com).
An account has its password; that of a URL comes from --password-file, the URL,
KAIZEN_PASSWORD, or a prompt.`

// serverFlags are those of every command that speaks to a server.
type serverFlags struct {
	name         string // of an account
	url          string
	passwordFile string
	noSecret     bool // of an account of the files: it will not be used
	several      bool // the command can send through chains of accounts, and by rules
	wayFlags
	timeout    time.Duration
	transcript bool
	json       bool
}

func (f *serverFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.name, "account", "", "the account called `NAME` (default: the variable KAIZEN_ACCOUNT, else the default account)")
	flags.StringVar(&f.url, "server", "", "instead of an account: connection `URL` (default: the variable KAIZEN_SERVER)")
	f.bindCommon(cmd)
}

// bindCommon binds the flags that do not choose the server.
func (f *serverFlags) bindCommon(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.passwordFile, "password-file", "", "read the password from `FILE`")
	f.wayFlags.bind(flags)
	flags.DurationVar(&f.timeout, "timeout", 0, "give up after this `DURATION`, like 30s (default: each step has its own limit)")
	flags.BoolVar(&f.transcript, "transcript", false, "show the dialogue with the server on standard error")
	flags.BoolVar(&f.json, "json", false, "print JSON")
}

// within bounds ctx by --timeout.
func (f *serverFlags) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, f.timeout)
}

// connection is how package smtp reaches the account.
func connection(a *kaizen.Account) smtp.Config {
	c := smtp.Config{Host: a.Host, Port: a.Port, LMTP: a.LMTP, TLS: a.TLS, TLSConfig: a.TLSConfig, PinnedKeys: a.PinnedKeys,
		Socket: a.Socket, Proxy: a.Proxy, LocalAddress: a.LocalAddress, Auth: a.Auth, InsecureAuth: a.InsecureAuth,
		LocalName: a.LocalName, Timeouts: a.Timeouts, MaxLevel: a.MaxLevel, DialContext: a.DialContext, Trace: a.Trace}
	if c.Auth == nil && a.Username != "" {
		c.Auth = &smtp.Auth{Username: a.Username, Password: a.Password}
	}
	return c
}

// serverOf is the address of the account's server, or what stands in its place.
func serverOf(a *kaizen.Account) string {
	if a.Mailer != nil {
		return a.Mailer.String()
	}
	return connection(a).Address()
}

// misuse is a command line that cobra took and we cannot.
func misuse(cmd *cobra.Command, err error) error {
	return &usageError{command: cmd.CommandPath(), err: err}
}
