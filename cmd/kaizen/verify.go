package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/spf13/cobra"
)

const verifyLong = `Connect, log in, send nothing, and report what was found on the way.

` + serverHelp

const verifyExample = `  kaizen verify --server smtps://ann%40example.com@smtp.example.com
  kaizen verify --server smtp://smtp.example.com        # no login; STARTTLS is required
  KAIZEN_PASSWORD=… kaizen verify --json | jq .certificate.days_left
  kaizen verify --server smtp://ann@mail.internal --ca internal-ca.pem --transcript`

func newVerifyCommand(app *app) *cobra.Command {
	var flags serverFlags
	cmd := &cobra.Command{
		Use:     "verify",
		Short:   "Connect, log in, send nothing, and report what was found",
		Long:    verifyLong,
		Example: verifyExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.verify(app, cmd)
		},
	}
	flags.bind(cmd)
	return cmd
}

func (f *serverFlags) verify(app *app, cmd *cobra.Command) error {
	target, err := f.account(app, cmd)
	if err == nil {
		err = f.findPassword(cmd.Context(), app, target)
	}
	if err != nil {
		if f.json {
			_ = app.printJSON(serverReport{Error: failureOf(cmd.Context(), err)})
		}
		return err
	}
	ctx, cancel := f.within(cmd.Context())
	defer cancel()
	report, err := examineAll(ctx, &target.Account)
	if err == nil && target.logsIn() {
		err = app.lift(ctx, target.Account)
		report.Error = failureOf(cmd.Context(), err)
	}
	if f.json {
		if werr := app.printJSON(report); err == nil {
			err = werr
		}
		return err
	}
	app.printReport(report)
	for _, other := range report.Others {
		fmt.Fprintln(app.stdout)
		app.printReport(other)
	}
	return err
}

// examineAll examines every server of the account. The report is that of the first,
// with the others in it; the error is the first there is. Refused credentials are
// not tried at the next one.
func examineAll(ctx context.Context, a *kaizen.Account) (report *serverReport, err error) {
	if a.Mailer != nil {
		return examineMailer(ctx, a)
	}
	for i, s := range a.AllServers() {
		config := connection(a)
		if i > 0 {
			config.Socket, config.Host, config.Port, config.TLS = "", s.Host, s.Port, s.TLS
		}
		one, failed := examine(ctx, config)
		one.Error = failureOf(ctx, failed)
		if err == nil {
			err = failed
		}
		if i == 0 {
			report = one
		} else {
			report.Others = append(report.Others, one)
		}
		if errors.Is(failed, kaizen.ErrAuth) || ctx.Err() != nil {
			break
		}
	}
	return report, err
}

// examineMailer asks what stands in place of a server.
func examineMailer(ctx context.Context, a *kaizen.Account) (*serverReport, error) {
	client := kaizen.New(kaizen.Config{})
	err := errors.Join(client.Verify(ctx, *a), client.Close())
	return &serverReport{Server: a.Mailer.String(), Security: "no server: it takes messages on this machine", Error: failureOf(ctx, err)}, err
}

// examine goes as far as a connection gets. The report is set beside an error
// too: it then ends where the connection did.
func examine(ctx context.Context, config smtp.Config) (*serverReport, error) {
	seen := &sighting{}
	config.Trace = both(seen.trace(), config.Trace)
	report := &serverReport{Server: config.Address(), LMTP: config.LMTP, Security: security(config)}
	conn, err := smtp.Dial(ctx, config)
	if err != nil {
		seen.fill(report)
		return report, err
	}
	err = conn.Authenticate(ctx)
	seen.fill(report)
	report.fill(conn, config)
	if err != nil {
		return report, err
	}
	// The login worked; how the server takes the goodbye is no concern.
	_ = conn.Quit(ctx)
	return report, nil
}

// security tells how the link is to be secured, in words.
func security(c smtp.Config) string {
	socket := c.Socket != "" && c.TLS == smtp.TLSAuto
	implicit := c.TLS == smtp.TLSImplicit || c.TLS == smtp.TLSAuto && c.Port == 465 && !socket && !c.LMTP
	switch {
	case c.LMTP && c.TLS == smtp.TLSAuto && !socket:
		return "LMTP; STARTTLS, required, but not on this machine"
	case c.LMTP:
		c.LMTP = false
		return "LMTP; " + security(c)
	case implicit:
		return "TLS from the first octet"
	case c.TLS == smtp.TLSOpportunistic:
		return "STARTTLS if offered"
	case c.TLS == smtp.TLSNone || socket:
		return "no TLS"
	}
	return "STARTTLS, required"
}

// sendingLevel tells how messages will be sent over the connection.
func sendingLevel(conn *smtp.Conn, highest smtp.Level) string {
	switch level := conn.Level(); {
	case level == smtp.LevelLockStep && !conn.Capabilities().Pipelining:
		return "lock-step: one command at a time, for the server does not offer PIPELINING"
	case level == smtp.LevelLockStep:
		return "lock-step: one command at a time, as the settings ask"
	case level == smtp.LevelGroup && highest == smtp.LevelGroup:
		return "group: two round trips for a message, as the settings ask"
	case level == smtp.LevelGroup:
		return "group: two round trips for a message; look-ahead, one round trip, after three messages"
	default:
		return fmt.Sprintf("%s: one round trip for a message", level)
	}
}
