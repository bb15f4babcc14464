package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/spf13/cobra"
)

const queueListExample = `  kaizen queue list --state waiting
  kaizen queue list --to bob@example.org --newest
  kaizen queue list --state failed --reply 5.7.1 --since yesterday
  kaizen queue list --unknown
  kaizen queue list --tag spring --json | jq -r '.jobs[].id'`

// queueListing is the command line of queue list.
type queueListing struct {
	app    *app
	filter queueFilter
	limit  int
	after  string
	newest bool
	json   bool
}

// queueList is what --json prints.
type queueList struct {
	Jobs []queue.Job `json:"jobs"`
	// More says that there are further ones, after the last of these.
	More bool `json:"more"`
}

func newQueueListCommand(app *app) *cobra.Command {
	l := &queueListing{app: app}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List jobs",
		Long:    "List jobs, the oldest first. Flags choose which; all that are given must match.",
		Example: queueListExample,
		Args:    cobra.NoArgs,
		RunE:    l.run,
	}
	l.filter.bind(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&l.newest, "newest", false, "the newest first")
	flags.IntVar(&l.limit, "limit", 100, "at most so `MANY`")
	flags.StringVar(&l.after, "after", "", "go on behind the job with this `ID`")
	flags.BoolVar(&l.json, "json", false, "print JSON")
	return cmd
}

func (l *queueListing) run(cmd *cobra.Command, _ []string) error {
	filter, err := l.filter.compile(l.app, time.Now())
	if err == nil && l.after != "" {
		filter.After, err = queue.ParseID(l.after)
	}
	if err == nil && l.limit < 1 {
		err = fmt.Errorf("--limit: %d is not a positive number", l.limit)
	}
	if err != nil {
		return misuse(cmd, err)
	}
	filter.Reverse, filter.Limit = l.newest, l.limit+1
	list := queueList{Jobs: []queue.Job{}}
	made, err := l.app.hasQueue()
	if err != nil {
		return err
	}
	if made {
		err = l.app.withQueue(func(q *mailQueue) (err error) {
			list.Jobs, err = q.List(cmd.Context(), q.now, filter)
			return err
		})
	}
	if err != nil {
		return err
	}
	if list.More = len(list.Jobs) > l.limit; list.More {
		list.Jobs = list.Jobs[:l.limit]
	}
	return l.print(&list)
}

func (l *queueListing) print(list *queueList) error {
	if l.json {
		return l.app.printJSON(list)
	}
	if len(list.Jobs) == 0 {
		fmt.Fprintln(l.app.stderr, "No jobs.")
		return nil
	}
	if err := l.app.printJobs(list.Jobs, time.Now()); err != nil {
		return err
	}
	if list.More {
		fmt.Fprintf(l.app.stderr, "There are more: --after %s goes on, --limit shows more.\n", list.Jobs[len(list.Jobs)-1].ID)
	}
	return nil
}

// printJobs writes a line for each.
func (a *app) printJobs(jobs []queue.Job, now time.Time) error {
	columns := []tableColumn{
		{title: "ID", right: true},
		{title: "STATE", colour: func(row int) string { return stateColour(jobs[row].State) }},
		{title: "ACCOUNT", least: 8, spare: 2},
		{title: "TO", least: 16},
		{title: "SUBJECT", least: 12, spare: 3},
		{title: "WHEN"},
		{title: "TRIES", right: true, spare: 1},
		{title: "LAST WORDS", least: 12},
	}
	rows := make([][]string, len(jobs))
	for i := range jobs {
		j := &jobs[i]
		rows[i] = []string{j.ID.String(), j.State.String(), printable(j.Lane), recipientsInShort(j.Recipients), orDash(flat(j.Subject)),
			whenOf(j, now), fmt.Sprint(j.Attempts), orDash(flat(lastWords(j)))}
	}
	return a.printTable(columns, rows)
}

func stateColour(s queue.State) string {
	switch s {
	case queue.Sent:
		return "32"
	case queue.Failed, queue.Expired:
		return "31"
	case queue.Held:
		return "33"
	case queue.Active:
		return "36"
	case queue.Cancelled:
		return "2"
	}
	return ""
}

func recipientsInShort(to []queue.Recipient) string {
	if len(to) == 0 {
		return nothing
	}
	if len(to) == 1 {
		return printable(to[0].Address)
	}
	return fmt.Sprintf("%s +%d", printable(to[0].Address), len(to)-1)
}

// whenOf is the time that matters: when it is due, or ended, or else was queued.
func whenOf(j *queue.Job, now time.Time) string {
	switch {
	case !j.Ended.IsZero():
		return relative(j.Ended, now)
	case j.State == queue.Queued && j.Due.After(now):
		return "due " + relative(j.Due, now)
	case j.State == queue.Queued && j.Due.After(j.Created):
		return "due " + relative(j.Due, now)
	}
	return relative(j.Created, now)
}

// lastWords are what was said of it last, by a server or by who holds it.
func lastWords(j *queue.Job) string {
	return cmp.Or(j.Reason, replyWords(j.Last))
}

func replyWords(r smtp.Reply) string {
	if r.IsZero() {
		return ""
	}
	return r.String()
}
