package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table is the results of all runs, by the point whose turn it was.
type table struct {
	order []string
	rows  map[string]*row
}

type row struct {
	runs, kills, violations int
	tally
}

func newTable(points []point) *table {
	t := &table{rows: map[string]*row{}}
	for _, p := range points {
		t.order = append(t.order, p.name)
		t.rows[p.name] = &row{}
	}
	return t
}

func (t *table) add(r *report) {
	for name, n := range r.kills {
		t.rows[name].kills += n
	}
	first := t.rows[r.first]
	first.runs++
	first.violations += len(r.violations)
	first.tally.add(&r.tally)
}

func (t *tally) add(more *tally) {
	t.letters += more.letters
	t.acked += more.acked
	t.sent += more.sent
	t.failed += more.failed
	t.expired += more.expired
	t.cancelled += more.cancelled
	t.inDoubt += more.inDoubt
	t.doubled += more.doubled
	t.unknown += more.unknown
	t.lost += more.lost
	t.byFirst += more.byFirst
	t.byNext += more.byNext
}

// print writes the table. Kills are those at the point in all runs; the rest is of
// the runs whose first kill was there.
func (t *table) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nkilled at\tkills\truns\tmessages\tacknowledged\tsent\tfailed\texpired\tcancelled\theld in doubt\tsent twice\tunknown\tviolations\t")
	total := row{}
	for _, name := range t.order {
		r := t.rows[name]
		total.runs += r.runs
		total.kills += r.kills
		total.violations += r.violations
		total.tally.add(&r.tally)
		r.print(w, name)
	}
	total.print(w, "all")
	w.Flush()
	fmt.Fprintf(out, "of those for a chain %d went through its first account, %d through the next\n", total.byFirst, total.byNext)
	if total.lost > 0 {
		fmt.Fprintf(out, "%d messages of durability memory were lost with their process, as it is said of them\n", total.lost)
	}
}

func (r *row) print(w io.Writer, name string) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, r.kills, r.runs, r.letters, r.acked,
		r.sent, r.failed, r.expired, r.cancelled, r.inDoubt, r.doubled, r.unknown, r.violations)
}

// unreached complains of points at which nothing was ever killed: then the tests
// show nothing about them.
func (t *table) unreached(out io.Writer) int {
	var names []string
	for _, name := range t.order {
		if t.rows[name].kills == 0 {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		fmt.Fprintln(out, "WRONG: no process ever came to", strings.Join(names, ", "))
	}
	return len(names)
}
