package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/route"
	"github.com/spf13/cobra"
)

const queueWhyLong = `Say in one sentence what a job, or an account, waits for, and what to do about it.

What is a number is the ID of a job. The answer is the same while somebody delivers
and while nobody does.`

func newQueueWhyCommand(app *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "why ID|ACCOUNT",
		Short:             "Say what a job, or an account, waits for",
		Long:              queueWhyLong,
		Example:           "  kaizen queue why 17\n  kaizen queue why office",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: app.completeLanes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.withQueue(func(q *mailQueue) error {
				why, err := q.why(cmd, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return app.printJSON(why)
				}
				return app.printWhy(&why)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (q *mailQueue) why(cmd *cobra.Command, what string) (kaizen.Why, error) {
	ctx := cmd.Context()
	ids, err := parseIDs([]string{what})
	if err != nil || len(ids) != 1 {
		return q.whyAccount(cmd, what)
	}
	d, err := q.Get(ctx, q.now, ids[0])
	if err != nil {
		return kaizen.Why{}, err
	}
	s, err := q.situation(ctx)
	if err != nil {
		return kaizen.Why{}, err
	}
	return s.Job(&d), nil
}

func (q *mailQueue) whyAccount(cmd *cobra.Command, name string) (kaizen.Why, error) {
	s, err := q.situation(cmd.Context())
	if err != nil {
		return kaizen.Why{}, err
	}
	name, ok := q.account(s, name)
	if !ok {
		return kaizen.Why{}, misuse(cmd, fmt.Errorf("%q is neither a job's ID nor an account", name))
	}
	return s.Account(name), nil
}

// account finds an account that has jobs, or is configured.
func (q *mailQueue) account(s *kaizen.Situation, name string) (string, bool) {
	has := func(name string) bool {
		return slices.ContainsFunc(s.Stats.Lanes, func(l queue.Lane) bool { return l.Name == name })
	}
	if has(name) {
		return name, true
	}
	proper := q.app.properName(name)
	return proper, has(proper) || s.Known != nil && allKnown(proper, s.Known)
}

// allKnown reports whether all accounts of a chain are configured.
func allKnown(name string, known func(string) bool) bool {
	chain, err := route.ParseChain(name)
	return err == nil && !slices.ContainsFunc(chain, func(one string) bool { return !known(one) })
}

// accountNow is the account that an argument names.
func (q *mailQueue) accountNow(ctx context.Context, cmd *cobra.Command, name string) (string, error) {
	s, err := q.situation(ctx)
	if err != nil {
		return "", err
	}
	name, ok := q.account(s, name)
	if !ok {
		return "", misuse(cmd, fmt.Errorf("no account %s: it is not configured, and the queue has no jobs for it", name))
	}
	return name, queue.CheckLane(name)
}

func (a *app) printWhy(w *kaizen.Why) error {
	lines := []string{upperFirst(flat(w.Sentence)) + "."}
	if w.Advice != "" {
		lines = append(lines, "What to do: "+flat(w.Advice)+".")
	}
	_, err := fmt.Fprintln(a.stdout, strings.Join(a.statusView(false).wrap(lines, 2), "\n"))
	return written(err)
}
