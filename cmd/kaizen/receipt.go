package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// sendReport is what send --json prints. Both may be set: some recipients were
// accepted and others not.
type sendReport struct {
	Receipt *kaizen.Receipt `json:"receipt,omitempty"`
	Error   *failure        `json:"error,omitempty"`
}

// failure is an error with what a program needs to act on it.
type failure struct {
	Message  string   `json:"message"`
	ExitCode exitCode `json:"exit_code"`
	*wireFacts
}

type wireFacts struct {
	Temporary   bool                     `json:"temporary"`
	SafeToRetry bool                     `json:"safe_to_retry"`
	Recipients  []kaizen.RecipientResult `json:"recipients,omitempty"` // not accepted
	*smtp.Error
}

func failureOf(ctx context.Context, err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Message: err.Error(), ExitCode: exitCodeOf(ctx, err)}
	if e, ok := wireError(err); ok {
		f.wireFacts = &wireFacts{Temporary: e.Temporary() || f.ExitCode == exitTempFail, SafeToRetry: e.SafeToRetry(), Recipients: notAccepted(err), Error: e}
	}
	return f
}

// phase is where in a session it happened.
func (f *failure) phase() string {
	if f.wireFacts == nil {
		return "this end"
	}
	return f.Phase.String()
}

func notAccepted(err error) []kaizen.RecipientResult {
	if e, ok := errors.AsType[*kaizen.Error](err); ok {
		return e.Recipients
	}
	return nil
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return withCode(exitIO, fmt.Errorf("write the result: %w", err))
	}
	return nil
}

// printReceipt writes a line for each recipient and a few about the message.
func (a *app) printReceipt(r *kaizen.Receipt) {
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, to := range r.Recipients {
		fmt.Fprintf(table, "%s\t%s\t%s\n", a.paintOutcome(to.Outcome), to.Address, to.Reply)
	}
	_ = table.Flush()
	a.printParts(r)
	if r.MessageID != "" {
		fmt.Fprintf(a.stdout, "Message-ID   %s\n", r.MessageID)
	}
	for _, t := range r.Transactions {
		if t.LMTP {
			a.printQueueIDs(t)
		} else if t.QueueID != "" {
			fmt.Fprintf(a.stdout, "Queue ID     %s\n", t.QueueID)
		}
	}
	if len(r.Transactions) > 1 {
		fmt.Fprintf(a.stdout, "Transactions %d\n", len(r.Transactions))
	}
	a.printCosts(r)
}

// printQueueIDs writes what an LMTP server calls each recipient's copy.
func (a *app) printQueueIDs(t *smtp.Result) {
	for _, to := range t.Recipients {
		if to.QueueID != "" {
			fmt.Fprintf(a.stdout, "Queue ID     %s for %s\n", to.QueueID, to.Address)
		}
	}
}

func (a *app) printCosts(r *kaizen.Receipt) {
	if len(r.Transactions) == 0 {
		return
	}
	last := r.Transactions[len(r.Transactions)-1]
	fmt.Fprintf(a.stdout, "Server       %s\n", last.Server)
	fmt.Fprintf(a.stdout, "Size         %s\n", octets(last.Octets))
	if last.Level != smtp.LevelAuto { // else it was no server
		fmt.Fprintf(a.stdout, "Round trips  %d (%s)\n", r.RoundTrips(), last.Level)
	}
	took := inWords(r.Took)
	if r.Waited.ForRate > 0 {
		took += fmt.Sprintf(", of which %s waiting for the rate limit (%s)", inWords(r.Waited.ForRate), r.Waited.Rate)
	} else if r.Waited.Total > 0 {
		took += ", of which " + inWords(r.Waited.Total) + " until a connection was ready"
	}
	fmt.Fprintf(a.stdout, "Took         %s\n", took)
}

func (a *app) paintOutcome(o smtp.Outcome) string {
	colours := map[smtp.Outcome]string{smtp.Accepted: "32", smtp.Unknown: "33"}
	colour, ok := colours[o]
	if !ok {
		colour = "31"
	}
	return a.paint(a.stdout, colour, o.String())
}

func inWords(d time.Duration) string {
	if d >= 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// octets writes a size with three digits or so; 1 KB is 1,000 octets.
func octets(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d octets", n)
}
