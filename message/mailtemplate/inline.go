package mailtemplate

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// InlineCSS copies the rules of a document's <style> elements into the style
// attributes of the elements they match, for clients that ignore <style>.
//
// Everything else stays octet for octet: conditional comments, entities, the
// doctype. In <style> stays what cannot be inlined (@media, @font-face, :hover,
// rules for *), and what matches nothing; what there must override an inlined
// rule becomes !important. A <style> with a media attribute, and one inside a
// conditional comment, is left alone.
//
// Elements nested more than 512 deep are an error, here and in TextFromHTML.
func InlineCSS(document string) (string, error) {
	var in inliner
	return in.inline(document)
}

// inliner keeps what it found out about the last style sheet, since the next
// document mostly has the same. It may be used by several goroutines at once.
type inliner struct {
	last atomic.Pointer[compiled]
}

// compiled is a style sheet, and where it goes in documents seen lately.
type compiled struct {
	styles []string
	sheet  *stylesheet
	mu     sync.Mutex // guards seen
	seen   map[string]*placed
}

// Skeletons are kept of so many kinds of document, up to this size.
const (
	maxSkeletons    = 32
	maxSkeletonSize = 64 << 10
)

func (in *inliner) compile(styles []string) *compiled {
	if last := in.last.Load(); last != nil && slices.Equal(last.styles, styles) {
		return last
	}
	fresh := &compiled{styles: styles, sheet: newStylesheet(styles), seen: map[string]*placed{}}
	in.last.Store(fresh)
	return fresh
}

func (in *inliner) inline(document string) (string, error) {
	o := outlineOf(document)
	if len(o.styles) == 0 {
		return document, nil
	}
	c := in.compile(o.css())
	skeleton := o.skeleton(c.sheet.asked)
	p := c.lookUp(skeleton)
	if p == nil {
		var err error
		if p, err = c.sheet.place(skeleton, len(o.pieces)); err != nil {
			return "", err
		}
		c.keep(skeleton, p)
	}
	return o.splice(p), nil
}

func (c *compiled) lookUp(skeleton []byte) *placed {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[string(skeleton)]
}

func (c *compiled) keep(skeleton []byte, p *placed) {
	if len(skeleton) > maxSkeletonSize {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) >= maxSkeletons {
		clear(c.seen)
	}
	c.seen[string(skeleton)] = p
}

// place applies a style sheet to a skeleton, of which tags is the number.
func (s *stylesheet) place(skeleton []byte, tags int) (*placed, error) {
	root, err := html.ParseWithOptions(bytes.NewReader(skeleton), html.ParseOptionEnableScripting(false))
	if err != nil {
		return nil, err
	}
	a := application{sheet: s, edits: make([]string, tags), matched: make([]bool, len(s.rules)), seen: map[string]string{}}
	a.apply(root)
	p := &placed{edits: a.edits}
	for _, stays := range s.stays {
		p.remains = append(p.remains, write(stays, a.matched, s.rules...))
	}
	return p, nil
}

// application is a style sheet being applied to one document.
type application struct {
	sheet   *stylesheet
	edits   []string // style attributes, by tag
	matched []bool   // by rule
	found   []int
	key     []byte
	seen    map[string]string // style attributes by the rules they are made of
}

func (a *application) apply(n *html.Node) {
	if n.Type == html.ElementNode {
		if n.DataAtom == atom.Head {
			return
		}
		a.style(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		a.apply(c)
	}
}

func (a *application) style(n *html.Node) {
	tag, ok := markOf(n)
	if !ok || a.edits[tag] != "" {
		return
	}
	own, has := attribute(n, "style")
	a.match(n)
	if len(a.found) == 0 && (!has || len(a.sheet.promoted) == 0) {
		return
	}
	var style string
	if has {
		style = a.sheet.compose(a.found, parseDeclarations(tokens(own)))
	} else {
		a.key = a.key[:0]
		for _, i := range a.found {
			a.key = strconv.AppendInt(append(a.key, ' '), int64(i), 10)
		}
		if style, ok = a.seen[string(a.key)]; !ok {
			style = a.sheet.compose(a.found, nil)
			a.seen[string(a.key)] = style
		}
	}
	if style != "" {
		a.edits[tag] = ` style="` + attributeText.Replace(style) + `"`
	}
}

// match finds the rules for an element, the strongest last.
func (a *application) match(n *html.Node) {
	a.found = a.found[:0]
	a.try(n, a.sheet.others)
	a.try(n, a.sheet.byName[n.Data])
	if id, ok := attribute(n, "id"); ok {
		a.try(n, a.sheet.byID[id])
	}
	if classes, ok := attribute(n, "class"); ok {
		for class := range strings.FieldsSeq(classes) {
			a.try(n, a.sheet.byClass[class])
		}
	}
	slices.SortFunc(a.found, func(i, j int) int {
		return cmp.Or(a.sheet.rules[i].rank.compare(a.sheet.rules[j].rank), cmp.Compare(i, j))
	})
	a.found = slices.Compact(a.found)
}

func (a *application) try(n *html.Node, rules []int) {
	for _, i := range rules {
		if a.sheet.rules[i].match.Match(n) {
			a.found = append(a.found, i)
			a.matched[i] = true
		}
	}
}

// compose makes a style attribute of rules, the weakest first, and of what the
// attribute held before. Of a property only the strongest rule's value remains,
// but all that this rule gives: the first may be for clients that do not
// understand the second.
func (s *stylesheet) compose(rules []int, own []declaration) string {
	var layers [][]declaration
	for _, i := range rules {
		layers = append(layers, s.rules[i].normal)
	}
	var normal, important []declaration
	for _, d := range own {
		if d.important {
			important = append(important, d)
		} else {
			d.important = s.overridden(d.property)
			normal = append(normal, d)
		}
	}
	layers = append(layers, normal)
	for _, i := range rules {
		layers = append(layers, s.rules[i].important)
	}
	layers = append(layers, important)
	var result []declaration
	for _, layer := range layers {
		result = slices.DeleteFunc(result, func(d declaration) bool { return sets(layer, d.property) })
		result = append(result, layer...)
	}
	b := make([]byte, 0, 128)
	for i, d := range result {
		if i > 0 {
			b = append(b, "; "...)
		}
		b = appendDeclaration(b, d)
	}
	return string(b)
}

// overridden tells whether something that stays would now override a style
// attribute of the author's, which it did not before.
func (s *stylesheet) overridden(property string) bool {
	for promoted := range s.promoted {
		if related(promoted, property) {
			return true
		}
	}
	return false
}

func sets(declarations []declaration, property string) bool {
	return slices.ContainsFunc(declarations, func(d declaration) bool { return d.property == property })
}

// markOf returns the number of an element's tag. Elements that the parser added
// have none.
func markOf(n *html.Node) (int, bool) {
	value, _ := attribute(n, markKey)
	tag, err := strconv.Atoi(value)
	return tag, err == nil
}

func attribute(n *html.Node, key string) (string, bool) {
	for i := range n.Attr {
		if n.Attr[i].Key == key && n.Attr[i].Namespace == "" {
			return n.Attr[i].Val, true
		}
	}
	return "", false
}
