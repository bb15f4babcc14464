package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
)

// resume lets an account be used again that has stopped: one of the files by its
// name, or one that a URL tells.
func (a *app) resume(ctx context.Context, account kaizen.Account) error {
	client, err := a.client(account.Host == "" && account.Socket == "" && account.Mailer == nil, nil)
	if err != nil {
		return err
	}
	err = client.Resume(ctx, account)
	if closed := client.Close(); err == nil {
		err = closed
	}
	return err
}

// lift does so after a login has worked, if the account has stopped at all.
func (a *app) lift(ctx context.Context, account kaizen.Account) error {
	name := strings.TrimPrefix(fmt.Sprint(account), "account ")
	status := a.statuses()[name]
	if status == nil || !status.Health.Stopped() {
		return nil
	}
	if err := a.resume(ctx, account); err != nil {
		return fmt.Errorf("the login works, but the account is still stopped: %w", err)
	}
	fmt.Fprintf(a.stderr, "Account %s had stopped; it is used again.\n", name)
	return nil
}

// refused is the name of the account of the files that err is about, if its login
// was refused, now or before.
func (a *app) refused(err error) string {
	e, ok := errors.AsType[*kaizen.Error](err)
	if !ok || e.Class != kaizen.ErrAuth {
		return ""
	}
	if store, err := a.store(); err == nil {
		if _, err := store.Entry(e.Account); err == nil {
			return e.Account
		}
	}
	return ""
}

// statuses are what clients have left in the state directory, by account. That it
// cannot be read is told by those who send.
func (a *app) statuses() map[string]*kaizen.Status {
	byName := map[string]*kaizen.Status{}
	dir, err := a.stateDir()
	if err != nil {
		return byName
	}
	all, err := kaizen.ReadStatus(dir)
	if err != nil {
		a.warn("%v", err)
	}
	for i := range all {
		byName[all[i].Account] = &all[i]
	}
	return byName
}

// stateInWords is how an account is doing, in as few words as a table has room for.
func stateInWords(s *kaizen.Status) string {
	if s == nil {
		return "ready"
	}
	switch s.Health.Cause {
	case kaizen.CauseNone:
		return "ready"
	case kaizen.CauseLogin:
		return "stopped: login refused"
	case kaizen.CauseOutage:
		return "down: no connection"
	case kaizen.CauseQuota:
		return "waits: allowance used up"
	case kaizen.CauseThrottled:
		return "slow: the server asks for it"
	}
	return s.Health.Condition.String() + ": " + string(s.Health.Cause)
}

// printStatus says more: why, since when, what helps, and what is used of the limits.
func (a *app) printStatus(name string, s *kaizen.Status, row func(name, value string)) {
	if s == nil {
		return
	}
	h := &s.Health
	if h.Cause != kaizen.CauseNone {
		row("", h.Reason)
		row("", "since "+h.Since.Local().Format(time.DateTime))
	}
	if h.Stopped() {
		row("", a.whenStopped(name))
	}
	for _, w := range h.Warnings {
		row("", a.yellow(w))
	}
	for i, l := range s.Limits {
		row([]string{"Used", ""}[min(i, 1)], fmt.Sprintf("%d of %s", l.Used, l.Rate))
	}
	for i, l := range h.Learned {
		row([]string{"Learned", ""}[min(i, 1)], fmt.Sprintf("%s %s: %s", l.Value, l.Limit, l.Reason))
	}
}

// whenStopped is what to do if an account has stopped.
func (a *app) whenStopped(name string) string {
	change := "'kaizen account password %[1]s' changes the password"
	if store, err := a.store(); err == nil {
		e, err := store.Entry(name)
		switch {
		case err != nil:
		case len(e.Sendmail) > 0:
			return commandStopped(name)
		case e.UsesOAuth():
			change = "'kaizen account login %[1]s' logs in again"
		}
	}
	return fmt.Sprintf(change+", 'kaizen account test %[1]s' tries it", name)
}

// commandStopped is for an account that hands messages to a command.
func commandStopped(name string) string {
	return fmt.Sprintf("mend the configuration of the command itself; then 'kaizen account resume %s' lets programs use it again", name)
}
