package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootLong = `Kaizen sends mail through your accounts: as fast as the wire allows, never
lost, and never knowingly sent twice.`

const rootExample = `  kaizen account add
  kaizen account test
  kaizen send --to bob@example.org --subject Hello --text 'How are you?'
  kaizen completion bash > /etc/bash_completion.d/kaizen`

// execute builds the commands and runs the one that args name.
func execute(ctx context.Context, app *app, args []string) error {
	ran := false
	root := newRootCommand(app)
	markRun(root, &ran)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !ran {
		// No command has begun, so it is the command line that is wrong.
		return &usageError{command: cmd.CommandPath(), err: err}
	}
	return err
}

func newRootCommand(app *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "kaizen",
		Short:         "Send mail: fast, never lost, never knowingly twice",
		Long:          rootLong,
		Example:       rootExample,
		Version:       programVersion().line(),
		Args:          noSuchCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(app.stderr)
			_ = cmd.Help()
			return &usageError{command: cmd.CommandPath(), err: errNoCommand}
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.SetIn(app.stdin)
	root.SetOut(app.stdout)
	root.SetErr(app.stderr)
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = false

	addGroup(root, "Mail", newSendCommand(app), newBulkCommand(app), newQueueCommand(app), newRouteCommand(app), newVerifyCommand(app), newAccountCommand(app))
	addGroup(root, "See and measure", newStatusCommand(app), newDemoCommand(app), newBenchCommand(app), newSinkCommand(app))
	const about = "About this program"
	addGroup(root, about, newVersionCommand(app))
	root.SetHelpCommandGroupID(about)
	root.SetCompletionCommandGroupID(about)
	completeFlags(app, root)
	return root
}

// flagError does not repeat what stands behind a letter that is no flag: other
// programs take a password as -pPASSWORD.
func flagError(err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() != "" {
		return fmt.Errorf("unknown flag: -%.1s", unknown.GetSpecifiedName())
	}
	return err
}

// addGroup adds commands under a heading of the help page.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, c := range commands {
		c.GroupID = title
	}
	root.AddCommand(commands...)
}

// markRun lets every command below c set *ran when its own work begins. Cobra
// returns its complaints about flags and arguments and a command's own errors
// alike; this tells them apart.
func markRun(c *cobra.Command, ran *bool) {
	if inner := c.RunE; inner != nil {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			*ran = true
			return inner(cmd, args)
		}
	}
	for _, child := range c.Commands() {
		markRun(child, ran)
	}
}

// noSuchCommand is the Args of a command that only holds others.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %q?", args[0], near[0])
	}
	return fmt.Errorf("unknown command %q", args[0])
}
