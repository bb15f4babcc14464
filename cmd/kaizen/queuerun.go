package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/kaizenprom"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

const queueRunLong = `Send what is queued. It ends when nothing is left that could be sent: jobs that
wait for their next try are waited for; held ones, those of paused accounts, and of
accounts that have stopped or do not exist, are not. With --watch it goes on and
sends what comes.

One process at a time can deliver from a queue. All other commands work beside it,
and it notices what they change at once. The first Ctrl-C takes nothing new and lets
what is being sent end; a second one cuts it off, and what had begun then is unknown.

The exit code is 0 if everything that ended was sent, 79 if it is unknown of some
message whether it was sent, 77 or 78 if an account with jobs can send nothing until
somebody helps, 69 if a job failed, 75 if one expired. With --watch it is 0 after an
orderly end.`

// queueRun is the command line of queue run.
type queueRun struct {
	app     *app
	watch   bool
	json    bool
	metrics metricsFlag
}

func newQueueRunCommand(app *app) *cobra.Command {
	r := &queueRun{app: app}
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Send what is queued",
		Long:    queueRunLong,
		Example: "  kaizen queue run\n  kaizen queue run --watch --metrics 9464",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return app.withQueue(func(q *mailQueue) error { return r.run(cmd.Context(), q) })
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&r.watch, "watch", false, "go on when nothing is left, and send what comes")
	cmd.Flags().BoolVar(&r.json, "json", false, "print the summary as JSON")
	r.metrics.bind(cmd.Flags())
	return cmd
}

// queueTally counts what became of jobs in this run.
type queueTally struct {
	sent, failed, expired, held, unknown, again atomic.Int64
}

// take counts a job, and tells whether a person should hear of it.
func (t *queueTally) take(j *queue.Job) (notable bool) {
	if j.Doubt && j.State != queue.Sent && j.State != queue.Queued {
		t.unknown.Add(1)
	}
	switch j.State {
	case queue.Sent:
		t.sent.Add(1)
		return false
	case queue.Failed:
		t.failed.Add(1)
	case queue.Expired:
		t.expired.Add(1)
	case queue.Held:
		t.held.Add(1)
	case queue.Queued:
		t.again.Add(1)
		return false
	}
	return true
}

// finished is how many jobs came to an end.
func (t *queueTally) finished() int64 {
	return t.sent.Load() + t.failed.Load() + t.expired.Load()
}

func (r *queueRun) run(ctx context.Context, q *mailQueue) error {
	tally := new(queueTally)
	screen := &liveScreen{app: r.app, redraw: r.app.redraws()}
	client, metrics, err := r.client(q, tally, screen)
	if err != nil {
		return err
	}
	if r.watch && !r.json {
		fmt.Fprintf(r.app.stderr, "delivering from %s\n", q.dir)
	}
	ending := context.AfterFunc(ctx, func() {
		fmt.Fprintln(screen, "ending: what is being sent may finish; a second Ctrl-C cuts it off")
	})
	defer ending()
	stop := q.follow(ctx, screen, tally, r.watch)
	if r.watch {
		err = client.Run(ctx)
	} else {
		err = client.RunUntilEmpty(ctx)
	}
	err = errors.Join(err, client.Close())
	stop()
	return r.report(ctx, q, tally, errors.Join(err, metrics.close()))
}

// client delivers, and tells what becomes of jobs.
func (r *queueRun) client(q *mailQueue, tally *queueTally, screen *liveScreen) (*kaizen.Client, *metricsServer, error) {
	config, err := r.app.clientConfig(true, slog.New(slog.NewTextHandler(screen, nil)))
	if err != nil {
		return nil, nil, err
	}
	if store, ok := config.Accounts.(*accounts.Store); ok {
		watch := &accountWatch{Store: store, told: screen, errs: make(map[string]error)}
		config.Accounts, q.unusable = watch, watch.unusable
	}
	config.Queue = q.Store
	config.OnJob = func(e kaizen.JobEvent) {
		if e.Kind == kaizen.JobQueued || e.Kind == kaizen.JobStale {
			return // nothing has ended
		}
		if tally.take(&e.Job) {
			fmt.Fprintln(screen, jobInWords(&e.Job))
		}
	}
	client := kaizen.New(config)
	metrics, err := r.app.serveMetrics(r.metrics, client, kaizenprom.NewQueue(q.Store, kaizenprom.Options{}))
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return client, metrics, nil
}

