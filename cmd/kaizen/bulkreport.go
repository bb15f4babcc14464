package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/kaizenmail/kaizen/internal/bulk"
)

// bulkSummary is what bulk prints at its end. Rows are those of this run and
// earlier ones; recipients are those of this run.
type bulkSummary struct {
	Rows     int64     `json:"rows"`
	Left     int64     `json:"left"`    // still to be sent; -1: unknown
	Earlier  int64     `json:"earlier"` // finished by an earlier run
	Twins    int64     `json:"twins"`   // left out
	Retried  int64     `json:"retried"`
	Queued   int64     `json:"queued"`
	Accepted int64     `json:"accepted"`
	Rejected int64     `json:"rejected"`
	Deferred int64     `json:"deferred"`
	Unknown  int64     `json:"unknown"`
	Bad      int64     `json:"bad"`
	InDoubt  []inDoubt `json:"in_doubt,omitempty"` // of all runs
	Journal  string    `json:"journal"`
	Results  string    `json:"results"`
	Error    *failure  `json:"error,omitempty"`
}

type inDoubt struct {
	Row     int    `json:"row"`
	Address string `json:"address"`
}

const shownInDoubt = 20

// report writes the results, prints the summary, and says with its error how it
// went.
func (b *bulkCommand) report(ctx context.Context, p *bulk.Progress, total int, ran error) error {
	s := &bulkSummary{Rows: int64(total), Left: int64(total) - p.Rows.Load(),
		Earlier: p.Finished.Load(), Twins: p.Twins.Load(), Retried: p.Retried.Load(),
		Queued: p.Queued.Load(), Accepted: p.Accepted.Load(), Rejected: p.Rejected.Load(), Deferred: p.Deferred.Load(),
		Unknown: p.Unknown.Load(), Bad: p.Bad.Load(), Journal: b.journalFile(), Results: b.resultsFile()}
	if total < 0 {
		s.Rows, s.Left = p.Rows.Load(), -1
		if ran == nil {
			s.Left = 0
		}
	}
	history, err := bulk.ReadHistory(s.Journal)
	if err == nil {
		for _, d := range history.InDoubt() {
			s.InDoubt = append(s.InDoubt, inDoubt{d.Row, d.Address})
		}
		err = writeResults(s.Results, s.Journal)
	}
	failed := s.verdict(ctx, b.input.wrong(ran))
	if err != nil {
		failed = errors.Join(failed, err)
	}
	if b.json {
		s.Error = failureOf(ctx, failed)
		return errors.Join(failed, b.app.printJSON(s))
	}
	b.app.printBulk(s)
	return failed
}

// writeResults replaces the file only once it is whole.
func writeResults(file, journal string) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return withCode(exitCantCreate, fmt.Errorf("results: %w", err))
	}
	defer os.Remove(temporary.Name()) // in vain, once it has its name
	out := bufio.NewWriter(temporary)
	err = errors.Join(bulk.WriteResults(out, journal), out.Flush(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return withCode(exitIO, fmt.Errorf("results: %w", err))
	}
	return nil
}

// verdict is the error of the run as a whole: what ended it, else the worst that
// happened to a row.
func (s *bulkSummary) verdict(ctx context.Context, ran error) error {
	switch {
	case ctx.Err() != nil && errors.Is(ran, context.Cause(ctx)):
		return withCode(exitInterrupted, errors.New("interrupted: --resume goes on where this ended"))
	case errors.Is(ran, bulk.ErrTooManyFailures):
		return withCode(exitUnavailable, fmt.Errorf("stopped: %w; --resume goes on", ran))
	case ran != nil:
		return fmt.Errorf("stopped: %w\n--resume goes on once that is put right", ran)
	case len(s.InDoubt) > 0:
		return withCode(exitUnknown, fmt.Errorf("%s in doubt", plural(len(s.InDoubt), "recipient")))
	case s.Deferred > 0:
		return withCode(exitPartly, fmt.Errorf("%s refused for now: --resume tries again", plural(int(s.Deferred), "recipient")))
	case s.Rejected > 0:
		return withCode(exitNoUser, fmt.Errorf("%s refused for good", plural(int(s.Rejected), "recipient")))
	case s.Bad > 0:
		return withCode(exitData, fmt.Errorf("%s could not be sent as they are: --resume sends them once they are put right", plural(int(s.Bad), "recipient")))
	}
	return nil
}

func (a *app) printBulk(s *bulkSummary) {
	row := func(name string, n int64, note string) {
		if n > 0 || name == "Accepted" && s.Queued == 0 {
			fmt.Fprintf(a.stdout, "%-10s %d%s\n", name, n, note)
		}
	}
	rows := fmt.Sprintf("%-10s %d", "Rows", s.Rows)
	if s.Left > 0 {
		rows += fmt.Sprintf(", %d of them still to be sent", s.Left)
	}
	fmt.Fprintln(a.stdout, rows)
	row("Earlier", s.Earlier, " rows were finished by earlier runs")
	row("Left out", s.Twins, " rows with the recipients of an earlier row")
	row("Queued", s.Queued, "")
	row("Accepted", s.Accepted, "")
	row("Refused", s.Rejected, " for good")
	row("Deferred", s.Deferred, " refused for now; --resume tries again")
	row("Bad", s.Bad, " of rows that cannot be sent as they are")
	row("Retried", s.Retried, "")
	row("In doubt", int64(len(s.InDoubt)), ": look whether they got it; --resume --resend-unknown sends it again")
	for i, d := range s.InDoubt {
		if i == shownInDoubt {
			fmt.Fprintf(a.stdout, "  and %d more, in the results\n", len(s.InDoubt)-i)
			break
		}
		fmt.Fprintf(a.stdout, "  row %d  %s\n", d.Row, a.paint(a.stdout, "33", d.Address))
	}
	fmt.Fprintf(a.stdout, "%-10s %s\n%-10s %s\n", "Results", s.Results, "Journal", s.Journal)
}

// logger tells a person what the library would have nobody else to tell.
func (a *app) logger() *slog.Logger { return slog.New(slog.NewTextHandler(a.stderr, nil)) }
