package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

// purgePiece is how many jobs are forgotten in one transaction.
const purgePiece = 1000

func newQueuePurgeCommand(app *app) *cobra.Command {
	p := &queuePurge{app: app}
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Forget finished jobs",
		Long: `Forget jobs that were finished so long ago, with their history and content. Jobs that
wait are not touched. 'kaizen queue run' does so by itself, with the defaults.`,
		Example: "  kaizen queue purge --yes\n  kaizen queue purge --sent 1d --failed never --yes\n  kaizen queue purge --sent 0s --failed 0s --yes",
		Args:    cobra.NoArgs,
		RunE:    p.run,
	}
	p.sent, p.failed = lengthFlag{never: true}, lengthFlag{never: true}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&p.sent, "sent", "jobs that were sent longer than this `DURATION` ago, or never (default 7d)")
	flags.Var(&p.failed, "failed", "those that failed, expired or were cancelled longer than this `DURATION` ago, or never (default 30d)")
	flags.BoolVar(&p.yes, "yes", false, "do not ask")
	flags.BoolVar(&p.json, "json", false, "print JSON")
	return cmd
}

type queuePurge struct {
	app          *app
	sent, failed lengthFlag
	yes, json    bool
}

func (p *queuePurge) run(cmd *cobra.Command, _ []string) error {
	ctx := cmd.Context()
	if err := p.confirm(ctx, cmd); err != nil {
		return err
	}
	var total queue.Purged
	err := p.app.withQueue(func(q *mailQueue) (err error) {
		total, err = q.purge(ctx, queue.Retention{Sent: age(cmd, "sent", p.sent), Failed: age(cmd, "failed", p.failed)})
		return err
	})
	if err != nil {
		return err
	}
	if p.json {
		return p.app.printJSON(total)
	}
	_, err = fmt.Fprintf(p.app.stdout, "%s and %s forgotten\n", plural(total.Jobs, "job"), plural(total.Bodies, "content"))
	return written(err)
}

// age is the length that was given; 0 would be the default.
func age(cmd *cobra.Command, name string, f lengthFlag) time.Duration {
	if cmd.Flags().Changed(name) && f.length == 0 {
		return 1
	}
	return f.length
}

func (p *queuePurge) confirm(ctx context.Context, cmd *cobra.Command) error {
	if p.yes {
		return nil
	}
	person, ok := p.app.terminal()
	if !ok {
		return misuse(cmd, errors.New("give --yes: there is no terminal to ask on"))
	}
	yes, err := person.confirm(ctx, "Forget finished jobs for good?", false)
	if err == nil && !yes {
		err = errInterrupted
	}
	return err
}

func (q *mailQueue) purge(ctx context.Context, r queue.Retention) (total queue.Purged, err error) {
	for {
		done, err := q.Purge(ctx, q.now, r, purgePiece)
		total.Jobs += done.Jobs
		total.Bodies += done.Bodies
		if err != nil || done == (queue.Purged{}) {
			return total, err
		}
	}
}

func newQueueCheckCommand(app *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the queue for damage",
		Long: `Check the database, the content of every job, and that all counts are right. Nothing is
changed. The exit code is 74 if something is damaged.`,
		Example: "  kaizen queue check",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return app.withQueue(func(q *mailQueue) error { return q.check(cmd.Context(), asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newQueueBackupCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Copy the queue while it is in use",
		Long: `Make a complete copy of the queue in a new folder, while it is in use. The copy is a
queue itself: KAIZEN_QUEUE_DIR=FOLDER looks into it. To deliver from a copy sends
again what was sent after it was made.`,
		Example: "  kaizen queue backup /backup/queue-monday",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.withQueue(func(q *mailQueue) error {
				if err := q.Backup(cmd.Context(), args[0]); err != nil {
					return withCode(exitCantCreate, err)
				}
				_, err := fmt.Fprintf(app.stdout, "copied to %s\n", args[0])
				return written(err)
			})
		},
	}
}
