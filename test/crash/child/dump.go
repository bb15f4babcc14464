package main

import (
	"context"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
	"github.com/kaizenmail/kaizen/test/crash/task"
)

// dump tells all that is in the queue, and what is wrong with it.
func dump(ctx context.Context, store *sqlite.Store) error {
	now := time.Now()
	if err := check(ctx, store); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	f := queue.Filter{Limit: 1000}
	for {
		jobs, err := store.List(ctx, now, f)
		if err != nil {
			return err
		}
		if len(jobs) == 0 {
			say(task.Event{What: task.Finished})
			return nil
		}
		for i := range jobs {
			details, err := store.Get(ctx, now, jobs[i].ID)
			if err != nil {
				return err
			}
			say(task.Event{What: task.Dumped, Key: details.Key, ID: details.ID, Job: &details})
			f.After = details.ID
		}
	}
}

// tidiesWithin is how long a store may take to remove what killed processes have
// left, once it delivers.
const tidiesWithin = 5 * time.Second

// check tells what is wrong with the queue. Files that a process had written when
// it was killed, and no job has, are nothing wrong: whoever delivers next removes
// them.
func check(ctx context.Context, store *sqlite.Store) error {
	recovered, err := store.Recover(ctx, time.Now())
	if err != nil {
		return err
	}
	if recovered.Requeued > 0 || len(recovered.Unknown) > 0 {
		say(task.Event{What: task.Found, Finding: fmt.Sprintf("jobs were active in the end: %+v", recovered)})
	}
	late := time.After(tidiesWithin)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		report, err := store.Check(ctx)
		if err != nil || report.OK() {
			return err
		}
		select {
		case <-tick.C:
		case <-late:
			for _, finding := range report.Findings {
				say(task.Event{What: task.Found, Finding: finding.String()})
			}
			return nil
		}
	}
}
