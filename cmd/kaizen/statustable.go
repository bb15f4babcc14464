package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
)

// statusColumn is a column of the table.
type statusColumn struct {
	title string
	right bool
	// spare says which columns come last where there is little room: those with the
	// highest number; 0: it is never left out.
	spare  int
	blank  bool // it may be left out always if it has nothing to say
	colour func(s *accountStatus) string
	text   func(s *accountStatus, now time.Time) string
}

// nothing is what stands where there is nothing to count: no process sends.
const nothing = "-"

var statusColumns = []statusColumn{
	{title: "ACCOUNT", text: func(s *accountStatus, _ time.Time) string { return printable(s.Name) }},
	{title: "CONDITION", colour: conditionColour, text: func(s *accountStatus, _ time.Time) string { return s.Condition }},
	{title: "SINCE", spare: 7, text: func(s *accountStatus, now time.Time) string {
		if s.Since.IsZero() || s.Condition == conditionIdle {
			return nothing
		}
		return relative(s.Since, now)
	}},
	{title: "SERVER", spare: 8, text: func(s *accountStatus, _ time.Time) string { return orDash(printable(s.Server)) }},
	{title: "QUEUED", right: true, spare: 2, blank: true, text: func(s *accountStatus, _ time.Time) string { return s.Queue.inShort() }},
	{title: "WAITING", right: true, spare: 3, text: counted(func(c *statusCounts) int64 { return int64(c.Waiting) })},
	{title: "IN FLIGHT", right: true, spare: 6, text: counted(func(c *statusCounts) int64 { return int64(c.InFlight) })},
	{title: "CONNECTIONS", spare: 2, text: func(s *accountStatus, _ time.Time) string { return s.connections() }},
	{title: "ACCEPTED", right: true, text: counted(func(c *statusCounts) int64 { return c.Accepted })},
	{title: "REJECTED", right: true, spare: 4, text: counted(func(c *statusCounts) int64 { return c.Rejected })},
	{title: "NOT SENT", right: true, spare: 4, text: counted(func(c *statusCounts) int64 { return c.NotSent })},
	{title: "UNKNOWN", right: true, spare: 4, text: counted(func(c *statusCounts) int64 { return c.Unknown })},
	{title: "RATE", right: true, spare: 1, text: func(s *accountStatus, _ time.Time) string {
		if s.Processes == nil {
			return nothing
		}
		return perSecond(s.PerSecond)
	}},
	{title: "LIMITS USED", spare: 5, text: func(s *accountStatus, _ time.Time) string { return orDash(s.limits()) }},
	{title: "NEXT PROBE", spare: 7, blank: true, text: func(s *accountStatus, now time.Time) string {
		if s.NextProbe.IsZero() {
			return nothing
		}
		return relative(s.NextProbe, now)
	}},
	{title: "CERTIFICATE", spare: 9, blank: true, colour: func(*accountStatus) string { return "33" }, text: func(s *accountStatus, now time.Time) string {
		switch {
		case s.Certificate.IsZero() || len(s.Warnings) == 0:
			return nothing
		case s.Certificate.Before(now):
			return "expired"
		}
		return "ends " + relative(s.Certificate, now)
	}},
}

func counted(of func(c *statusCounts) int64) func(*accountStatus, time.Time) string {
	return func(s *accountStatus, _ time.Time) string {
		if s.Processes == nil {
			return nothing
		}
		return fmt.Sprint(of(&s.statusCounts))
	}
}

func perSecond(n float64) string {
	if n >= 100 {
		return fmt.Sprintf("%.0f/s", n)
	}
	return fmt.Sprintf("%.1f/s", n)
}

func conditionColour(s *accountStatus) string { return colourOf(s.Condition) }

func colourOf(condition string) string {
	switch condition {
	case kaizen.Healthy.String():
		return "32"
	case kaizen.Degraded.String():
		return "33"
	case conditionIdle:
		return "2"
	}
	return "31"
}

func (s *accountStatus) connections() string {
	if s.Processes == nil {
		return nothing
	}
	return s.statusCounts.connections()
}

