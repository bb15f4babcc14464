package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// queueDepth is what is queued for an account.
type queueDepth struct {
	Queued int       `json:"queued"` // what is being sent included
	Held   int       `json:"held"`
	Oldest time.Time `json:"oldest_due,omitzero"` // since when the job is due that waits longest
	Paused time.Time `json:"paused,omitzero"`     // since when
}

// statusQueue is the queue beside a state directory, opened once there is one.
type statusQueue struct {
	app    *app
	dir    string
	opened *mailQueue
}

// queueBeside is the queue of a state directory, unless a variable names another.
func (a *app) queueBeside(stateDir string) *statusQueue {
	if dir, _ := a.lookupEnv("KAIZEN_QUEUE_DIR"); dir != "" {
		return &statusQueue{app: a, dir: dir}
	}
	return &statusQueue{app: a, dir: filepath.Join(stateDir, "queue")}
}

func (q *statusQueue) stats(now time.Time) (queue.Stats, error) {
	if q == nil {
		return queue.Stats{}, nil
	}
	if q.opened == nil {
		made, err := isQueue(q.dir)
		if err != nil || !made {
			return queue.Stats{}, err
		}
		if q.opened, err = q.app.openQueueIn(q.dir); err != nil {
			return queue.Stats{}, err
		}
	}
	return q.opened.Stats(context.Background(), now)
}

func (q *statusQueue) close() error {
	if q == nil || q.opened == nil {
		return nil
	}
	return q.opened.Close()
}

// addQueue adds what is queued to the accounts it is for.
func (r *statusReport) addQueue(stats queue.Stats) {
	for i := range stats.Lanes {
		l := &stats.Lanes[i]
		d := queueDepth{Queued: l.Count[queue.Queued] + l.Count[queue.Active], Held: l.Count[queue.Held], Oldest: l.Oldest, Paused: l.Paused}
		if d == (queueDepth{}) {
			continue
		}
		s := r.find(l.Name)
		if s == nil {
			r.Accounts = append(r.Accounts, accountStatus{Name: l.Name, Condition: conditionIdle})
			s = &r.Accounts[len(r.Accounts)-1]
		}
		s.Queue = &d
	}
}

// inShort is what a table has room for.
func (d *queueDepth) inShort() string {
	switch {
	case d == nil:
		return nothing
	case d.Held > 0:
		return fmt.Sprintf("%d +%d held", d.Queued, d.Held)
	}
	return fmt.Sprint(d.Queued)
}

// inWords is what a page has room for.
func (d *queueDepth) inWords(now time.Time) string {
	text := fmt.Sprintf("%d queued", d.Queued)
	if d.Held > 0 {
		text += fmt.Sprintf(", %d held", d.Held)
	}
	if !d.Oldest.IsZero() {
		text += ", the oldest due " + relative(d.Oldest, now)
	}
	if !d.Paused.IsZero() {
		text += ", paused " + relative(d.Paused, now)
	}
	return text
}
