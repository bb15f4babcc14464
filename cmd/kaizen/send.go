package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/spf13/cobra"
)

const sendLong = `Send one message and print what the server answered.

` + serverHelp + `

` + routesHelp + `

The text is read from standard input unless --text, --html or --raw is given.

--queue puts the message into the queue instead: it is on disk when the command
ends, and 'kaizen queue run' sends it, tries again if need be, and remembers what
became of it.`

const sendExample = `  kaizen send --to bob@example.org --subject Hello --text 'How are you?'
  make 2>&1 | kaizen send --to 'Bob <bob@example.org>, eve@example.org' --subject Build
  kaizen send --to bob@example.org --subject Report --text @mail.txt --html @mail.html --attach report.pdf
  kaizen send --queue --at 'tomorrow 08:00' --to bob@example.org --subject Hello --text 'Good morning'
  kaizen send --raw message.eml --from '<>' --to bob@example.org
  kaizen send --server 'smtp://localhost:1025?tls=none' --from a@example.org --to b@example.org --text hi --transcript`

func newSendCommand(app *app) *cobra.Command {
	s := &sending{app: app, server: serverFlags{several: true}, queue: queueOptions{tagsAlone: true}}
	cmd := &cobra.Command{
		Use:     "send",
		Short:   "Send a message and print what the server answered",
		Long:    sendLong,
		Example: sendExample,
		Args:    cobra.NoArgs,
		RunE:    s.run,
	}
	s.message.bind(cmd)
	s.server.bind(cmd)
	s.queue.bind(cmd, queue.Normal)
	cmd.Flags().StringVar(&s.key, "key", "", "with --queue: a `WORD` that no other message of the account has: given again, it is not queued again")
	cmd.Flags().BoolVar(&s.once, "once", false, "no rate limit: connect, send, leave")
	return cmd
}

type sending struct {
	app     *app
	server  serverFlags
	message messageFlags
	queue   queueOptions
	key     string
	once    bool
}

func (s *sending) run(cmd *cobra.Command, _ []string) error {
	if err := s.queue.check(cmd, onlySent...); err != nil {
		return err
	}
	if s.queue.on {
		return s.enqueue(cmd)
	}
	receipt, err := s.send(cmd)
	if s.server.json {
		if werr := s.app.printJSON(sendReport{receipt, failureOf(cmd.Context(), err)}); werr != nil && err == nil {
			err = werr
		}
	} else if receipt != nil {
		s.app.printReceipt(receipt)
	}
	return err
}

func (s *sending) send(cmd *cobra.Command) (*kaizen.Receipt, error) {
	ctx := cmd.Context()
	if err := s.message.check(cmd); err != nil {
		return nil, err
	}
	target, err := s.server.account(s.app, cmd)
	if err != nil {
		return nil, err
	}
	if s.queue.tags != nil && !target.routed {
		return nil, misuse(cmd, errTagAlone)
	}
	if err := s.sender(cmd, target); err != nil {
		return nil, err
	}
	if err := s.server.findPassword(ctx, s.app, target); err != nil {
		return nil, err
	}
	prepared, err := s.message.prepare(ctx, s.app)
	if err != nil {
		return nil, err
	}
	prepared.Tags = s.queue.tags
	ctx, cancel := s.server.within(ctx)
	defer cancel()
	receipt, err := s.hand(ctx, target, prepared)
	return receipt, partly(receipt, err)
}

// sender completes --from.
func (s *sending) sender(cmd *cobra.Command, t *target) error {
	if s.message.from != "" || s.message.raw != "" {
		return nil
	}
	if s.message.from = t.from(); s.message.from == "" {
		return misuse(cmd, errors.New("who sends it? Give --from"))
	}
	return nil
}

// lateVerdict is how long to wait for the server's last word once --timeout or
// Ctrl-C has ended the sending.
const lateVerdict = 2 * time.Second

// hand gives the message to a client of its own, which also shows what the
// server says after we have given up.
func (s *sending) hand(ctx context.Context, t *target, p *kaizen.Prepared) (*kaizen.Receipt, error) {
	if s.once {
		t.Limits.Rates = kaizen.NoRate()
	}
	client, err := s.app.clientFor(t, &s.server.wayFlags, slog.New(verdicts{s.app.logger().Handler()}))
	if err != nil {
		return nil, err
	}
	receipt, err := client.Send(ctx, t.Account, p)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateVerdict)
	defer cancel()
	_ = client.Shutdown(grace) // that the goodbye failed changes nothing about the message
	return receipt, err
}

// verdicts logs what comes after the end and nobody else tells: late verdicts,
// which are no warnings. What is worth one is in the error of a single message.
type verdicts struct{ slog.Handler }

// Enabled is for information alone.
func (v verdicts) Enabled(_ context.Context, l slog.Level) bool { return l == slog.LevelInfo }

// partly marks a temporary failure beside a success: sending the same again
// would reach some recipients twice.
func partly(r *kaizen.Receipt, err error) error {
	e, ok := errors.AsType[*kaizen.Error](err)
	if ok && e.Temporary() && r != nil && r.Outcome == smtp.Accepted {
		return withCode(exitPartly, err)
	}
	return err
}
