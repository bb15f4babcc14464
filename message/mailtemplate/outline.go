package mailtemplate

import (
	"iter"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// outline is a document cut into its tags and what is between them. Only it
// tells where in the document an element is: the parser of trees does not.
type outline struct {
	document string
	pieces   []piece
	styles   []style
}

type piece struct {
	kind       html.TokenType
	start, end int
	nameEnd    int // of a start tag
}

// style is a <style> to be inlined.
type style struct {
	tag           int // its piece
	text, textEnd int // its content
	end           int // 0 if it is not closed
}

func outlineOf(document string) *outline {
	o := &outline{document: document, pieces: make([]piece, 0, 16+len(document)/24)}
	z := html.NewTokenizer(strings.NewReader(document))
	at, open := 0, false // in a <style>, which holds one text at most
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		p := piece{kind: kind, start: at, end: at + len(z.Raw())}
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			p.nameEnd = at + 1 + strings.IndexAny(document[at+1:p.end], " \t\r\n\f/>")
			open = strings.EqualFold(document[at+1:p.nameEnd], "style") && isPlainStyle(document[p.nameEnd:p.end])
			if open {
				o.styles = append(o.styles, style{tag: len(o.pieces), text: p.end, textEnd: p.end})
			}
		case html.TextToken:
			if open {
				o.styles[len(o.styles)-1].textEnd = p.end
			}
		case html.EndTagToken:
			if open {
				o.styles[len(o.styles)-1].end = p.end
			}
			open = false
		}
		o.pieces = append(o.pieces, p)
		at = p.end
	}
	if n := len(o.styles); n > 0 && o.styles[n-1].end == 0 {
		o.styles = o.styles[:n-1]
	}
	return o
}

// isPlainStyle tells of a <style> that is CSS for all media.
func isPlainStyle(rest string) bool {
	for a := range attributesIn(rest) {
		value := strings.ToLower(strings.TrimSpace(html.UnescapeString(a.value)))
		switch strings.ToLower(a.name) {
		case "media":
			if value != "all" && value != "" {
				return false
			}
		case "type":
			if value != "text/css" && value != "" {
				return false
			}
		}
	}
	return true
}

func (o *outline) css() (contents []string) {
	for _, s := range o.styles {
		contents = append(contents, o.document[s.text:s.textEnd])
	}
	return contents
}

// markKey is an attribute that holds the number of an element's tag.
const markKey = "data-kaizen-tag"

// skeleton is the document with all left out that no rule asks for, and with
// its tags numbered. Its tree decides what a rule matches. Rows of one template
// mostly have the same skeleton, whatever their data.
func (o *outline) skeleton(asked map[string]bool) []byte {
	b := make([]byte, 0, len(o.document))
	for i, p := range o.pieces {
		raw := o.document[p.start:p.end]
		switch p.kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			b = append(b, o.document[p.start:p.nameEnd]...)
			b = strconv.AppendInt(append(b, " "+markKey+"="...), int64(i), 10)
			for a := range attributesIn(o.document[p.nameEnd:p.end]) {
				b = append(append(b, ' '), a.name...)
				if a.raw != "" && asked[strings.ToLower(a.name)] {
					b = append(append(b, '='), a.raw...)
				}
			}
			if p.kind == html.SelfClosingTagToken {
				b = append(b, " /"...)
			}
			b = append(b, '>')
		case html.TextToken:
			if strings.Trim(raw, " \t\r\n\f") == "" {
				b = append(b, ' ')
			} else {
				b = append(b, 'x')
			}
		case html.EndTagToken, html.DoctypeToken:
			b = append(b, raw...)
		}
	}
	return b
}

// attributeSpan is one attribute of a tag as it is written.
type attributeSpan struct {
	name  string
	raw   string // the value with its quotes
	value string // without them; entities remain
	start int    // of the space before it
	end   int
}

// attributesIn goes through what follows a tag's name (HTML, §13.2.5.32 to
// 13.2.5.39).
func attributesIn(rest string) iter.Seq[attributeSpan] {
	const space = " \t\r\n\f"
	skip := func(i int, set string) int {
		return len(rest) - len(strings.TrimLeft(rest[i:], set))
	}
	return func(yield func(attributeSpan) bool) {
		for i := 0; ; {
			a := attributeSpan{start: i}
			i = skip(i, space+"/")
			if i >= len(rest) || rest[i] == '>' {
				return
			}
			a.end = find(rest, i+1, space+"/>=")
			a.name = rest[i:a.end]
			if equals := skip(a.end, space); equals < len(rest) && rest[equals] == '=' {
				from := skip(equals+1, space)
				a.end = valueEnd(rest, from)
				a.raw = rest[from:a.end]
				a.value = unquote(a.raw)
			}
			i = a.end
			if !yield(a) {
				return
			}
		}
	}
}

func find(s string, i int, set string) int {
	if n := strings.IndexAny(s[min(i, len(s)):], set); n >= 0 {
		return i + n
	}
	return len(s)
}

// valueEnd returns where the attribute value ends that begins at i.
func valueEnd(s string, i int) int {
	if i < len(s) && (s[i] == '"' || s[i] == '\'') {
		return min(find(s, i+1, s[i:i+1])+1, len(s))
	}
	return find(s, i, " \t\r\n\f>")
}

func unquote(raw string) string {
	if raw != "" && (raw[0] == '"' || raw[0] == '\'') {
		return strings.TrimSuffix(raw[1:], raw[:1])
	}
	return raw
}
