package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

// onlySent are flags of kaizen send that have no meaning where nobody is connected to.
var onlySent = []string{"once", "password-file", "ca", "timeout", "transcript"}

// queuedReport is what send --queue --json prints.
type queuedReport struct {
	*queue.Receipt
	Account   string `json:"account,omitempty"`
	MessageID string `json:"message_id,omitempty"`
	// Parts are the jobs of a message that the rules send in several.
	Parts []kaizen.QueuedPart `json:"parts,omitempty"`
	Error *failure            `json:"error,omitempty"`
}

// enqueue puts the message into the queue.
func (s *sending) enqueue(cmd *cobra.Command) error {
	ctx := cmd.Context()
	var report queuedReport
	account, prepared, err := s.prepareForQueue(cmd)
	if err == nil {
		err = s.app.withQueue(func(q *mailQueue) error { return s.put(ctx, q, account, prepared, &report) })
	}
	if s.server.json {
		report.Error = failureOf(ctx, err)
		return errors.Join(err, s.app.printJSON(report))
	}
	return err
}

// prepareForQueue finds everything that could be wrong before there is a queue.
func (s *sending) prepareForQueue(cmd *cobra.Command) (account string, p *kaizen.Prepared, err error) {
	if err = s.message.check(cmd); err != nil {
		return "", nil, err
	}
	target, err := s.server.queueAccount(s.app, cmd)
	if err == nil {
		err = s.sender(cmd, target)
	}
	if err != nil {
		return "", nil, err
	}
	if p, err = s.message.prepare(cmd.Context(), s.app); err != nil {
		return "", nil, err
	}
	p.Priority = s.queue.priority
	return target.Name, p, nil
}

func (s *sending) put(ctx context.Context, q *mailQueue, account string, p *kaizen.Prepared, report *queuedReport) error {
	client, err := q.client()
	if err != nil {
		return err
	}
	parts, err := client.EnqueueAll(ctx, account, p, s.queue.options(s.key))
	if err = errors.Join(err, client.Close()); err != nil {
		return err
	}
	if report.MessageID = p.MessageID; len(parts) > 1 {
		report.Parts = parts
	} else {
		report.Receipt, report.Account = &parts[0].Receipt, parts[0].Account
	}
	if s.server.json {
		return nil
	}
	return s.printAll(ctx, q, parts)
}

// printAll tells of all jobs of a message, and how to look at them.
func (s *sending) printAll(ctx context.Context, q *mailQueue, parts []kaizen.QueuedPart) error {
	for i := range parts {
		if i > 0 {
			fmt.Fprintln(s.app.stdout)
		}
		if err := s.printQueued(ctx, q, &parts[i].Receipt); err != nil {
			return err
		}
	}
	return s.nextSteps(ctx, q, parts)
}

// printQueued tells of a job that was queued.
func (s *sending) printQueued(ctx context.Context, q *mailQueue, r *queue.Receipt) error {
	d, err := q.Get(ctx, q.now, r.ID)
	if err != nil {
		return err
	}
	p := s.app.page()
	p.row("Queued", "%s", queuedInWords(r))
	p.row("Account", "%s", printable(d.Lane))
	p.row("To", "%s", flat(addressesInWords(d.Recipients)))
	p.row("Message-ID", "%s", messageIDInWords(d.MessageID))
	if d.Due.After(d.Created) {
		p.row("Not before", "%s", moment(d.Due, q.now))
	}
	if !d.Expires.IsZero() {
		p.row("Expires", "%s", moment(d.Expires, q.now))
	}
	return p.err
}

func queuedInWords(r *queue.Receipt) string {
	text := "as job " + r.ID.String()
	if r.Existing {
		text += ", earlier, with the same key"
	}
	if r.Durability == queue.Memory {
		text += ", in memory: it is lost if a process is killed before it is on disk"
	}
	return text
}

func addressesInWords(to []queue.Recipient) string {
	var list []string
	for i := range to {
		if i == namedJobs {
			list = append(list, fmt.Sprintf("and %d more", len(to)-i))
			break
		}
		list = append(list, to[i].Address)
	}
	return strings.Join(list, ", ")
}

// nextSteps are for the person, not for a program.
func (s *sending) nextSteps(ctx context.Context, q *mailQueue, parts []kaizen.QueuedPart) error {
	stats, err := q.Stats(ctx, q.now)
	if err != nil {
		return err
	}
	if !stats.Delivering {
		fmt.Fprintln(s.app.stderr, "Nobody delivers now: 'kaizen queue run' sends what is queued.")
	}
	for _, part := range parts {
		fmt.Fprintf(s.app.stderr, "'kaizen queue show %s' shows it, 'kaizen queue cancel %s' takes it back.\n", part.ID, part.ID)
	}
	return nil
}

// client is one whose queue this is.
func (q *mailQueue) client() (*kaizen.Client, error) {
	config, err := q.app.clientConfig(true, q.app.logger())
	if err != nil {
		return nil, err
	}
	config.Queue = q.Store
	return kaizen.New(config), nil
}
