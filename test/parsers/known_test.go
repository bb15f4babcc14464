package parsers_test

import (
	"regexp"
	"strings"
)

// known is a way in which a parser is wrong, or has a mind of its own. It shows
// in each of the cases, in the fields of this form, and nowhere else.
type known struct {
	parser string
	reason string
	cases  string // their names
	fields *regexp.Regexp
	// alike reports whether the values, as quoted by corpus.Compare, differ in
	// this way only.
	alike func(want, got string) bool
}

var (
	displayNames   = regexp.MustCompile(`^(from|to|cc)\[\d+\]\.name$`)
	quotedMailbox  = regexp.MustCompile(`^to\[[67]\]\.address$`)
	types          = regexp.MustCompile(`^files\[[56]\]\.type$`)
	spaces         = strings.NewReplacer(" ", "", `\t`, "")
	escapedQuotes  = strings.NewReplacer(`\"`, "")
	withoutSpaces  = func(want, got string) bool { return spaces.Replace(want) == spaces.Replace(got) }
	withoutQuotes  = func(want, got string) bool { return escapedQuotes.Replace(want) == got }
	withoutName    = func(_, got string) bool { return got == `""` }
	withoutEndings = func(want, got string) bool {
		return strings.TrimSpace(strings.Trim(want, `"`)) == strings.Trim(got, `"`)
	}
	guessed = func(want, _ string) bool { return want == `"application/octet-stream"` }
)

// differences is what is known. To be in it, nothing can be done about it by
// writing the message in another way.
var differences = []known{
	{"email", "puts a space between two encoded words of a display name, where there is none (RFC 2047 §6.2); names of up to some 40 octets need only one",
		`text/emoji text/emoji-only text/arabic text/right-to-left-long text/combining text/combining-endless text/japanese
		text/chinese-long text/cyrillic text/998-octets text/2000-octets text/2000-umlauts text/words-umlaut-late
		address/long address/name-lengths`, displayNames, withoutSpaces},
	{"email", "makes one space of several, and of a tab, in a display name that is encoded; mailparser takes those at the ends from one that is quoted",
		"text/spaces-umlaut text/tabs", displayNames, withoutSpaces},
	{"email", "forgets the quotes of a local part whose only oddity is where its dots are",
		"address/quoted-local-parts", quotedMailbox, withoutQuotes},
	{"mailparser", "forgets the quotes of a local part whose only oddity is where its dots are",
		"address/quoted-local-parts", quotedMailbox, withoutQuotes},
	{"mailparser", "takes spaces from the ends of a display name that is quoted; email changes those of one that is encoded",
		"text/spaces-around text/only-spaces", displayNames, withoutEndings},
	{"mailparser", "leaves out a display name that repeats the address",
		"text/address", displayNames, withoutName},
	{"mailparser", "guesses the type by the file name when it is application/octet-stream",
		"attachment/guessed-types", types, guessed},
}

func (k *known) concerns(parser, name string) bool {
	for listed := range strings.FieldsSeq(k.cases) {
		if k.parser == parser && listed == name {
			return true
		}
	}
	return false
}
