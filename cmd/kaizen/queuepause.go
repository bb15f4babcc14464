package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newQueuePauseCommand(app *app) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "pause ACCOUNT",
		Short: "Send nothing more with an account",
		Long: `Send nothing more of the queue with an account, until it is resumed. What is being sent
at this moment is finished; messages can be queued as before.`,
		Example:           "  kaizen queue pause office --reason 'the server is moved'",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: app.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.withQueue(func(q *mailQueue) error {
				name, err := q.accountNow(cmd.Context(), cmd, args[0])
				if err == nil {
					err = q.Pause(cmd.Context(), q.now, name, reason)
				}
				if err == nil {
					fmt.Fprintf(app.stdout, "Account %s is paused; 'kaizen queue resume %s' lets it go on.\n", name, name)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, in `WORDS`, for who looks later")
	return cmd
}

func newQueueResumeCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:               "resume ACCOUNT",
		Short:             "End the pause of an account",
		Long:              "End the pause of an account that 'kaizen queue pause' began.",
		Example:           "  kaizen queue resume office",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: app.completeAccounts,
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
