package main

import (
	"errors"
	"fmt"

	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

// queueChange is a command that does something to jobs.
type queueChange struct {
	app     *app
	choice  queueChoice
	command queue.Command
	account string // of move
	json    bool
	done    string // in words: "cancelled"
}

// changeReport is what --json prints.
type changeReport struct {
	queue.Controlled
	Error *failure `json:"error,omitempty"`
}

// queueChanges are the commands that change jobs.
func queueChanges(app *app) []*cobra.Command {
	return []*cobra.Command{
		newQueueChange(app, queue.DoRetry, "will be tried at once", `Try jobs at once, whatever they wait for by themselves; held ones are released.

Of a finished job a new one is made for those recipients who were not accepted, if
it is named, or --state chooses it. A job whose outcome is unknown may arrive twice
then.`, "  kaizen queue retry 17\n  kaizen queue retry --state failed --since yesterday --reply 4.7"),
		newQueueChange(app, queue.DoCancel, "cancelled", "Take jobs back. One that is being sent already can not be taken back.",
			"  kaizen queue cancel 17 18\n  kaizen queue cancel --tag spring --reason 'wrong list'"),
		newQueueChange(app, queue.DoHold, "held", "Hold jobs until they are released.",
			"  kaizen queue hold 17\n  kaizen queue hold --to @example.org --reason 'ask Ann first'"),
		newQueueChange(app, queue.DoRelease, "released", "Release jobs that are held: somebody held them, or a server may have taken them and\nsomebody must decide.",
			"  kaizen queue release 17\n  kaizen queue release --unknown --account office"),
		newQueueMove(app),
		newQueueReprioritise(app),
	}
}

func newQueueChange(app *app, action queue.Action, done, long, example string) *cobra.Command {
	c := &queueChange{app: app, command: queue.Command{Action: action}, done: done}
	short := map[queue.Action]string{queue.DoRetry: "Try jobs at once, or send finished ones again", queue.DoCancel: "Take jobs back",
		queue.DoHold: "Hold jobs", queue.DoRelease: "Release held jobs"}[action]
	cmd := &cobra.Command{Use: action.String() + " [ID...]", Short: short, Long: long, Example: example, RunE: c.run}
	c.bind(cmd)
	return cmd
}

func (c *queueChange) bind(cmd *cobra.Command) {
	c.choice.bind(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.Flags().StringVar(&c.command.Reason, "reason", "", "why, in `WORDS`, for who looks later")
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
}

func newQueueMove(app *app) *cobra.Command {
	c := &queueChange{app: app, command: queue.Command{Action: queue.DoMove}}
	cmd := &cobra.Command{
		Use:     "move --to-account NAME [ID...]",
		Short:   "Send jobs with another account",
		Long:    "Send jobs with another account. Who they are from does not change; not every server\ntakes every sender.",
		Example: "  kaizen queue move --to-account backup --account office\n  kaizen queue move --to-account backup 17",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.toAccount(cmd); err != nil {
				return err
			}
			return c.run(cmd, args)
		},
	}
	cmd.Flags().StringVar(&c.account, "to-account", "", "the account called `NAME` sends them")
	c.bind(cmd)
	return cmd
}

// toAccount must be one that is configured: jobs do not get lost in a name.
func (c *queueChange) toAccount(cmd *cobra.Command) error {
	if c.account == "" {
		return misuse(cmd, errors.New("which account shall send them? Give --to-account NAME"))
	}
	chain, err := c.app.properChain(c.account)
	if notFound, ok := errors.AsType[*accounts.NotFoundError](err); ok {
		return misuse(cmd, notFound)
	}
	c.command.Lane, c.done = chain.String(), "moved to "+chain.String()
	return err
}

func newQueueReprioritise(app *app) *cobra.Command {
	c := &queueChange{app: app, command: queue.Command{Action: queue.DoReorder}}
	cmd := &cobra.Command{
		Use:     "reprioritise --priority urgent|high|normal|bulk [ID...]",
		Aliases: []string{"reprioritize"},
		Short:   "Change the priority of jobs",
		Long: `Change the priority of jobs. Urgent ones go before everything else of their account;
of the others the higher goes first, and every fourth turn belongs to one that waits
for more than ten minutes.`,
		Example: "  kaizen queue reprioritise --priority urgent 17",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("priority") {
				return misuse(cmd, errors.New("which priority? Give --priority urgent, high, normal or bulk"))
			}
			c.done = "given the priority " + c.command.Priority.String()
			return c.run(cmd, args)
		},
	}
	cmd.Flags().TextVar(&c.command.Priority, "priority", queue.Normal, "their `PRIORITY` from now on: urgent, high, normal or bulk")
	c.bind(cmd)
	return cmd
}

func (c *queueChange) run(cmd *cobra.Command, args []string) (err error) {
	if c.command.IDs, c.command.Filter, err = c.choice.choose(c.app, cmd, args); err != nil {
		return err
	}
	var did queue.Controlled
	err = c.app.withQueue(func(q *mailQueue) (err error) {
		did, err = q.Control(cmd.Context(), q.now, c.command)
		return err
	})
	if err == nil {
		err = refusals(did.Not)
	}
	if c.json {
		return errors.Join(err, c.app.printJSON(changeReport{did, failureOf(cmd.Context(), err)}))
	}
	return errors.Join(c.print(&did), err)
}

// namedJobs is how many jobs a line names.
const namedJobs = 10

func (c *queueChange) print(did *queue.Controlled) error {
	var repeats []string
	for i, id := range did.Repeated {
		if id != 0 && i < len(did.IDs) {
			repeats = append(repeats, fmt.Sprintf("job %s is sent again as job %s", did.IDs[i], id))
		}
	}
	if n := did.Changed - len(repeats); n > 0 || did.Changed == 0 && len(did.Not) == 0 {
		text := fmt.Sprintf("%s %s", plural(n, "job"), c.done)
		if n == 1 && len(did.IDs) == 1 {
			text = fmt.Sprintf("job %s %s", did.IDs[0], c.done)
		}
		if _, err := fmt.Fprintln(c.app.stdout, text); err != nil {
			return written(err)
		}
	}
	for i, text := range repeats {
		if i == namedJobs {
			text = fmt.Sprintf("and %d more; --json names all", len(repeats)-i)
		}
		if _, err := fmt.Fprintln(c.app.stdout, text); err != nil || i == namedJobs {
			return written(err)
		}
	}
	return nil
}

// refusals is the error if some jobs could not be changed.
func refusals(not []queue.Refusal) error {
	if len(not) == 0 {
		return nil
	}
	code := exitNoInput
	errs := make([]error, 0, len(not))
	for _, r := range not {
		if !is[*queue.NotFoundError](r.Err) {
			code = exitUnavailable
			errs = append(errs, fmt.Errorf("job %s: %w", r.ID, r.Err))
			continue
		}
		errs = append(errs, r.Err)
	}
	return withCode(code, errors.Join(errs...))
}
