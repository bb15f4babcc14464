package mailtemplate

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// TextFromHTML makes a text part of a document, as a person would write it:
// paragraphs with blank lines between them, "- " and "1. " before the items of
// lists, "> " before quotations, the columns of tables below each other, links
// as "text (URL)", pictures as their alternative text. What is not shown
// (display: none, comments, scripts) is left out. Lines are not wrapped: the
// reader's program does that. They end in LF.
func TextFromHTML(document string) (string, error) {
	root, err := html.ParseWithOptions(strings.NewReader(document), html.ParseOptionEnableScripting(false))
	if err != nil {
		return "", err
	}
	var w textWriter
	w.children(root)
	return w.String(), nil
}

// node writes one node and what is in it.
func (w *textWriter) node(n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		w.words(n.Data)
		return
	case n.Type != html.ElementNode || isHidden(n):
		return
	}
	switch n.DataAtom {
	case atom.Br:
		w.lineBreak()
	case atom.Hr:
		w.block(2, func() { w.words("----------") })
	case atom.Img:
		alt, _ := attribute(n, "alt")
		w.words(alt)
	case atom.A:
		w.link(n)
	case atom.Pre, atom.Textarea:
		w.block(2, func() { w.preformatted(n) })
	case atom.Blockquote:
		w.block(2, func() { w.indented("> ", "> ", func() { w.children(n) }) })
	case atom.Ul, atom.Ol, atom.Menu, atom.Dir:
		w.list(n)
	case atom.Li:
		w.block(1, func() { w.indented("- ", "  ", func() { w.children(n) }) })
	case atom.Dd:
		w.block(1, func() { w.indented("  ", "  ", func() { w.children(n) }) })
	case atom.Table:
		w.table(n)
	default:
		if gap := gapAround(n); gap > 0 {
			w.block(gap, func() { w.children(n) })
		} else {
			w.children(n)
		}
	}
}

func (w *textWriter) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c)
	}
}

// isHidden tells of elements that no client shows.
func isHidden(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Head, atom.Script, atom.Style, atom.Template, atom.Title, atom.Svg, atom.Select, atom.Object, atom.Iframe, atom.Noframes:
		return true
	}
	if _, hidden := attribute(n, "hidden"); hidden {
		return true
	}
	style, _ := attribute(n, "style")
	_, rest, found := strings.Cut(strings.ToLower(style), "display")
	return found && strings.HasPrefix(strings.TrimLeft(rest, ": \t\r\n"), "none")
}

// gapAround returns how many lines begin before and after an element: none for
// what stands in a line, 2 with a blank line between.
func gapAround(n *html.Node) int {
	switch n.DataAtom {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Dl, atom.Figure, atom.Fieldset:
		return 2
	case atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Main, atom.Nav, atom.Aside, atom.Address, atom.Center,
		atom.Form, atom.Body, atom.Dt, atom.Figcaption, atom.Caption, atom.Legend, atom.Details, atom.Summary, atom.Tr, atom.Option:
		return 1
	}
	return 0
}

// link writes the text of a link, and where it leads unless the text says so.
func (w *textWriter) link(n *html.Node) {
	href, _ := attribute(n, "href")
	href = strings.Join(strings.Fields(href), "")
	before := len(w.out)
	w.children(n)
	words := strings.TrimSpace(string(w.out[min(before, len(w.out)):]))
	scheme, _, _ := strings.Cut(strings.ToLower(href), ":")
	switch scheme {
	case "http", "https", "mailto", "tel", "sms", "ftp":
	default:
		return // no place outside this mail
	}
	switch {
	case words == "":
		w.words(bareURL(href))
	case bareURL(words) != bareURL(href):
		w.words(" (" + strings.TrimPrefix(href, "mailto:") + ")")
	}
}

// bareURL is what of a URL people write.
func bareURL(s string) string {
	for _, prefix := range []string{"mailto:", "tel:", "sms:"} {
		s = strings.TrimPrefix(s, prefix)
	}
	return s
}

func (w *textWriter) list(n *html.Node) {
	gap := 2
	for p := n.Parent; p != nil; p = p.Parent {
		if p.DataAtom == atom.Li {
			gap = 1
		}
	}
	number := 0
	if start, ok := attribute(n, "start"); ok {
		number, _ = strconv.Atoi(start)
		number--
	}
	w.block(gap, func() {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.DataAtom != atom.Li || n.DataAtom != atom.Ol || isHidden(c) {
				w.node(c)
				continue
			}
			number++
			label := strconv.Itoa(number) + ". "
			w.block(1, func() { w.indented(label, strings.Repeat(" ", len(label)), func() { w.children(c) }) })
		}
	})
}

// preformatted writes text with its spaces and line ends.
func (w *textWriter) preformatted(n *html.Node) {
	for i, line := range strings.Split(strings.Trim(contentOf(n), "\n"), "\n") {
		if i > 0 {
			w.lineBreak()
		}
		w.verbatim(strings.TrimRight(line, " \t\r"))
	}
}

func contentOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	if n.DataAtom == atom.Br {
		return "\n"
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(contentOf(c))
	}
	return b.String()
}
