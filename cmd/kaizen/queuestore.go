package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
)

// queueDir is where the queue is.
func (a *app) queueDir() (string, error) {
	if dir, _ := a.lookupEnv("KAIZEN_QUEUE_DIR"); dir != "" {
		return dir, nil
	}
	dir, err := a.stateDir()
	if err != nil {
		return "", err
	}
	if dir == noState {
		return "", withCode(exitConfig, errors.New("KAIZEN_STATE_DIR is none, so there is no place for a queue: KAIZEN_QUEUE_DIR names a folder for it"))
	}
	return filepath.Join(dir, "queue"), nil
}

// mailQueue is the opened queue.
type mailQueue struct {
	*sqlite.Store
	app *app
	dir string
	now time.Time // of the command
	// unusable tells of an account why it cannot be used, as far as one knows
	// without its password; nil: nothing is known.
	unusable func(account string) error
}

// openQueue opens the queue, and makes it if there is none.
func (a *app) openQueue() (*mailQueue, error) {
	dir, err := a.queueDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, withCode(exitCantCreate, err)
	}
	return a.openQueueIn(dir)
}

func (a *app) openQueueIn(dir string) (*mailQueue, error) {
	store, err := sqlite.Open(dir, sqlite.Options{Logger: a.logger()})
	if err != nil {
		return nil, err
	}
	return &mailQueue{Store: store, app: a, dir: dir, now: time.Now().Truncate(time.Millisecond)}, nil
}

// withQueue does something with the queue, and closes it.
func (a *app) withQueue(do func(q *mailQueue) error) error {
	q, err := a.openQueue()
	if err != nil {
		return err
	}
	return errors.Join(do(q), q.Close())
}

// hasQueue reports whether anybody has ever made the queue: to look is no reason to
// make one.
func (a *app) hasQueue() (bool, error) {
	dir, err := a.queueDir()
	if err != nil {
		return false, err
	}
	return isQueue(dir)
}

func isQueue(dir string) (bool, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return len(list) > 0, err
}

// situation is what one must know to tell why something waits.
func (q *mailQueue) situation(ctx context.Context) (*kaizen.Situation, error) {
	stats, err := q.Stats(ctx, q.now)
	if err != nil {
		return nil, err
	}
	s := &kaizen.Situation{Now: q.now, Stats: stats, Unusable: q.unusable}
	q.app.readAccounts(s)
	if dir, err := q.app.stateDir(); err == nil && dir != noState {
		if s.Accounts, err = kaizen.ReadStatus(dir); err != nil {
			q.app.warn("%v", err)
		}
	}
	return s, nil
}

// readAccounts tells which accounts the files have, and which of them are wrong. That
// they cannot be read at all is told by those who send.
func (a *app) readAccounts(s *kaizen.Situation) {
	store, err := a.store()
	if err != nil {
		return
	}
	entries, err := store.Entries()
	if err != nil {
		return
	}
	known := make(map[string]error, len(entries))
	for _, e := range entries {
		_, known[e.Name] = e.Account()
	}
	s.Known = func(name string) bool { _, ok := known[name]; return ok }
	if s.Unusable == nil {
		s.Unusable = func(name string) error { return known[name] }
	}
}

// warnOfQueued tells that there are jobs of an account that is gone. That it cannot be
// known is told by all commands of the queue.
func (a *app) warnOfQueued(ctx context.Context, account string) {
	if made, err := a.hasQueue(); err != nil || !made {
		return
	}
	_ = a.withQueue(func(q *mailQueue) error {
		stats, err := q.Stats(ctx, q.now)
		for _, l := range stats.Lanes {
			if n := l.Count[queue.Queued] + l.Count[queue.Active] + l.Count[queue.Held]; l.Name == account && n > 0 {
				a.warn("%s of %s in the queue: 'kaizen queue move --account %s --to-account OTHER' gives them to another account", plural(n, "job"), account, account)
			}
		}
		return err
	})
}

// accountWatch remembers which accounts could not be had.
type accountWatch struct {
	*accounts.Store
	told io.Writer

	mu   sync.Mutex // guards what follows
	errs map[string]error
}

// Account finds an account, and tells once if it cannot be had.
func (w *accountWatch) Account(ctx context.Context, name string) (kaizen.Account, error) {
	account, err := w.Store.Account(ctx, name)
	if ctx.Err() != nil || is[*accounts.NotFoundError](err) {
		return account, err
	}
	w.mu.Lock()
	before := w.errs[name]
	w.errs[name] = err
	w.mu.Unlock()
	if err != nil && (before == nil || before.Error() != err.Error()) {
		fmt.Fprintf(w.told, "account %s cannot be used: %s\n", printable(name), flat(err.Error()))
	}
	return account, err
}

func (w *accountWatch) unusable(account string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.errs[account]
}
