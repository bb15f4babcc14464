package main

import (
	"github.com/spf13/cobra"
)

const queueLong = `The queue: messages that wait on disk to be sent.

"kaizen send --queue" and "kaizen bulk --queue" put messages into it, "queue run"
sends them. All other commands look and change, whether somebody delivers at that
time or not.

queued     it waits: for its time, for its turn, or for the next try
active     it is being sent
held       it waits until somebody releases it
sent       every recipient was accepted
failed     a recipient was refused for good, or nobody knows
expired    its time was over
cancelled  somebody took it back

The queue is in the folder KAIZEN_QUEUE_DIR, by default "queue" in the state
directory. docs/queue.md describes it.`

const queueExample = `  kaizen send --queue --to bob@example.org --subject Hello --text 'How are you?'
  kaizen queue run
  kaizen queue list --state waiting
  kaizen queue why 17
  kaizen queue cancel --tag spring --state queued`

func newQueueCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "queue",
		Short:   "Send what is queued; look at it and change it",
		Long:    queueLong,
		Example: queueExample,
		Args:    noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(app.stderr)
			_ = cmd.Help()
			return misuse(cmd, errNoCommand)
		},
	}
	addGroup(cmd, "Send", newQueueRunCommand(app))
	addGroup(cmd, "Look", newQueueListCommand(app), newQueueShowCommand(app), newQueueWhyCommand(app), newQueueStatsCommand(app), newQueueExportCommand(app))
	addGroup(cmd, "Change", queueChanges(app)...)
	addGroup(cmd, "Accounts", newQueuePauseCommand(app), newQueueResumeCommand(app))
	addGroup(cmd, "Keep", newQueuePurgeCommand(app), newQueueCheckCommand(app), newQueueBackupCommand(app))
	return cmd
}