func (c *statusCounts) connections() string {
	text := fmt.Sprintf("%d of %d", c.Open, c.Capacity)
	switch {
	case c.Busy > 0:
		text += fmt.Sprintf(", %d busy", c.Busy)
	case c.Idle > 0:
		text += ", idle"
	}
	return text
}

func (s *accountStatus) limits() string {
	var all []string
	for i := range s.Limits {
		all = append(all, s.Limits[i].words())
	}
	return strings.Join(all, ", ")
}

// statusTable is the table as it is shown: cells without colours.
type statusTable struct {
	columns []statusColumn
	widths  []int
	rows    [][]string // below the titles
	of      []*accountStatus
}

// gap is between two columns.
const gap = 2

// newStatusTable makes a table of at most so many columns of the terminal; 0: as
// wide as it gets.
func newStatusTable(accounts []accountStatus, now time.Time, columns int) *statusTable {
	t := &statusTable{columns: statusColumns, rows: make([][]string, len(accounts))}
	for i := range accounts {
		t.of = append(t.of, &accounts[i])
		for _, c := range t.columns {
			t.rows[i] = append(t.rows[i], c.text(&accounts[i], now))
		}
	}
	t.columns = slices.Clone(t.columns)
	for i := len(t.columns) - 1; i >= 0; i-- {
		if t.columns[i].blank && t.saysNothing(i) {
			t.leaveOut(i)
		}
	}
	t.measure()
	if columns > 0 {
		t.fit(columns)
	}
	return t
}

func (t *statusTable) measure() {
	t.widths = make([]int, len(t.columns))
	for i, c := range t.columns {
		t.widths[i] = textWidth(c.title)
		for _, r := range t.rows {
			t.widths[i] = max(t.widths[i], textWidth(r[i]))
		}
	}
}

// fit cuts long names, and leaves out columns for which there is no room: those
// that say something, and matter more, come first.
func (t *statusTable) fit(columns int) {
	t.widths[0] = min(t.widths[0], max(columns/3, 12))
	var optional []int
	room := columns + gap
	for i, c := range t.columns {
		if c.spare == 0 {
			room -= t.widths[i] + gap
		} else {
			optional = append(optional, i)
		}
	}
	slices.SortStableFunc(optional, func(i, j int) int { return cmp.Compare(t.spare(i), t.spare(j)) })
	var out []int
	for _, i := range optional {
		if w := t.widths[i] + gap; w <= room {
			room -= w
		} else {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	for _, i := range slices.Backward(out) {
		t.leaveOut(i)
		t.widths = slices.Delete(t.widths, i, i+1)
	}
}

// spare is how little a column matters.
func (t *statusTable) spare(i int) int {
	if t.saysNothing(i) {
		return 100 + t.columns[i].spare
	}
	return t.columns[i].spare
}

// saysNothing reports whether nobody would miss the column.
func (t *statusTable) saysNothing(i int) bool {
	return !slices.ContainsFunc(t.rows, func(r []string) bool { return r[i] != nothing && r[i] != "0" })
}

func (t *statusTable) leaveOut(i int) {
	t.columns = slices.Delete(t.columns, i, i+1)
	for j := range t.rows {
		t.rows[j] = slices.Delete(t.rows[j], i, i+1)
	}
}

// lines are the titles and a line for each account.
func (t *statusTable) lines(paint func(colour, text string) string) []string {
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.title
	}
	lines := []string{paint("1", t.line(titles, nil))}
	for i, r := range t.rows {
		lines = append(lines, t.line(r, func(column int, text string) string {
			if colour := t.columns[column].colour; colour != nil && r[column] != nothing {
				return paint(colour(t.of[i]), text)
			}
			return text
		}))
	}
	return lines
}

func (t *statusTable) line(cells []string, paint func(column int, text string) string) string {
	var b strings.Builder
	for i, text := range cells {
		text = cutWidth(text, t.widths[i])
		space := strings.Repeat(" ", t.widths[i]-textWidth(text))
		if paint != nil {
			text = paint(i, text)
		}
		if t.columns[i].right {
			text, space = space+text, ""
		}
		b.WriteString(text)
		if i < len(cells)-1 {
			b.WriteString(space + strings.Repeat(" ", gap))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
