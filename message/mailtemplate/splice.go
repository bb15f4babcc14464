package mailtemplate

import "strings"

// placed is what becomes of the style sheet in documents of one skeleton.
type placed struct {
	edits   []string // style attributes with their name, by tag
	remains []string // contents, by <style>
}

// splice returns the document with its new style attributes, and with what
// remains in <style>. Nothing else is touched.
func (o *outline) splice(p *placed) string {
	var b strings.Builder
	b.Grow(len(o.document) * 2)
	done, next := 0, 0
	for i, tag := range o.pieces {
		if next < len(o.styles) && o.styles[next].tag == i {
			s := o.styles[next]
			b.WriteString(o.document[done:tag.start])
			if rest := p.remains[next]; rest != "" {
				b.WriteString(o.document[tag.start:tag.end] + "\n" + rest + "\n" + o.document[s.textEnd:s.end])
			}
			done = s.end
			next++
		} else if p.edits[i] != "" {
			from, to := styleAttribute(o.document[tag.nameEnd:tag.end])
			b.WriteString(o.document[done : tag.nameEnd+from])
			b.WriteString(p.edits[i])
			done = tag.nameEnd + to
		}
	}
	b.WriteString(o.document[done:])
	return b.String()
}

// styleAttribute finds a style attribute in what follows a tag's name. Without
// one the place is the beginning.
func styleAttribute(rest string) (from, to int) {
	for a := range attributesIn(rest) {
		if strings.EqualFold(a.name, "style") {
			return a.start, a.end
		}
	}
	return 0, 0
}

// attributeText escapes what ends an attribute, and what could begin an entity
// or look like a tag to careless readers.
var attributeText = strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;", ">", "&gt;")
