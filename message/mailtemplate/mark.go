package mailtemplate

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// markKey is an attribute that tells where an element of the tree comes from:
// the parser does not say. It never leaves this package.
const markKey = "data-kaizen-tag"

// marks is a document, each of whose tags has been given a number. The tree of
// the marked copy decides what a rule matches; only the original is changed, so
// that nothing is lost which a parser would put right.
type marks struct {
	marked []byte
	tags   []span
	styles []styleElement
}

// span is a start tag.
type span struct {
	start, nameEnd, end int
}

// styleElement is a <style> to be inlined.
type styleElement struct {
	start, text, textEnd, end int
}

func mark(document string) marks {
	m := marks{marked: make([]byte, 0, len(document)+len(document)/2)}
	z := html.NewTokenizer(strings.NewReader(document))
	at, open := 0, -1 // open: the start of a <style>
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		raw := len(z.Raw())
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := span{start: at, nameEnd: at + nameLength(document[at:at+raw]), end: at + raw}
			m.add(document, tag)
			open = -1
			if strings.EqualFold(document[at+1:tag.nameEnd], "style") && isPlainStyle(z) {
				open = at
			}
		case html.TextToken:
			if open >= 0 {
				m.styles = append(m.styles, styleElement{start: open, text: at, textEnd: at + raw})
			}
			m.marked = append(m.marked, document[at:at+raw]...)
		case html.EndTagToken:
			if open >= 0 && len(m.styles) > 0 && m.styles[len(m.styles)-1].start == open {
				m.styles[len(m.styles)-1].end = at + raw
			}
			open = -1
			m.marked = append(m.marked, document[at:at+raw]...)
		default:
			m.marked = append(m.marked, document[at:at+raw]...)
		}
		at += raw
	}
	m.marked = append(m.marked, document[at:]...)
	if n := len(m.styles); n > 0 && m.styles[n-1].end == 0 {
		m.styles = m.styles[:n-1] // not closed
	}
	return m
}

func (m *marks) add(document string, tag span) {
	m.marked = append(m.marked, document[tag.start:tag.nameEnd]...)
	m.marked = append(append(m.marked, ' '), markKey+"="...)
	m.marked = strconv.AppendInt(m.marked, int64(len(m.tags)), 10)
	if document[tag.nameEnd] == '/' {
		m.marked = append(m.marked, ' ') // or it would belong to the number
	}
	m.marked = append(m.marked, document[tag.nameEnd:tag.end]...)
	m.tags = append(m.tags, tag)
}

func nameLength(tag string) int {
	return 1 + strings.IndexAny(tag[1:], " \t\r\n\f/>")
}

// isPlainStyle tells of a <style> that is CSS for all media.
func isPlainStyle(z *html.Tokenizer) bool {
	_, more := z.TagName()
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "media":
			if !strings.EqualFold(strings.TrimSpace(string(value)), "all") {
				return false
			}
		case "type":
			if !strings.EqualFold(string(value), "text/css") {
				return false
			}
		}
	}
	return true
}

// markOf returns the number of an element's tag. Elements that the parser added
// have none.
func markOf(n *html.Node) (int, bool) {
	value, _ := attribute(n, markKey)
	tag, err := strconv.Atoi(value)
	return tag, err == nil
}

// splice returns the document with its new style attributes, and with what
// remains in <style>.
func (a *application) splice(document string, m marks) string {
	var b strings.Builder
	b.Grow(len(document) * 2)
	done, style := 0, 0
	for i, tag := range m.tags {
		if style < len(m.styles) && m.styles[style].start == tag.start {
			s := m.styles[style]
			b.WriteString(document[done:s.start])
			done = s.end
			if rest := write(a.sheet.stays[style], a.matched, a.sheet.rules...); rest != "" {
				b.WriteString(document[s.start:s.text] + "\n" + rest + "\n" + document[s.textEnd:s.end])
			}
			style++
			continue
		}
		if a.edits[i] == "" {
			continue
		}
		b.WriteString(document[done:tag.nameEnd])
		from, to := styleAttribute(document[tag.nameEnd:tag.end])
		b.WriteString(document[tag.nameEnd : tag.nameEnd+from])
		b.WriteString(` style="`)
		b.WriteString(attributeText.Replace(a.edits[i]))
		b.WriteByte('"')
		done = tag.nameEnd + to
	}
	b.WriteString(document[done:])
	return b.String()
}

// attributeText escapes what ends an attribute, and what could begin an entity
// or look like a tag to careless readers.
var attributeText = strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;", ">", "&gt;")

// styleAttribute finds a style attribute, and the space before it, in what
// follows a tag's name (HTML, §13.2.5.32 to 13.2.5.39). Without one the place
// is the beginning.
func styleAttribute(attributes string) (from, to int) {
	const space = " \t\r\n\f"
	skip := func(i int, set string) int {
		for i < len(attributes) && strings.IndexByte(set, attributes[i]) >= 0 {
			i++
		}
		return i
	}
	find := func(i int, set string) int {
		if n := strings.IndexAny(attributes[i:], set); n >= 0 {
			return i + n
		}
		return len(attributes)
	}
	for i := 0; ; {
		before := i
		i = skip(i, space+"/")
		if i >= len(attributes) || attributes[i] == '>' {
			return 0, 0
		}
		name := i
		i = find(i+1, space+"/>=")
		isStyle := strings.EqualFold(attributes[name:i], "style")
		if equals := skip(i, space); equals < len(attributes) && attributes[equals] == '=' {
			i = valueEnd(attributes, skip(equals+1, space))
		}
		if isStyle {
			return before, i
		}
	}
}

// valueEnd returns where the attribute value ends that begins at i.
func valueEnd(attributes string, i int) int {
	rest := attributes[i:]
	n := -1
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		if n = strings.IndexByte(rest[1:], rest[0]); n >= 0 {
			n += 2
		}
	} else {
		n = strings.IndexAny(rest, " \t\r\n\f>")
	}
	if n < 0 {
		return len(attributes)
	}
	return i + n
}
