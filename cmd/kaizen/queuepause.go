package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/route"
	"github.com/spf13/cobra"
)

func newQueuePauseCommand(app *app) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "pause ACCOUNT",
		Short: "Send nothing more with an account",
		Long: `Send nothing more of the queue with an account, until it is resumed. What is being sent
at this moment is finished; messages can be queued as before.

Chains that the account is a part of go on with their other accounts. To stop one,
pause it by its own name: 'kaizen queue pause "office>backup"'.`,
		Example:           "  kaizen queue pause office --reason 'the server is moved'",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: app.completeLanes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.withQueue(func(q *mailQueue) error {
				name, err := q.accountNow(cmd.Context(), cmd, args[0])
				if err == nil {
					err = q.Pause(cmd.Context(), q.now, name, reason)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(app.stdout, "Account %s is paused; 'kaizen queue resume %s' lets it go on.\n", name, typed(name))
				return q.chainsAround(cmd.Context(), name)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, in `WORDS`, for who looks later")
	return cmd
}

// typed is the name of an account or a chain as a shell reads it.
func typed(name string) string {
	if route.IsChain(name) {
		return `"` + name + `"`
	}
	return name
}

// chainsAround tells of chains with jobs that go around a paused account.
func (q *mailQueue) chainsAround(ctx context.Context, account string) error {
	stats, err := q.Stats(ctx, q.now)
	for i := range stats.Lanes {
		l := &stats.Lanes[i]
		chain, wrong := route.ParseChain(l.Name)
		if n := l.Count[queue.Queued] + l.Count[queue.Active]; n > 0 && wrong == nil && len(chain) > 1 && slices.Contains(chain, account) {
			goes, them := "go", "them"
			if n == 1 {
				goes, them = "goes", "it"
			}
			fmt.Fprintf(q.app.stdout, "%s of %s %s around it; 'kaizen queue pause %s' stops %s too.\n", plural(n, "job"), printable(l.Name), goes, typed(l.Name), them)
		}
	}
	return err
}

func newQueueResumeCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:               "resume ACCOUNT",
		Short:             "End the pause of an account",
		Long:              "End the pause of an account that 'kaizen queue pause' began.",
		Example:           "  kaizen queue resume office",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: app.completeLanes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.withQueue(func(q *mailQueue) error {
				name, err := q.accountNow(cmd.Context(), cmd, args[0])
				if err == nil {
					err = q.Resume(cmd.Context(), q.now, name)
				}
				if err == nil {
					fmt.Fprintf(app.stdout, "Account %s goes on.\n", name)
				}
				return err
			})
		},
	}
}
