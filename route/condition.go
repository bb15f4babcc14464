package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// not stands before a pattern that must not match.
const not = "!"

// addresses is a condition on an address: one of any must match, if there are any,
// and none of never.
type addresses struct{ any, never []pattern }

func parseAddresses(texts []string, sender bool) (c addresses, err error) {
	for _, text := range texts {
		rest, negated := strings.CutPrefix(text, not)
		p, err := parsePattern(rest, sender)
		if err != nil {
			return c, err
		}
		if negated {
			c.never = append(c.never, p)
		} else {
			c.any = append(c.any, p)
		}
	}
	return c, nil
}

// met tells whether the condition holds for an address, and why, in words. There
// is nothing to say of a condition that asks for nothing.
func (c *addresses) met(what, shown string, a address) (ok bool, why string) {
	if shown == "" {
		shown = "<>"
	}
	subject := what + " " + shown
	if i := slices.IndexFunc(c.never, func(p pattern) bool { return p.matches(a) }); i >= 0 {
		return false, subject + " is ruled out by " + not + c.never[i].text
	}
	i := slices.IndexFunc(c.any, func(p pattern) bool { return p.matches(a) })
	switch {
	case i >= 0:
		return true, subject + " matches " + c.any[i].text
	case len(c.any) > 0:
		return false, subject + " is not " + orList(texts(c.any))
	case len(c.never) > 0:
		return true, subject + " is not " + orList(texts(c.never))
	}
	return true, ""
}

func texts(patterns []pattern) []string {
	list := make([]string, len(patterns))
	for i := range patterns {
		list[i] = patterns[i].text
	}
	return list
}

// tagged is a condition on the tags: one of any must be there, if there are any,
// and none of never.
type tagged struct{ any, never []string }

func parseTags(texts []string) (c tagged, err error) {
	for _, text := range texts {
		rest, negated := strings.CutPrefix(text, not)
		switch {
		case rest == "":
			return c, errors.New("a tag is empty")
		case negated:
			c.never = append(c.never, rest)
		default:
			c.any = append(c.any, rest)
		}
	}
	return c, nil
}

func (c *tagged) met(tags []string) (ok bool, why string) {
	among := func(tag string) bool { return slices.Contains(tags, tag) }
	if i := slices.IndexFunc(c.never, among); i >= 0 {
		return false, "tag " + c.never[i] + " is ruled out by " + not + c.never[i]
	}
	i := slices.IndexFunc(c.any, among)
	switch {
	case i >= 0:
		return true, "it has the tag " + c.any[i]
	case len(c.any) > 0:
		return false, fmt.Sprintf("it has no tag %s", orList(c.any))
	case len(c.never) > 0:
		return true, fmt.Sprintf("it has no tag %s", orList(c.never))
	}
	return true, ""
}

// orList names a few words: "a, b or c".
func orList(words []string) string {
	const most = 5
	if len(words) > most {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" or %d more", len(words)-most)
	}
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " or " + words[n]
	}
	return words[0]
}
