package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const statusLong = `Show how the accounts are doing: those that are configured, and those that some
program on this machine sends with and keeps in the same state directory. Nobody
is connected to, and nothing is changed.

healthy    messages go out
degraded   messages go out, but slower than they could, or only some of them
down       no message goes out; the server is asked again by itself
stopped    the login was refused; nothing is tried until a person helps
idle       no program is sending with it

One account that is named gets a page of its own. The exit code is 69 if an
account that was asked for is down or stopped, else 0.`

const statusExample = `  kaizen status
  kaizen status --watch
  kaizen status work
  kaizen status --json | jq -r '.accounts[] | select(.condition != "healthy") | .name'
  kaizen status work >/dev/null || mail-the-admin`

// leastInterval is how often --watch looks at most: programs tell once a second.
const leastInterval = 100 * time.Millisecond

// statusFlags are the command line as it was written.
type statusFlags struct {
	watch    time.Duration // 0: look once
	json     bool
	stateDir string
}

func newStatusCommand(app *app) *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:               "status [ACCOUNT...]",
		Short:             "Show how the accounts are doing",
		Long:              statusLong,
		Example:           statusExample,
		ValidArgsFunction: app.completeEveryAccount,
		RunE: func(cmd *cobra.Command, args []string) error {
			source, err := f.source(app, cmd, args)
			if err == nil && f.watch > 0 {
				err = app.watchStatus(cmd.Context(), source, f.watch, f.json)
			} else if err == nil {
				err = app.status(source, f.json)
			}
			if source != nil {
				err = errors.Join(err, source.queue.close())
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.DurationVar(&f.watch, "watch", 0, "look again and again, every `INTERVAL`, like --watch=5s")
	flags.Lookup("watch").NoOptDefVal = "1s"
	flags.BoolVar(&f.json, "json", false, "print JSON; with --watch an object on each line")
	flags.StringVar(&f.stateDir, "state-dir", "", "the `FOLDER` to look at (default: the variable KAIZEN_STATE_DIR, else that of the user)")
	return cmd
}

// source is what to look at. Accounts that are named must be known to somebody.
func (f *statusFlags) source(app *app, cmd *cobra.Command, names []string) (*statusSource, error) {
	if cmd.Flags().Changed("watch") && f.watch < leastInterval {
		return nil, misuse(cmd, fmt.Errorf("--watch: %v is too short, at least %v", f.watch, leastInterval))
	}
	s := &statusSource{dir: f.stateDir}
	var err error
	if s.dir == "" {
		if s.dir, err = app.stateDir(); err != nil {
			return nil, err
		}
		if s.dir == noState {
			return nil, withCode(exitConfig, errors.New("KAIZEN_STATE_DIR is none: nothing is kept that could be shown; --state-dir names a folder to look at"))
		}
	}
	if s.store, err = app.store(); err != nil {
		return nil, err
	}
	s.queue = app.queueBeside(s.dir)
	all := s.look(time.Now())
	for _, name := range names {
		found := all.find(name)
		if found == nil {
			return s, misuse(cmd, unknownAccount(name, s.dir, f.watch > 0))
		}
		if !slices.Contains(s.names, found.Name) {
			s.names = append(s.names, found.Name)
		}
	}
	return s, nil
}

func unknownAccount(name, dir string, watch bool) error {
	if _, err := time.ParseDuration(name); err == nil && watch {
		return fmt.Errorf("no account %s: is it the interval? Write --watch=%s", name, name)
	}
	return fmt.Errorf("no account %s: it is not configured, and no program has used it with the state directory %s", name, dir)
}

// status looks once.
func (a *app) status(source *statusSource, asJSON bool) error {
	report := source.look(time.Now())
	if asJSON {
		if err := a.printJSON(report); err != nil {
			return err
		}
		return report.verdict()
	}
	if len(report.Accounts) == 0 && report.failed == nil {
		fmt.Fprintln(a.stderr, report.nobody())
		return nil
	}
	view := a.statusView(len(source.names) == 1)
	if _, err := fmt.Fprint(a.stdout, strings.Join(view.lines(report), "\n")+"\n"); err != nil {
		return withCode(exitIO, fmt.Errorf("write the result: %w", err))
	}
	return report.verdict()
}

// namesTold is how many accounts an error names.
const namesTold = 5

// verdict is the error if an account sends nothing, or something cannot be read.
func (r *statusReport) verdict() error {
	var names []string
	for i := range r.Accounts {
		if s := &r.Accounts[i]; s.serves() {
			continue
		} else if len(names) < namesTold {
			names = append(names, printable(s.Name)+" ("+s.Condition+")")
		} else if len(names) == namesTold {
			names = append(names, "…")
		}
	}
	if names == nil {
		return r.failed
	}
	return errors.Join(withCode(exitUnavailable, fmt.Errorf("nothing can be sent with %s", strings.Join(names, ", "))), r.failed)
}

// completeEveryAccount completes any number of accounts.
func (a *app) completeEveryAccount(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	left := slices.DeleteFunc(a.accountNames(), func(c cobra.Completion) bool {
		name, _, _ := strings.Cut(c, "\t")
		return slices.Contains(args, name)
	})
	return left, cobra.ShellCompDirectiveNoFileComp
}

// every calls f now and with each tick, until it fails or ctx ends.
func every(ctx context.Context, interval time.Duration, f func() error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := f(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
