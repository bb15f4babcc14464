package mailtemplate

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// widestTable is how long the lines of a table may be whose columns are
// aligned; else its cells are parted by bars.
const widestTable = 78

// table writes a table of data in columns, and the contents of one that only
// lays out the page one after the other.
func (w *textWriter) table(n *html.Node) {
	rows := rowsOf(n)
	cells, isData := dataOf(rows)
	if !isData {
		w.block(1, func() { w.children(n) })
		return
	}
	widths := columnWidths(cells)
	w.block(2, func() {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.DataAtom == atom.Caption {
				w.node(c)
			}
		}
		for _, row := range cells {
			w.block(1, func() { w.verbatim(line(row, widths)) })
		}
	})
}

func rowsOf(n *html.Node) (rows []*html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.DataAtom {
		case atom.Tr:
			if !isHidden(c) {
				rows = append(rows, c)
			}
		case atom.Thead, atom.Tbody, atom.Tfoot:
			rows = append(rows, rowsOf(c)...)
		}
	}
	return rows
}

// dataOf returns the text of each cell, if the table is one of data: there are
// several columns, and nothing in a cell that needs lines of its own.
func dataOf(rows []*html.Node) (cells [][]string, isData bool) {
	for _, row := range rows {
		var texts []string
		for c := row.FirstChild; c != nil; c = c.NextSibling {
			if c.DataAtom != atom.Td && c.DataAtom != atom.Th || isHidden(c) {
				continue
			}
			if needsLines(c) {
				return nil, false
			}
			var w textWriter
			w.children(c)
			texts = append(texts, string(w.out))
		}
		isData = isData || len(texts) > 1
		cells = append(cells, texts)
	}
	return cells, isData
}

func needsLines(n *html.Node) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.DataAtom {
		case atom.Br, atom.Hr, atom.Pre, atom.Textarea, atom.Blockquote, atom.Ul, atom.Ol, atom.Menu, atom.Dir, atom.Li, atom.Dd, atom.Table:
			return true
		}
		if gapAround(c) > 0 || needsLines(c) {
			return true
		}
	}
	return false
}

// columnWidths returns none if the lines would be too long.
func columnWidths(cells [][]string) (widths []int) {
	for _, row := range cells {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	total := 0
	for _, width := range widths {
		total += width + 2
	}
	if total-2 > widestTable {
		return nil
	}
	return widths
}

func line(row []string, widths []int) string {
	if widths == nil {
		return strings.Join(row, " | ")
	}
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(cell)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]+2-utf8.RuneCountInString(cell)))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
