package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/route"
	"github.com/spf13/cobra"
)

// queueFilter are the flags that choose jobs.
type queueFilter struct {
	states       []string
	since, until string
	filter       queue.Filter
}

// filterFlags are the names of those that choose.
var filterFlags = []string{"state", "account", "to", "from", "subject", "tag", "reply", "key", "message-id", "since", "until", "unknown"}

func (f *queueFilter) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&f.states, "state", nil, "jobs in these `STATES`: "+stateList()+", or waiting (the first three)")
	flags.StringVar(&f.filter.Lane, "account", "", "jobs of the account called `NAME`")
	flags.StringVar(&f.filter.Recipient, "to", "", "jobs to an address that has this `TEXT` in it")
	flags.StringVar(&f.filter.Sender, "from", "", "jobs from an address that has this `TEXT` in it")
	flags.StringVar(&f.filter.Subject, "subject", "", "jobs with this `TEXT` in their subject")
	flags.StringVar(&f.filter.Tag, "tag", "", "jobs with this `TAG`")
	flags.StringVar(&f.filter.Reply, "reply", "", "jobs whose last reply, or reason, has this `TEXT` in it")
	flags.StringVar(&f.filter.Key, "key", "", "the job queued with this `KEY`")
	flags.StringVar(&f.filter.MessageID, "message-id", "", "jobs with this `MESSAGE-ID`")
	flags.StringVar(&f.since, "since", "", "jobs queued at this `TIME` or later, like 2h (ago), yesterday or 2026-05-04")
	flags.StringVar(&f.until, "until", "", "jobs queued before this `TIME`")
	flags.BoolVar(&f.filter.Doubt, "unknown", false, "jobs that a server may have taken: the outcome of a try is unknown")
}

func stateList() string {
	var names []string
	for _, s := range queue.States() {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}

// compile reads the flags.
func (f *queueFilter) compile(app *app, now time.Time) (queue.Filter, error) {
	filter := f.filter
	filter.Lane = app.properName(filter.Lane)
	filter.MessageID = strings.TrimSuffix(strings.TrimPrefix(filter.MessageID, "<"), ">")
	for _, name := range f.states {
		states, err := statesOf(strings.TrimSpace(name))
		if err != nil {
			return filter, fmt.Errorf("--state: %w", err)
		}
		filter.States = append(filter.States, states...)
	}
	var err error
	if f.since != "" {
		if filter.Since, err = parseMoment(f.since, now, false); err != nil {
			return filter, fmt.Errorf("--since: %w", err)
		}
	}
	if f.until != "" {
		if filter.Until, err = parseMoment(f.until, now, false); err != nil {
			return filter, fmt.Errorf("--until: %w", err)
		}
	}
	return filter, nil
}

// properName is an account's name as the files have it, whatever the case; of a
// chain, those of all.
func (a *app) properName(name string) string {
	if chain, err := route.ParseChain(name); err == nil && len(chain) > 1 {
		for i := range chain {
			chain[i] = a.properName(chain[i])
		}
		return chain.String()
	}
	store, err := a.store()
	if name == "" || err != nil {
		return name
	}
	entries, err := store.Entries()
	if err != nil {
		return name
	}
	for _, e := range entries {
		if strings.EqualFold(e.Name, name) {
			return e.Name
		}
	}
	return name
}

// statesOf are those that a word means.
func statesOf(word string) ([]queue.State, error) {
	switch word {
	case "waiting":
		return []queue.State{queue.Queued, queue.Active, queue.Held}, nil
	case "finished":
		return []queue.State{queue.Sent, queue.Failed, queue.Expired, queue.Cancelled}, nil
	}
	var s queue.State
	err := s.UnmarshalText([]byte(word))
	return []queue.State{s}, err
}

// given reports whether any flag chooses.
func (f *queueFilter) given(cmd *cobra.Command) bool {
	for _, name := range filterFlags {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Changed {
			return true
		}
	}
	return false
}

// parseIDs reads the jobs that arguments name: "17", "#17", "17,18".
func parseIDs(args []string) (ids []queue.ID, err error) {
	for _, arg := range args {
		for _, s := range strings.Split(arg, ",") {
			id, err := queue.ParseID(strings.TrimPrefix(s, "#"))
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// queueChoice is which jobs a command is about: those it names, or those that the
// filter chooses; all only if that is said.
type queueChoice struct {
	queueFilter
	all bool
}

func (c *queueChoice) bind(cmd *cobra.Command) {
	c.queueFilter.bind(cmd)
	cmd.Flags().BoolVar(&c.all, "all", false, "all jobs, where no other flag chooses")
}

// choose reads arguments and flags.
func (c *queueChoice) choose(app *app, cmd *cobra.Command, args []string) (ids []queue.ID, filter queue.Filter, err error) {
	given := c.given(cmd)
	switch {
	case len(args) > 0 && (given || c.all):
		err = errors.New("name jobs, or choose them by flags, not both")
	case given && c.all:
		err = errors.New("--all is for when no other flag chooses")
	case len(args) == 0 && !given && !c.all:
		err = errors.New("which jobs? Give their IDs, or flags like --account and --tag, or --all")
	case len(args) > 0:
		ids, err = parseIDs(args)
	default:
		filter, err = c.compile(app, time.Now())
	}
	if err != nil {
		err = misuse(cmd, err)
	}
	return ids, filter, err
}
