package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

const benchLong = `Send many messages to a server and measure how that went.

Every message is delivered to --rcpt: use a server that throws messages away
(kaizen sink, for example), or one of your own. Against a server of
somebody else, keep a --rate that is agreed upon.

By default the octets are made once and sent again and again, all under one
Message-ID; with --compose each message is composed, text and HTML. Senders each
hand over a message and wait for the verdict before the next one. Ctrl-C stops
taking new messages and prints what was measured.

The URL may also come from the variable KAIZEN_SERVER, where other users of the
machine do not see the password.`

const benchExample = `  kaizen bench --server 'smtp://127.0.0.1:2525?tls=none' --messages 100000
  kaizen bench --server smtps://user:password@mail.example.net --rate 10/1s --messages 100
  kaizen bench --server 'smtp://127.0.0.1:2525?tls=none' --once --level lock-step --json`

// benchFlags is the command line as it was written.
type benchFlags struct {
	account, server       string
	messages, size        int
	connections, senders  int
	messagesPerConnection int
	rate                  string
	level                 smtp.Level
	from                  string
	rcpt                  []string
	compose, once, json   bool
	maxFailures           int
	metrics               metricsFlag
}

func newBenchCommand(app *app) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:     "bench --server URL",
		Short:   "Measure how fast a server takes messages",
		Long:    benchLong,
		Example: benchExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := f.target(app, cmd)
			if err != nil {
				return err
			}
			plan, err := f.plan(account, cmd.Flags().Changed)
			if err != nil {
				return &usageError{command: cmd.CommandPath(), err: err}
			}
			return app.bench(cmd.Context(), plan, &f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.account, "account", "", "the account called `NAME`, with its limits")
	flags.StringVar(&f.server, "server", "", "connection `URL` (default: the variable KAIZEN_SERVER)")
	flags.IntVar(&f.messages, "messages", 1000, "how many messages")
	flags.IntVar(&f.size, "size", 2048, "`octets` of a message")
	flags.IntVar(&f.connections, "connections", 0, "connections at once (default: the URL's, else 5)")
	flags.IntVar(&f.senders, "concurrency", 0, "messages handed over at once (default: 4 for each connection)")
	flags.IntVar(&f.messagesPerConnection, "messages-per-connection", 0, "then a new one (default: the URL's, else 100; -1: no limit)")
	flags.StringVar(&f.rate, "rate", "", "at most as many messages, as `N/DURATION` (10/1s), or none (default: the URL's, else none)")
	flags.TextVar(&f.level, "level", smtp.LevelAuto, "the highest `level` of grouping: auto, lock-step, group, look-ahead")
	flags.StringVar(&f.from, "from", "bench@example.com", "`address` of the sender")
	flags.StringSliceVar(&f.rcpt, "rcpt", []string{"bench@example.com"}, "`address` of the recipient, may be repeated")
	flags.BoolVar(&f.compose, "compose", false, "compose each message")
	flags.BoolVar(&f.once, "once", false, "a connection for each message, no pool")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.IntVar(&f.maxFailures, "max-failures", 5, "stop after as many messages that were not accepted")
	f.metrics.bind(flags)
	return cmd
}

var (
	errNoServer   = errors.New("--server or --account is required")
	errOnceLimits = errors.New("--once has no pool: it takes no --rate, --connections, --messages-per-connection or --metrics")
)

// target is the server. There is no default account here: nobody should load a
// provider for want of a flag.
func (f *benchFlags) target(app *app, cmd *cobra.Command) (kaizen.Account, error) {
	if f.account != "" {
		server := serverFlags{name: f.account, url: f.server}
		t, err := server.account(app, cmd)
		if err != nil {
			return kaizen.Account{}, err
		}
		if t.Limits.Rates == nil {
			t.Limits.Rates = []kaizen.Rate{{Count: 10, Per: time.Second}} // as for every account
		}
		return t.Account, nil
	}
	if f.server == "" {
		f.server, _ = app.lookupEnv("KAIZEN_SERVER")
	}
	if f.server == "" {
		return kaizen.Account{}, misuse(cmd, errNoServer)
	}
	a, err := kaizen.ParseURL(f.server)
	if err != nil {
		err = misuse(cmd, fmt.Errorf("--server: %w", err))
	}
	return a, err
}

// plan checks the flags; changed tells which of them were given.
func (f *benchFlags) plan(account kaizen.Account, changed func(name string) bool) (_ *benchPlan, err error) {
	if f.once && (changed("rate") || changed("connections") || changed("messages-per-connection") || f.metrics != "") {
		return nil, errOnceLimits
	}
	if err := f.checkCounts(changed); err != nil {
		return nil, err
	}
	if err := f.limit(&account); err != nil {
		return nil, err
	}
	p := &benchPlan{account: account, messages: f.messages, senders: f.senders, once: f.once, maxFailures: f.maxFailures}
	if p.senders == 0 {
		p.senders = 4 * account.Limits.Connections
	}
	p.senders = min(p.senders, p.messages)
	p.source, err = newBenchSource(f.from, f.rcpt, f.size, f.compose)
	return p, err
}

func (f *benchFlags) checkCounts(changed func(name string) bool) error {
	counts := []struct {
		name  string
		value int
	}{
		{"messages", f.messages}, {"size", f.size}, {"connections", f.connections},
		{"concurrency", f.senders}, {"max-failures", f.maxFailures},
	}
	for _, c := range counts {
		if c.value < 1 && (c.value < 0 || changed(c.name)) {
			return fmt.Errorf("--%s: %d is not a positive number", c.name, c.value)
		}
	}
	return nil
}

// limit completes the account: what a flag says goes before what the URL says.
func (f *benchFlags) limit(a *kaizen.Account) error {
	l := &a.Limits
	if f.connections != 0 {
		l.Connections = f.connections
	}
	if l.Connections == 0 {
		l.Connections = 5
	}
	if f.messagesPerConnection != 0 {
		l.MessagesPerConnection = f.messagesPerConnection
	}
	if f.level != smtp.LevelAuto {
		a.MaxLevel = f.level
	}
	if f.rate == "" && l.Rates == nil {
		l.Rates = kaizen.NoRate()
	}
	if f.rate != "" {
		rates, err := kaizen.ParseRates(f.rate)
		if err != nil {
			return fmt.Errorf("--rate: %w", err)
		}
		l.Rates = rates
	}
	return nil
}

// bench measures and prints, also what came about before an error.
func (a *app) bench(ctx context.Context, plan *benchPlan, f *benchFlags) error {
	plan.client = kaizen.New(kaizen.Config{})
	metrics, err := a.serveMetrics(f.metrics, plan.client)
	if err != nil {
		return err
	}
	result, failed := plan.run(ctx)
	failed = errors.Join(failed, metrics.close())
	if err := result.print(a.stdout, f.json); err != nil {
		return withCode(exitIO, fmt.Errorf("print the result: %w", err))
	}
	return failed
}
