package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

// jobReport is what queue show --json prints.
type jobReport struct {
	queue.Details
	Why kaizen.Why `json:"why"`
}

func newQueueShowCommand(app *app) *cobra.Command {
	var body, asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show everything about a job",
		Long: `Show everything about a job: recipients and what became of each, what it waits
for, and its history with the server's own words. --body prints the message
itself, octet for octet.`,
		Example: "  kaizen queue show 17\n  kaizen queue show 17 --body > message.eml\n  kaizen queue show 17 --json | jq .history",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil || len(ids) != 1 {
				return misuse(cmd, fmt.Errorf("one job, please: %w", err))
			}
			return app.withQueue(func(q *mailQueue) error {
				d, err := q.Get(cmd.Context(), q.now, ids[0])
				if err != nil {
					return err
				}
				if body {
					return app.printBody(&d)
				}
				return q.show(cmd, &d, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&body, "body", false, "print the message")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("body", "json")
	return cmd
}

func (a *app) printBody(d *queue.Details) error {
	if d.Body == nil {
		return withCode(exitNoInput, fmt.Errorf("job %s: %w", d.ID, queue.ErrBodyGone))
	}
	r, err := d.Body.Reader()
	if err != nil {
		return withCode(exitIO, fmt.Errorf("read the message: %w", err))
	}
	defer r.Close()
	_, err = io.Copy(a.stdout, r)
	return written(err)
}

func (q *mailQueue) show(cmd *cobra.Command, d *queue.Details, asJSON bool) error {
	s, err := q.situation(cmd.Context())
	if err != nil {
		return err
	}
	why := s.Job(d)
	if asJSON {
		return q.app.printJSON(jobReport{*d, why})
	}
	p := q.app.page()
	p.job(d, q.now)
	p.why(&why)
	p.times(d, q.now)
	p.recipients(d.Recipients)
	p.history(d.History)
	return p.err
}

func (p *page) job(d *queue.Details, now time.Time) {
	p.row("Job", "%s", d.ID)
	if d.Again != 0 {
		p.row("Repeats", "job %s", d.Again)
	}
	state := d.State.String()
	if d.Doubt {
		state += " (a server may have taken it in an earlier try)"
	}
	p.painted("State", stateColour(d.State), state)
	p.row("Account", "%s", printable(d.Lane))
	p.row("From", "%s", printable(orEmptyPath(d.Envelope.From)))
	p.row("Subject", "%s", flat(d.Subject))
	p.row("Message-ID", "%s", messageIDInWords(d.MessageID))
	size := octets(d.Size)
	if d.Body == nil {
		size += ", not kept any more"
	}
	p.row("Size", "%s", size)
	p.row("Tags", "%s", flat(strings.Join(d.Tags, ", ")))
	p.row("Key", "%s", printable(d.Key))
	p.row("Priority", "%s", d.Priority)
	p.row("If unknown", "%s", policyInWords(d.Unknown))
	if d.Durability != queue.Disk {
		p.row("Durability", "%s", d.Durability)
	}
	if d.Report {
		p.row("Report", "to the sender, if it fails or expires")
	}
}

func messageIDInWords(id string) string {
	if id == "" {
		return ""
	}
	return "<" + printable(id) + ">"
}

func orEmptyPath(address string) string {
	if address == "" {
		return "<>"
	}
	return address
}

func policyInWords(p queue.Policy) string {
	return map[queue.Policy]string{queue.Retry: "retry: sent again, it may arrive twice",
		queue.Hold: "hold: held until somebody decides", queue.Never: "never: not sent again, it may never arrive"}[p]
}

// why writes the sentence and what to do.
func (p *page) why(w *kaizen.Why) {
	p.row("Why", "%s", flat(w.Sentence))
	if w.Advice != "" {
		p.row("", "%s", "What to do: "+flat(w.Advice)+".")
	}
}

func (p *page) times(d *queue.Details, now time.Time) {
	p.row("Queued", "%s", moment(d.Created, now))
	if d.State.Finished() {
		p.row("Ended", "%s, after %s", moment(d.Ended, now), triesInWords(d.Attempts))
		return
	}
	if d.Due.After(d.Created) {
		p.row("Due", "%s", moment(d.Due, now))
	}
	if d.Expires.IsZero() {
		p.row("Expires", "never")
	} else {
		p.row("Expires", "%s", moment(d.Expires, now))
	}
	p.row("Tries", "%d", d.Attempts)
}

func triesInWords(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// shownRecipients is how many a page shows.
const shownRecipients = 20

func (p *page) recipients(to []queue.Recipient) {
	width := 0
	for i := range to[:min(len(to), shownRecipients)] {
		width = max(width, textWidth(to[i].Address))
	}
	for i := range to {
		if i == shownRecipients {
			p.row("", "and %d more; --json shows all", len(to)-i)
			return
		}
		r := &to[i]
		text := r.Address
		if r.State != queue.Queued || !r.Reply.IsZero() {
			text = padded(r.Address, width) + "  " + r.State.String() + "  " + replyWords(r.Reply)
		}
		p.painted([]string{"To", ""}[min(i, 1)], stateColour(r.State), strings.TrimRight(onOneLine(text), " "))
	}
}

func padded(s string, width int) string { return s + strings.Repeat(" ", max(width-textWidth(s), 0)) }

// onOneLine is printable, and keeps the spaces that make columns.
func onOneLine(s string) string {
	return printable(strings.NewReplacer("\r", "", "\n", " ").Replace(s))
}

func (p *page) history(entries []queue.Entry) {
	for i := range entries {
		p.row([]string{"History", ""}[min(i, 1)], "%s", entries[i].At.Local().Format(time.DateTime)+"  "+onOneLine(historyInWords(&entries[i])))
	}
}

func historyInWords(e *queue.Entry) string {
	text := e.Kind.String()
	if a := e.Attempt; a != nil {
		text += attemptInWords(a)
	}
	if e.State != 0 && e.State.String() != e.Kind.String() {
		text += ", now " + e.State.String()
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

func attemptInWords(a *queue.Attempt) string {
	text := ""
	if a.Account != "" {
		text += " with " + a.Account
	}
	if a.Server != "" {
		text += " at " + a.Server
	}
	if a.Duration > 0 {
		text += fmt.Sprintf(" for %s", inWords(a.Duration))
	}
	text += ": " + a.Outcome.String()
	switch {
	case !a.Reply.IsZero():
		text += ", " + a.Reply.String()
	case a.Error != "":
		text += ", " + a.Error
	}
	if a.Before != "" {
		text += " (before it: " + a.Before + ")"
	}
	return text
}
