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
lost), rset, noop, quit, idle@DURATION, other (VRFY, HELP and the like). Actions:
drop, reset, 421, stall, vanish, delay=DURATION, drip=DURATION, extra, missing,
oversize, reply=CODE TEXT. Conditions: a share (0.01), an occurrence (5th), conn
(count on each connection), only=VERB, after=DURATION.

It can say what a provider would say (--profile; list describes them), and do
what Postfix's smtp-sink can: that one's letters are in brackets. Commands are
named as there: connect, helo, ehlo, mail, rcpt, data, . (the end of a content),
rset, noop, quit, vrfy; and auth, starttls.

Statistics are printed as JSON at the end: after --exit-after messages, or on
Ctrl-C.`

const sinkExample = `  kaizen sink --listen 127.0.0.1:2525 --save ./mail
  kaizen sink --tls starttls --auth ann:secret --require-auth --write-ca ca.pem
  kaizen sink --profile gmail --rate 20/1m
  kaizen sink --profile ses --rate 10/1s,4/1s@10m,20/1s@30m   # 4 after 10 minutes, 20 after 30
  kaizen sink --latency 100ms --rate 10/1s --fault final:drop:0.01 --fault 'rcpt:reply=550 5.1.1 No such user:5th'`

// sinkFlags is the command line as it was written.
type sinkFlags struct {
	listen, tls, cert, key, writeCA string
	certDays                        int
	auth, mechanisms                []string
	requireAuth, lmtp               bool
	extensions                      []string
	latency, greetingDelay          time.Duration
	faults                          []string
	limits                          smtptest.Limits
	rate, save                      string
	exitAfter                       int64
	transcript                      bool
	profile, quota                  string
	unknown                         []string
	vocabulary                      sinkVocabulary
	schedule                        []rateChange // read from rate
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
			if f.profile == "list" {
				return listProfiles(app.stdout)
			}
			config, err := f.config(cmd.Flags().Changed)
			if err != nil {
				return &usageError{command: cmd.CommandPath(), err: err}
			}
			return f.run(cmd.Context(), app, config)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "", "be like "+strings.Join(smtptest.Profiles(), ", ")+"; further flags change it; list describes them")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:2525", "address to listen on; other than loopback, anyone can connect")
	flags.StringVar(&f.tls, "tls", "none", "none, starttls or implicit; with --profile starttls")
	flags.BoolVar(&f.lmtp, "lmtp", false, "speak LMTP: a reply for each recipient behind a content")
	flags.StringVar(&f.cert, "cert", "", "certificate (PEM); default: one made now for localhost")
	flags.StringVar(&f.key, "key", "", "its private key (PEM)")
	flags.IntVar(&f.certDays, "cert-days", 0, "make a certificate that ends in so many `DAYS`; one that is negative has ended")
	flags.StringVar(&f.writeCA, "write-ca", "", "write the certificate that clients shall trust to this file")
	flags.StringArrayVar(&f.auth, "auth", nil, "offer a login to user:password (repeatable); with --profile, any login is taken otherwise")
	flags.StringSliceVar(&f.mechanisms, "auth-mechanisms", nil, "login mechanisms offered; default PLAIN,LOGIN")
	flags.BoolVar(&f.requireAuth, "require-auth", false, "refuse mail before a login")
	flags.StringSliceVar(&f.extensions, "extensions", nil, "EHLO keywords, also XCLIENT and XFORWARD; default a modern set, none for none")
	flags.DurationVar(&f.latency, "latency", 0, "round trip of the link")
	flags.DurationVar(&f.greetingDelay, "greeting-delay", 0, "time before the greeting")
	flags.StringArrayVar(&f.faults, "fault", nil, "misbehave (repeatable)")
	flags.Int64Var(&f.limits.MaxSize, "max-size", 0, "octets of a message; default no limit")
	flags.IntVar(&f.limits.RecipientsPerMessage, "max-recipients", 0, "recipients of a message; default no limit")
	flags.IntVar(&f.limits.MessagesPerConnection, "max-messages", 0, "messages on a connection; default no limit")
	flags.IntVar(&f.limits.Connections, "max-connections", 0, "connections at once; default no limit")
	flags.StringVar(&f.rate, "rate", "none", "messages accepted in any window, as 10/1s; changed while it runs by 10/1s,5/1s@1m,none@2m")
	flags.StringVar(&f.quota, "quota", "none", "and in another, longer one, as 500/24h")
	flags.StringSliceVar(&f.unknown, "unknown-recipient", nil, "refuse these recipients, or all @example.com")
	flags.StringVar(&f.save, "save", "", "keep messages in this folder, as Maildir [-d -D]")
	flags.Int64Var(&f.exitAfter, "exit-after", 0, "end after so many messages [-M]")
	flags.BoolVar(&f.transcript, "transcript", false, "show each dialogue on standard error at the end [-v]")
	f.vocabulary.define(cmd)
	return cmd
}

// config turns the flags into a server: what was given changes the profile.
func (f *sinkFlags) config(changed func(string) bool) (smtptest.Config, error) {
	var c smtptest.Config
	if err := f.checkCounts(); err != nil {
		return c, err
	}
	if f.profile != "" {
		var err error
		if c, err = smtptest.Profile(f.profile); err != nil {
			return c, fmt.Errorf("--profile: %w", err)
		}
	}
	c.Addr, c.Latency, c.GreetingDelay, c.Maildir = f.listen, f.latency, f.greetingDelay, f.save
	c.CountOnly, c.Transcripts = !f.transcript, f.transcript
	c.UnknownRecipients, c.LMTP = f.unknown, f.lmtp
	f.readLimits(&c, changed)
	if changed("extensions") {
		c.Extensions = smtptest.NoExtensions()
		if len(f.extensions) != 1 || f.extensions[0] != "none" {
			c.Extensions = f.extensions
		}
	}
	for _, read := range []func(*smtptest.Config, func(string) bool) error{f.readTLS, f.readAuth, f.readFaults, f.readRates, f.vocabulary.apply} {
		if err := read(&c, changed); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (f *sinkFlags) readLimits(c *smtptest.Config, changed func(string) bool) {
	if changed("max-size") {
		c.Limits.MaxSize = f.limits.MaxSize
	}
	if changed("max-recipients") {
		c.Limits.RecipientsPerMessage = f.limits.RecipientsPerMessage
	}
	if changed("max-messages") {
		c.Limits.MessagesPerConnection = f.limits.MessagesPerConnection
	}
	if changed("max-connections") {
		c.Limits.Connections = f.limits.Connections
	}
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

func (f *sinkFlags) readTLS(c *smtptest.Config, changed func(string) bool) error {
	modes := map[string]smtptest.TLSMode{"none": smtptest.TLSNone, "starttls": smtptest.TLSStartTLS, "implicit": smtptest.TLSImplicit}
	mode, ok := modes[f.tls]
	if !ok {
		return fmt.Errorf("--tls %q is none of none, starttls, implicit", f.tls)
	}
	if f.profile == "" || changed("tls") {
		c.TLS = mode
	}
	ends := changed("cert-days")
	if c.TLS == smtptest.TLSNone && (f.writeCA != "" || f.cert != "" || f.key != "" || ends) {
		return errors.New("a certificate needs --tls starttls or implicit")
	}
	if (f.cert == "") != (f.key == "") {
		return errors.New("--cert and --key go together")
	}
	if f.cert != "" && ends {
		return errors.New("--cert has its own end: not with --cert-days")
	}
	var pair tls.Certificate
	var err error
	switch {
	case ends:
		if pair, err = certificateFor(f.certDays, time.Now()); err != nil {
			return fmt.Errorf("--cert-days: %w", err)
		}
	case f.cert == "":
		return nil
	default:
		if pair, err = tls.LoadX509KeyPair(f.cert, f.key); err != nil {
			return fmt.Errorf("--cert, --key: %w", err)
		}
	}
	c.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
	return nil
}

func (f *sinkFlags) readAuth(c *smtptest.Config, changed func(string) bool) error {
	if len(f.auth) == 0 && c.Auth == nil {
		if f.requireAuth || len(f.mechanisms) > 0 {
			return errors.New("--require-auth or --auth-mechanisms needs --auth user:password")
		}
		return nil
	}
	if c.Auth == nil {
		c.Auth = new(smtptest.Auth)
	}
	if changed("require-auth") {
		c.Auth.Required = f.requireAuth
	}
	if changed("auth-mechanisms") {
		c.Auth.Mechanisms = strings.Split(strings.ToUpper(strings.Join(f.mechanisms, ",")), ",")
	}
	if len(f.auth) > 0 {
		c.Auth.AnySecret, c.Auth.Users = false, make(map[string]string)
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

func (f *sinkFlags) readFaults(c *smtptest.Config, _ func(string) bool) error {
	for _, text := range f.faults {
		fault, err := smtptest.ParseFault(text)
		if err != nil {
			return fmt.Errorf("--fault: %w", err)
		}
		c.Faults = append(c.Faults, fault)
	}
	return nil
}

func (f *sinkFlags) readRates(c *smtptest.Config, changed func(string) bool) error {
	first, changes, err := cutSchedule(f.rate)
	if err != nil {
		return err
	}
	if err := readRate("rate", first, changed, &c.Limits.Rate); err != nil {
		return err
	}
	if f.schedule, err = parseSchedule(changes, c.Limits.Rate); err != nil {
		return err
	}
	return readRate("quota", f.quota, changed, &c.Limits.Quota)
}

// readRate changes how much is allowed; what the server says beyond stays.
func readRate(flag, text string, changed func(string) bool, to *smtptest.Rate) error {
	rates, err := kaizen.ParseRates(text)
	if err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	if len(rates) > 1 {
		return fmt.Errorf("--%s takes one rate", flag)
	}
	if !changed(flag) {
		return nil
	}
	to.N = 0
	for _, r := range rates {
		to.N, to.Per = r.Count, r.Per
	}
	return nil
}
