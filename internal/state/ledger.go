package state

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/safefile"
)

// Ledger returns the ledger of an account. It asks the disk each time; a grant
// for windows of more than a minute survives a power failure.
func (d *Dir) Ledger(account string) limit.Ledger {
	return &ledger{dir: d, account: account, path: filepath.Join(d.path, limitsDir, fileName(account)+".json")}
}

type ledger struct {
	dir     *Dir
	account string
	path    string
	told    atomic.Bool // that the disk cannot be synced
}

// durable is from which length on a window outlasts a restart of the machine.
const durable = time.Minute

func (l *ledger) Exchange(ctx context.Context, x limit.Exchange) (grant limit.Grant, err error) {
	if !l.dir.seen() {
		return limit.Grant{}, fmt.Errorf("limits of account %s: the state folder %s was removed or replaced while it was in use: start the program anew", l.account, l.dir.path)
	}
	err = change(ctx, l.path, func(u *usage, damaged bool) (write bool, survives safefile.Care) {
		grant = l.step(u, damaged, x)
		return true, l.care(u, grant)
	})
	var unsynced *safefile.UnsyncedError
	if errors.As(err, &unsynced) {
		// It has happened, and must not happen again.
		if l.told.CompareAndSwap(false, true) {
			grant.Notice = fmt.Sprintf("%s %v", l.path, unsynced)
		}
		return grant, nil
	}
	if err != nil {
		return limit.Grant{}, fmt.Errorf("limits of account %s: %w", l.account, err)
	}
	return grant, nil
}

// care: of what is not granted but reported, the file before says more, not less,
// than is used. But it must be whole: a damaged one counts as used up.
func (l *ledger) care(u *usage, grant limit.Grant) safefile.Care {
	switch {
	case u.Keep <= durable:
		return safefile.Anything
	case grant.Count > 0:
		return safefile.Latest
	}
	return safefile.Either
}

func (l *ledger) step(u *usage, damaged bool, x limit.Exchange) limit.Grant {
	if damaged {
		*u = usage{blank: true}
	}
	u.Account = l.account
	// Read before the folder's clock: a pause in between makes things later, not earlier.
	wall := time.Now()
	u.Clock = u.Clock.advance(l.dir.clock())
	now := u.Clock.At
	for id := range u.Owners {
		if !l.dir.lives(id) {
			u.bury(id, now)
		}
	}
	grant := u.exchange(l.dir.id, now, wall.Sub, x)
	if damaged {
		grant.Notice = fmt.Sprintf("%s was damaged: the limits of account %s count as used up from now on", l.path, l.account)
	}
	return grant
}

// Window is how much of a limit is used.
type Window struct {
	Rate limit.Rate
	Used int64         // done or granted, by all processes
	Free time.Duration // until there is room for another one; 0: there is
}

// Usage is how much of an account's limits is used.
type Usage struct {
	Account string
	Windows []Window // those that were asked for last
}

// Usages are those of all accounts. Nothing is locked for it: what a process is
// about to write is not in it yet.
func (d *Dir) Usages() ([]Usage, error) {
	files, err := d.files(limitsDir, "*.json")
	if err != nil {
		return nil, err
	}
	var all []Usage
	for _, file := range files {
		var u usage
		if damaged, err := read(file, &u); err != nil {
			return all, err
		} else if !damaged {
			all = append(all, Usage{u.Account, u.show(u.Clock.now(d.clock()))})
		}
	}
	return all, nil
}

func (u *usage) show(now time.Duration) (windows []Window) {
	var held limit.Use
	for _, o := range u.Owners {
		held = held.Plus(o.Held)
	}
	for _, r := range u.Rates {
		w := Window{Rate: r, Used: u.used(r, now) + held.Of(r.Unit)}
		if over := w.Used + 1 - int64(r.Count); over > 0 {
			w.Free = u.free(r, now, over)
		}
		windows = append(windows, w)
	}
	return windows
}
