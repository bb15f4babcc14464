package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

// queueStats is what queue stats --json prints.
type queueStats struct {
	Dir         string      `json:"dir"`
	Delivering  bool        `json:"delivering"`
	DeliveredBy string      `json:"delivered_by,omitempty"`
	Accounts    []laneStats `json:"accounts"`
}

type laneStats struct {
	queue.Lane
	Why kaizen.Why `json:"why"`
}

func newQueueStatsCommand(app *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "stats",
		Short:   "Count jobs by account and state",
		Long:    "Count the jobs of each account, and say what they wait for.",
		Example: "  kaizen queue stats\n  kaizen queue stats --json | jq '[.accounts[].count.queued] | add'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stats, err := app.queueStats(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return app.printJSON(stats)
			}
			return app.printQueueStats(stats, time.Now())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) queueStats(ctx context.Context) (*queueStats, error) {
	stats := &queueStats{Accounts: []laneStats{}}
	made, err := a.hasQueue()
	if err != nil {
		return nil, err
	}
	if !made {
		stats.Dir, err = a.queueDir()
		return stats, err
	}
	return stats, a.withQueue(func(q *mailQueue) error {
		s, err := q.situation(ctx)
		if err != nil {
			return err
		}
		stats.Dir, stats.Delivering, stats.DeliveredBy = q.dir, s.Stats.Delivering, s.Stats.DeliveredBy
		for _, l := range s.Stats.Lanes {
			stats.Accounts = append(stats.Accounts, laneStats{l, s.Account(l.Name)})
		}
		return nil
	})
}

func (a *app) printQueueStats(s *queueStats, now time.Time) error {
	if len(s.Accounts) == 0 {
		fmt.Fprintf(a.stderr, "The queue in %s is empty. 'kaizen send --queue' puts a message into it.\n", s.Dir)
		return nil
	}
	columns := []tableColumn{{title: "ACCOUNT", least: 8}}
	for _, state := range queue.States() {
		columns = append(columns, tableColumn{title: strings.ToUpper(state.String()), right: true})
	}
	columns = append(columns, tableColumn{title: "OLDEST DUE"})
	rows := make([][]string, len(s.Accounts))
	for i := range s.Accounts {
		l := &s.Accounts[i]
		rows[i] = []string{printable(l.Name)}
		for _, state := range queue.States() {
			rows[i] = append(rows[i], fmt.Sprint(l.Count[state]))
		}
		rows[i] = append(rows[i], dueInShort(&l.Lane, now))
	}
	if err := a.printTable(columns, rows); err != nil {
		return err
	}
	return a.printLaneNotes(s)
}

// dueInShort is since when the oldest job waits that could go.
func dueInShort(l *queue.Lane, now time.Time) string {
	switch {
	case !l.Oldest.IsZero():
		return relative(l.Oldest, now)
	case !l.Next.IsZero():
		return relative(l.Next, now)
	}
	return nothing
}

// printLaneNotes says what each account waits for, and who delivers.
func (a *app) printLaneNotes(s *queueStats) error {
	p := a.page()
	p.row("\n"+padded("Delivering", pageName), "%s", deliveringInWords(s))
	name := "Waits"
	for i := range s.Accounts {
		if w := &s.Accounts[i].Why; w.Code != kaizen.WhyNothing && w.Code != kaizen.WhyNoDelivery {
			p.row(name, "%s", flat(w.Sentence))
			name = ""
			if w.Advice != "" {
				p.row("", "%s", "  What to do: "+flat(w.Advice)+".")
			}
		}
	}
	return p.err
}

func deliveringInWords(s *queueStats) string {
	switch {
	case !s.Delivering:
		return "nobody; 'kaizen queue run' does"
	case s.DeliveredBy == "":
		return "yes"
	}
	return flat(s.DeliveredBy)
}