// jobInWords is what a person should hear of a job that was not sent.
func jobInWords(j *queue.Job) string {
	text := fmt.Sprintf("job %s to %s (%s) %s", j.ID, recipientsInShort(j.Recipients), printable(j.Lane), stateInPast(j.State))
	words := lastWords(j)
	for i := range j.Recipients {
		if rec := &j.Recipients[i]; rec.State == queue.Failed && !rec.Reply.IsZero() {
			words = rec.Address + ": " + rec.Reply.String()
			break
		}
	}
	if words != "" {
		text += ": " + flat(words)
	}
	return text
}

func stateInPast(s queue.State) string {
	if s == queue.Held {
		return "is held"
	}
	return map[queue.State]string{queue.Failed: "has failed", queue.Expired: "has expired", queue.Cancelled: "was cancelled"}[s]
}

// runReport is what queue run --json prints.
type runReport struct {
	Sent    int64 `json:"sent"`
	Failed  int64 `json:"failed"`
	Expired int64 `json:"expired"`
	Held    int64 `json:"held"`
	// Unknown of these are jobs that a server may have taken.
	Unknown int64    `json:"unknown"`
	Left    int      `json:"left"` // that wait, held ones not among them
	Error   *failure `json:"error,omitempty"`

	stuck error // why an account with jobs sends nothing until a person helps
}

// stuck is why the first such account sends nothing, with the exit code.
func stuck(s *kaizen.Situation) error {
	codes := map[kaizen.WhyCode]exitCode{kaizen.WhyStopped: exitNoPerm, kaizen.WhyUnusable: exitConfig, kaizen.WhyNoAccount: exitConfig}
	for i := range s.Stats.Lanes {
		l := &s.Stats.Lanes[i]
		if l.Count[queue.Queued] == 0 {
			continue
		}
		if w := s.Account(l.Name); codes[w.Code] != 0 {
			return withCode(codes[w.Code], fmt.Errorf("%s left: %s", plural(l.Count[queue.Queued], "job"), flat(w.Sentence)))
		}
	}
	return nil
}

func (r *queueRun) report(ctx context.Context, q *mailQueue, tally *queueTally, ran error) error {
	s := runReport{Sent: tally.sent.Load(), Failed: tally.failed.Load(), Expired: tally.expired.Load(),
		Held: tally.held.Load(), Unknown: tally.unknown.Load()}
	if is[*queue.LockedError](ran) {
		return withCode(exitTempFail, ran)
	}
	q.now = time.Now()
	now, err := q.situation(context.WithoutCancel(ctx))
	if err == nil {
		s.Left, s.stuck = now.Stats.Total(queue.Queued, queue.Active), stuck(now)
	}
	failed := errors.Join(s.verdict(ctx, ran, r.watch), err)
	if r.json {
		s.Error = failureOf(ctx, failed)
		return errors.Join(failed, r.app.printJSON(s))
	}
	return errors.Join(r.app.printRun(&s), failed)
}

// verdict is the error of a run: what ended it, else the worst that happened to a
// job.
func (s *runReport) verdict(ctx context.Context, ran error, watch bool) error {
	asked := ctx.Err() != nil && (ran == nil || errors.Is(ran, context.Cause(ctx)))
	switch {
	case asked && watch:
		return nil
	case asked && s.Left > 0:
		return withCode(exitInterrupted, fmt.Errorf("interrupted: %s left; 'kaizen queue run' goes on", plural(s.Left, "job")))
	case asked:
		return withCode(exitInterrupted, errors.New("interrupted"))
	case ran != nil:
		return ran
	case s.Unknown > 0:
		return withCode(exitUnknown, fmt.Errorf("%s may have been sent, or not: 'kaizen queue list --unknown' lists them", plural(int(s.Unknown), "job")))
	case s.stuck != nil:
		return s.stuck
	case s.Failed > 0:
		return withCode(exitUnavailable, fmt.Errorf("%s failed: 'kaizen queue list --state failed' lists them", plural(int(s.Failed), "job")))
	case s.Expired > 0:
		return withCode(exitTempFail, fmt.Errorf("%s expired: 'kaizen queue list --state expired' lists them", plural(int(s.Expired), "job")))
	}
	return nil
}

func (a *app) printRun(s *runReport) error {
	p := a.page()
	row := func(name string, n int64, note string) {
		if n > 0 || name == "Sent" {
			p.row(name, "%d%s", n, note)
		}
	}
	row("Sent", s.Sent, "")
	row("Failed", s.Failed, "")
	row("Expired", s.Expired, "")
	row("Held", s.Held, "; 'kaizen queue release' lets them go")
	row("Unknown", s.Unknown, " of these may have been sent: look whether they arrived")
	row("Left", int64(s.Left), "; 'kaizen queue stats' says what they wait for")
	return p.err
}
