package mailtemplate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/andybalholm/cascadia"
	"github.com/tdewolff/parse/v2/css"
)

// stylesheet is all <style> elements of a document, ready to be inlined. It
// does not change.
//
// A style attribute beats every rule in <style>. So that no document looks
// different after inlining, some declarations change their weight: what stays
// (:hover, @media) and overrides an inlined rule becomes !important; what was
// !important only to beat other inlined rules no longer is.
type stylesheet struct {
	rules   []rule
	byID    map[string][]int
	byClass map[string][]int
	byName  map[string][]int
	others  []int

	stays    [][]remnant     // per <style>
	promoted map[string]bool // properties that became !important
	asked    map[string]bool // attributes whose values matter
}

// rule is one selector with its declarations.
type rule struct {
	selector
	rank              rank
	normal, important []declaration
}

// remnant is what remains of a <style> in its order: text, or the rules of one
// body, each if it matched nothing: it may be for what a client adds.
type remnant struct {
	text  string
	rules []int
	body  string
}

// rank orders declarations of the same importance (CSS Cascade Level 3, §6.1).
type rank struct {
	specificity cascadia.Specificity
	order       int
}

func (r rank) compare(other rank) int {
	return cmp.Or(slices.Compare(r.specificity[:], other.specificity[:]), cmp.Compare(r.order, other.order))
}

// related tells whether one property may set what the other sets.
func related(a, b string) bool {
	if a == b || a == "all" || b == "all" || strings.HasPrefix(a, b+"-") || strings.HasPrefix(b, a+"-") {
		return true
	}
	border := strings.HasPrefix(a, "border-") && strings.HasPrefix(b, "border-")
	font := a == "font" && b == "line-height" || a == "line-height" && b == "font"
	return border || font
}

// newStylesheet compiles the contents of a document's <style> elements.
func newStylesheet(styles []string) *stylesheet {
	b := sheetBuilder{
		sheet:  &stylesheet{byID: map[string][]int{}, byClass: map[string][]int{}, byName: map[string][]int{}, promoted: map[string]bool{}, asked: askedAttributes()},
		lowest: map[setting]rank{}, highest: map[string]rank{},
	}
	var parsed [][]statement
	for _, style := range styles {
		all := tokens(style)
		b.sheet.ask(all)
		statements := parseStatements(all, 0)
		b.collect(statements, true)
		parsed = append(parsed, statements)
	}
	b.settleImportance()
	b.order, b.next = 0, 0
	for _, statements := range parsed {
		b.sheet.stays = append(b.sheet.stays, b.remnants(statements, true))
	}
	return b.sheet
}

// askedAttributes are those that rules, or the parser, ask for in any document.
func askedAttributes() map[string]bool {
	return map[string]bool{"class": true, "id": true, "style": true, "type": true, "encoding": true}
}

// ask notes the attributes in selectors such as [align=left].
func (s *stylesheet) ask(all []token) {
	for i, t := range all {
		if t.kind == css.LeftBracketToken {
			for _, name := range all[i+1 : min(i+3, len(all))] {
				s.asked[strings.ToLower(name.text)] = true
			}
		}
	}
}

type sheetBuilder struct {
	sheet   *stylesheet
	order   int              // of the current statement, in both passes
	next    int              // rule, in the second pass
	lowest  map[setting]rank // of the inlined declarations
	highest map[string]rank  // per property, of the !important ones that stay
}

// setting is what a rule sets: a property, of one kind of element or (empty) of all.
type setting struct{ property, kind string }

// meets tells whether both may concern the same element.
func (s setting) meets(property, kind string) bool {
	return (s.kind == kind || s.kind == "" || kind == "") && related(s.property, property)
}

// collect takes the rules that can be inlined, and notes what stays.
func (b *sheetBuilder) collect(statements []statement, top bool) {
	for _, s := range statements {
		b.order++
		for _, sel := range s.selectors {
			r := rule{selector: sel, rank: rank{sel.specificity, b.order}}
			inlined := top && sel.match != nil
			for _, d := range s.declarations {
				b.note(d, r, inlined)
				if d.important {
					r.important = append(r.important, d)
				} else {
					r.normal = append(r.normal, d)
				}
			}
			if inlined {
				b.sheet.add(r)
			}
		}
		b.collect(s.below, false)
	}
}

