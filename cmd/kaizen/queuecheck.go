package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/kaizenmail/kaizen/queue/sqlite"
)

// shownFindings is how many findings are shown to people.
const shownFindings = 50

func (q *mailQueue) check(ctx context.Context, asJSON bool) error {
	report, err := q.Check(ctx)
	if err != nil {
		return err
	}
	var damaged error
	if n := len(report.Findings); n > 0 {
		damaged = withCode(exitIO, fmt.Errorf("%s in the queue %s; nothing was changed. 'kaizen queue export --all --dir FOLDER' saves what can be read", plural(n, "finding"), q.dir))
	}
	if asJSON {
		return errors.Join(damaged, q.app.printJSON(report))
	}
	return errors.Join(q.app.printCheck(&report), damaged)
}

func (a *app) printCheck(r *sqlite.Report) error {
	p := a.page()
	for i, f := range r.Findings {
		if i == shownFindings {
			p.row("", "and %d more; --json shows all", len(r.Findings)-i)
			break
		}
		p.row("Found", "%s", flat(f.String()))
	}
	p.row("Jobs", "%d", r.Jobs)
	p.row("Contents", "%d", r.Bodies)
	if r.OK() {
		p.painted("Result", "32", "nothing is damaged")
	}
	return p.err
}
