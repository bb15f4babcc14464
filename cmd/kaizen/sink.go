package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const sinkLong = `Be a mail server that takes everything, counts it, and throws it away (or keeps
it, with --save). It never passes a message on.

It can be slow, strict and broken: a fault is PHASE:ACTION with conditions.
Phases: connect, greeting, ehlo, starttls, tls, auth, mail, rcpt, data, body@N
(after N octets), final (not accepted), after-final (accepted, the reply is
lost), rset, noop, quit, idle@DURATION. Actions: drop, reset, 421, stall, vanish,
delay=DURATION, drip=DURATION, extra, missing, oversize, reply=CODE TEXT.
Conditions: a share (0.01), an occurrence (5th), conn (count on each connection).

Statistics are printed as JSON at the end: after --exit-after messages, or on
Ctrl-C.`

const sinkExample = `  kaizen sink --listen 127.0.0.1:2525 --save ./mail
  kaizen sink --tls starttls --auth ann:secret --require-auth --write-ca ca.pem
  kaizen sink --latency 100ms --rate 10/1s --fault final:drop:0.01 --fault 'rcpt:reply=550 5.1.1 No such user:5th'`

// sinkFlags is the command line as it was written.
type sinkFlags struct {
	listen, tls, cert, key, writeCA string
	auth, mechanisms                []string
	requireAuth                     bool
	extensions                      []string
	latency, greetingDelay          time.Duration
	faults                          []string
	limits                          smtptest.Limits
	rate, save                      string
	exitAfter                       int64
	transcript                      bool
}

func newSinkCommand(app *app) *cobra.Command {
	var f sinkFlags
	cmd := &cobra.Command{
		Use:     "sink",
		Short:   "Be a mail server that counts messages and throws them away",
		Long:    sinkLong,
		Example: sinkExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := f.config(cmd.Flags().Changed)
			if err != nil {
				return &usageError{command: cmd.CommandPath(), err: err}
			}
			return f.run(cmd.Context(), app, config)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:2525", "address to listen on; other than loopback, anyone can connect")
	flags.StringVar(&f.tls, "tls", "none", "none, starttls or implicit")
	flags.StringVar(&f.cert, "cert", "", "certificate (PEM); default: one made now for localhost")
	flags.StringVar(&f.key, "key", "", "its private key (PEM)")
	flags.StringVar(&f.writeCA, "write-ca", "", "write the certificate that clients shall trust to this file")
	flags.StringArrayVar(&f.auth, "auth", nil, "offer a login to user:password (repeatable)")
	flags.StringSliceVar(&f.mechanisms, "auth-mechanisms", nil, "login mechanisms offered; default PLAIN,LOGIN")
	flags.BoolVar(&f.requireAuth, "require-auth", false, "refuse mail before a login")
	flags.StringSliceVar(&f.extensions, "extensions", nil, "EHLO keywords; default a modern set, none for none")
	flags.DurationVar(&f.latency, "latency", 0, "round trip of the link")
	flags.DurationVar(&f.greetingDelay, "greeting-delay", 0, "time before the greeting")
	flags.StringArrayVar(&f.faults, "fault", nil, "misbehave (repeatable)")
	flags.Int64Var(&f.limits.MaxSize, "max-size", 0, "octets of a message; default no limit")
	flags.IntVar(&f.limits.RecipientsPerMessage, "max-recipients", 0, "recipients of a message; default no limit")
	flags.IntVar(&f.limits.MessagesPerConnection, "max-messages", 0, "messages on a connection; default no limit")
	flags.IntVar(&f.limits.Connections, "max-connections", 0, "connections at once; default no limit")
	flags.StringVar(&f.rate, "rate", "none", "messages accepted in any window, as 10/1s")
	flags.StringVar(&f.save, "save", "", "keep messages in this folder, as Maildir")
	flags.Int64Var(&f.exitAfter, "exit-after", 0, "end after so many messages")
	flags.BoolVar(&f.transcript, "transcript", false, "show each dialogue on standard error at the end")
	return cmd
}

// config turns the flags into a server.
func (f *sinkFlags) config(changed func(string) bool) (smtptest.Config, error) {
	c := smtptest.Config{Addr: f.listen, Latency: f.latency, GreetingDelay: f.greetingDelay,
		Limits: f.limits, Maildir: f.save, CountOnly: !f.transcript, Transcripts: f.transcript}
	if err := f.checkCounts(); err != nil {
		return c, err
	}
	if changed("extensions") {
		c.Extensions = smtptest.NoExtensions()
		if len(f.extensions) != 1 || f.extensions[0] != "none" {
			c.Extensions = f.extensions
		}
	}
	for _, read := range []func(*smtptest.Config) error{f.readTLS, f.readAuth, f.readFaults, f.readRate} {
		if err := read(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (f *sinkFlags) checkCounts() error {
	l := &f.limits
	for _, c := range []struct {
		name  string
		value int64
	}{
		{"latency", int64(f.latency)}, {"greeting-delay", int64(f.greetingDelay)}, {"exit-after", f.exitAfter},
		{"max-size", l.MaxSize}, {"max-recipients", int64(l.RecipientsPerMessage)},
		{"max-messages", int64(l.MessagesPerConnection)}, {"max-connections", int64(l.Connections)},
	} {
		if c.value < 0 {
			return fmt.Errorf("--%s is negative", c.name)
		}
	}
	return nil
}

func (f *sinkFlags) readTLS(c *smtptest.Config) error {
	modes := map[string]smtptest.TLSMode{"none": smtptest.TLSNone, "starttls": smtptest.TLSStartTLS, "implicit": smtptest.TLSImplicit}
	mode, ok := modes[f.tls]
	if !ok {
		return fmt.Errorf("--tls %q is none of none, starttls, implicit", f.tls)
	}
	c.TLS = mode
	if mode == smtptest.TLSNone && (f.writeCA != "" || f.cert != "" || f.key != "") {
		return errors.New("a certificate needs --tls starttls or implicit")
	}
	if (f.cert == "") != (f.key == "") {
		return errors.New("--cert and --key go together")
	}
	if f.cert == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("--cert, --key: %w", err)
	}
	c.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
	return nil
}

func (f *sinkFlags) readAuth(c *smtptest.Config) error {
	if len(f.auth) == 0 {
		if f.requireAuth || len(f.mechanisms) > 0 {
			return errors.New("--require-auth or --auth-mechanisms needs --auth user:password")
		}
		return nil
	}
	c.Auth = &smtptest.Auth{Users: make(map[string]string), Required: f.requireAuth}
	for _, m := range f.mechanisms {
		c.Auth.Mechanisms = append(c.Auth.Mechanisms, strings.ToUpper(m))
	}
	for _, a := range f.auth {
		user, password, found := strings.Cut(a, ":")
		if !found || user == "" {
			return errors.New("--auth is not of the form user:password")
		}
		c.Auth.Users[user] = password
	}
	return nil
}

func (f *sinkFlags) readFaults(c *smtptest.Config) error {
	for _, text := range f.faults {
		fault, err := smtptest.ParseFault(text)
		if err != nil {
			return fmt.Errorf("--fault: %w", err)
		}
		c.Faults = append(c.Faults, fault)
	}
	return nil
}

func (f *sinkFlags) readRate(c *smtptest.Config) error {
	rates, err := kaizen.ParseRates(f.rate)
	if err != nil {
		return fmt.Errorf("--rate: %w", err)
	}
	if len(rates) > 1 {
		return errors.New("--rate takes one rate")
	}
	for _, r := range rates {
		c.Limits.Rate = smtptest.Rate{N: r.Count, Per: r.Per}
	}
	return nil
}
