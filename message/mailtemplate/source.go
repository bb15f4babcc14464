package mailtemplate

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Source is what a Template is compiled from.
type Source struct {
	// Subject is a text/template. It renders to one line: space around it is
	// cut, a line break inside is an error.
	Subject string
	// Text is a text/template. Default: made from the rendered HTML.
	Text string
	// HTML is an html/template. Default: a message of text only.
	HTML string

	// TextLayout and HTMLLayout go around Text and HTML, which are placed at
	// {{template "content" .}} or {{block "content" .}}{{end}}.
	TextLayout string
	HTMLLayout string

	// Partials are further templates by name, for {{template "footer" .}}. One
	// whose name ends in .html is for HTML, in .txt for Text and Subject, any
	// other for all; the ending may be left out where it is used.
	Partials map[string]string

	// Funcs are functions beside the built-in ones, which they may replace.
	Funcs map[string]any

	// KeepCSS leaves <style> elements as they are. By default their rules are
	// copied into style attributes, since some clients ignore the element.
	KeepCSS bool

	// AllowMissing makes a missing key and a null empty instead of an error.
	AllowMissing bool
}

// The names of a template's parts: its files, where it is a folder.
const (
	subjectFile    = "subject.txt"
	textFile       = "body.txt"
	htmlFile       = "body.html"
	textLayoutFile = "layout.txt"
	htmlLayoutFile = "layout.html"
)

// Read takes a Source from a folder: subject.txt, body.txt, body.html,
// layout.txt and layout.html, each of which may be absent; every other .txt and
// .html file is a partial of that name. Further files and folders are ignored.
func Read(fsys fs.FS) (Source, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return Source{}, fmt.Errorf("mailtemplate: read folder: %w", err)
	}
	s := Source{Partials: map[string]string{}}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || path.Ext(name) != ".txt" && path.Ext(name) != ".html" {
			continue
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return Source{}, &Error{Part: name, Err: err}
		}
		// Some editors begin UTF-8 files with a byte order mark.
		s.take(name, strings.TrimPrefix(string(content), "\ufeff"))
	}
	return s, nil
}

func (s *Source) take(name, text string) {
	switch name {
	case subjectFile:
		s.Subject = text
	case textFile:
		s.Text = text
	case htmlFile:
		s.HTML = text
	case textLayoutFile:
		s.TextLayout = text
	case htmlLayoutFile:
		s.HTMLLayout = text
	default:
		s.Partials[name] = text
	}
}

// part is one text of a Source.
type part struct {
	name string // in {{template "name"}}
	file string // in errors
	text string
}

// textParts are those of subject and text.
func (s Source) textParts() []part {
	return append(s.partials(".txt"),
		part{subjectFile, subjectFile, s.Subject},
		part{textLayoutFile, textLayoutFile, s.TextLayout},
		part{"content", textFile, s.Text})
}

func (s Source) htmlParts() []part {
	return append(s.partials(".html"),
		part{htmlLayoutFile, htmlLayoutFile, s.HTMLLayout},
		part{"content", htmlFile, s.HTML})
}

// partials returns those for one ending, under both of their names. The ones
// without an ending come first, so that footer.html is preferred to footer.
func (s Source) partials(ending string) (parts []part) {
	for name, text := range s.Partials {
		short, mine := strings.CutSuffix(name, ending)
		if mine || path.Ext(name) != ".txt" && path.Ext(name) != ".html" {
			parts = append(parts, part{short, name, text})
		}
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(len(a.file)-len(a.name), len(b.file)-len(b.name)), cmp.Compare(a.name, b.name))
	})
	return parts
}

var (
	errNoContent    = errors.New(`never calls {{template "content" .}}, so that the body would be lost`)
	errNoBody       = errors.New("neither Text nor HTML: there would be nothing to read")
	errReservedName = errors.New("this name belongs to another part; rename the partial")
)

func (s Source) check() error {
	if s.Text == "" && s.HTML == "" {
		return &Error{Part: textFile, Err: errNoBody}
	}
	for name := range s.Partials {
		switch strings.TrimSuffix(strings.TrimSuffix(name, ".txt"), ".html") {
		case "", "content", "subject", "body", "layout":
			return &Error{Part: name, Err: errReservedName}
		}
	}
	return nil
}