func (b *sheetBuilder) note(d declaration, r rule, inlined bool) {
	if inlined && !d.important {
		set := setting{d.property, r.kind}
		if known, ok := b.lowest[set]; !ok || r.rank.compare(known) < 0 {
			b.lowest[set] = r.rank
		}
	}
	if !inlined && d.important {
		if known, ok := b.highest[d.property]; !ok || r.rank.compare(known) > 0 {
			b.highest[d.property] = r.rank
		}
	}
}

func (s *stylesheet) add(r rule) {
	i := len(s.rules)
	s.rules = append(s.rules, r)
	switch {
	case r.id != "":
		s.byID[r.id] = append(s.byID[r.id], i)
	case r.class != "":
		s.byClass[r.class] = append(s.byClass[r.class], i)
	case r.element != "":
		s.byName[r.element] = append(s.byName[r.element], i)
	default:
		s.others = append(s.others, i)
	}
}

// settleImportance leaves !important to those inlined declarations that must
// beat one that stays.
func (b *sheetBuilder) settleImportance() {
	for _, r := range b.sheet.rules {
		for i, d := range r.important {
			beats, beaten := false, false
			for property, highest := range b.highest {
				if related(property, d.property) {
					beats = beats || highest.compare(r.rank) < 0
					beaten = beaten || highest.compare(r.rank) > 0
				}
			}
			r.important[i].important = beats && !beaten
		}
	}
}

// remnants goes through the statements once more, in the same order.
func (b *sheetBuilder) remnants(statements []statement, top bool) (stays []remnant) {
	for _, s := range statements {
		b.order++
		switch {
		case s.text != "":
			stays = append(stays, remnant{text: s.text})
		case s.below != nil:
			stays = append(stays, remnant{text: s.prelude + " {\n" + write(b.remnants(s.below, false), nil) + "\n}"})
		default:
			stays = append(stays, b.divide(s, top)...)
		}
	}
	return stays
}

// divide parts a rule into the selectors that stay and those that may.
func (b *sheetBuilder) divide(s statement, top bool) (parts []remnant) {
	var staying []string
	declarations := slices.Clone(s.declarations)
	inlined := remnant{body: body(s.declarations)}
	for _, sel := range s.selectors {
		if top && sel.match != nil {
			inlined.rules = append(inlined.rules, b.next)
			b.next++
			continue
		}
		staying = append(staying, sel.text)
		b.promote(declarations, rank{sel.specificity, b.order}, sel.kind)
	}
	if len(staying) > 0 {
		parts = append(parts, remnant{text: strings.Join(staying, ", ") + body(declarations)})
	}
	if len(inlined.rules) > 0 {
		parts = append(parts, inlined)
	}
	return parts
}

// promote makes !important what overrides an inlined declaration.
func (b *sheetBuilder) promote(declarations []declaration, r rank, kind string) {
	for i, d := range declarations {
		if d.important {
			continue
		}
		for set, lowest := range b.lowest {
			if set.meets(d.property, kind) && lowest.compare(r) < 0 {
				declarations[i].important = true
				b.sheet.promoted[d.property] = true
			}
		}
	}
}

func body(declarations []declaration) string {
	b := []byte(" { ")
	for i, d := range declarations {
		if i > 0 {
			b = append(b, "; "...)
		}
		b = appendDeclaration(b, d)
	}
	return string(append(b, " }"...))
}

// write puts remnants together. matched tells of the rules that were inlined.
func write(stays []remnant, matched []bool, rules ...rule) string {
	var lines []string
	for _, s := range stays {
		line := s.text
		var unmatched []string
		for _, i := range s.rules {
			if !matched[i] {
				unmatched = append(unmatched, rules[i].text)
			}
		}
		if len(unmatched) > 0 {
			line = strings.Join(unmatched, ", ") + s.body
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
