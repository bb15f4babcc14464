package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// tableColumn is a column of a table of jobs.
type tableColumn struct {
	title string
	right bool
	// least is how many columns of the terminal it needs at least; 0: it is never
	// cut. What room is left goes to those that are cut.
	least  int
	spare  int                  // where there is little room, columns are left out, the lowest number first; 0: never
	colour func(row int) string // "": none
}

// printTable writes a table, as wide as the terminal at most.
func (a *app) printTable(columns []tableColumn, rows [][]string) error {
	width, _ := screenSize(a.stdout)
	columns, rows = leaveOut(columns, rows, width)
	widths := tableWidths(columns, rows, width)
	var b strings.Builder
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.title
	}
	b.WriteString(a.paint(a.stdout, "1", tableLine(columns, widths, titles, nil)) + "\n")
	for i, row := range rows {
		b.WriteString(tableLine(columns, widths, row, func(column int, text string) string {
			if c := columns[column].colour; c != nil && c(i) != "" {
				return a.paint(a.stdout, c(i), text)
			}
			return text
		}) + "\n")
	}
	_, err := io.WriteString(a.stdout, b.String())
	return written(err)
}

// leaveOut leaves columns out until the others have room. 0: any width is there.
func leaveOut(columns []tableColumn, rows [][]string, room int) ([]tableColumn, [][]string) {
	for room > 0 {
		total, out := -gap, -1
		for i, width := range tableWidths(columns, rows, 1) {
			total += width + gap
			if n := columns[i].spare; n > 0 && (out < 0 || n < columns[out].spare) {
				out = i
			}
		}
		if total <= room || out < 0 {
			break
		}
		columns = slices.Concat(columns[:out], columns[out+1:])
		less := make([][]string, len(rows))
		for i, row := range rows {
			less[i] = slices.Concat(row[:out], row[out+1:])
		}
		rows = less
	}
	return columns, rows
}

// tableWidths shares the room: columns that can be cut get their least, then what
// they want from the left as long as there is room. 0: any width is there.
func tableWidths(columns []tableColumn, rows [][]string, room int) []int {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = textWidth(c.title)
		for _, row := range rows {
			widths[i] = max(widths[i], textWidth(row[i]))
		}
	}
	if room <= 0 {
		return widths
	}
	room -= gap * (len(columns) - 1)
	wanted := append([]int(nil), widths...)
	for i, c := range columns {
		if c.least > 0 {
			widths[i] = min(widths[i], max(c.least, textWidth(c.title)))
		}
		room -= widths[i]
	}
	for i := range columns {
		more := min(wanted[i]-widths[i], max(room, 0))
		widths[i] += more
		room -= more
	}
	return widths
}

func tableLine(columns []tableColumn, widths []int, cells []string, paint func(column int, text string) string) string {
	var b strings.Builder
	for i, text := range cells {
		text = cutWidth(text, widths[i])
		space := strings.Repeat(" ", widths[i]-textWidth(text))
		if paint != nil && text != nothing {
			text = paint(i, text)
		}
		switch {
		case columns[i].right:
			b.WriteString(space + text)
		case i < len(cells)-1:
			b.WriteString(text + space)
		default:
			b.WriteString(text)
		}
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", gap))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// page writes names and values below each other.
type page struct {
	app   *app
	width int
	err   error
}

func (a *app) page() *page {
	width, _ := screenSize(a.stdout)
	return &page{app: a, width: width}
}

const pageName = 13 // columns of a name

// row writes one; an empty value is left out.
func (p *page) row(name, format string, values ...any) {
	p.painted(name, "", fmt.Sprintf(format, values...))
}

// painted writes one in a colour; "": in none.
func (p *page) painted(name, colour, value string) {
	if value == "" || p.err != nil {
		return
	}
	lines := []string{value}
	if p.width > 2*pageName {
		lines = wrapWidth(value, p.width-pageName, 0)
	}
	var b strings.Builder
	for _, line := range lines {
		if colour != "" {
			line = p.app.paint(p.app.stdout, colour, line)
		}
		b.WriteString(padded(name, pageName) + line + "\n")
		name = ""
	}
	_, err := io.WriteString(p.app.stdout, b.String())
	p.err = written(err)
}
