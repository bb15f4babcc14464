package mailtemplate

import (
	"fmt"
	htmltemplate "html/template"
	"io"
	texttemplate "text/template"
	"text/template/parse"
)

// program is a template of the standard library that is ready to run.
type program struct {
	templates executor
	entry     string // the template to begin with
	part      string // for errors that name none
}

// executor is a *template.Template, of text or of HTML.
type executor interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}

func (p *program) execute(w io.Writer, data any) error {
	if err := p.templates.ExecuteTemplate(&bounded{w: w}, p.entry, data); err != nil {
		return locate(err, p.part)
	}
	return nil
}

// compileText parses templates that call each other and checks what can be
// checked without data.
func (s Source) compileText(parts []part) (*texttemplate.Template, error) {
	funcs, err := s.functions()
	if err != nil {
		return nil, err
	}
	set := texttemplate.New("").Funcs(funcs).Option("missingkey=error")
	for _, p := range parts {
		t, err := set.New(p.file).Parse(p.text)
		if err != nil {
			return nil, locate(err, p.file)
		}
		if p.name != p.file {
			// A copy, since html/template changes each tree for its place.
			if _, err := set.AddParseTree(p.name, t.Tree.Copy()); err != nil {
				return nil, locate(err, p.file)
			}
		}
	}
	for _, t := range set.Templates() {
		if t.Tree == nil || t.Root == nil {
			continue
		}
		if err := checkCalls(set, t.Tree); err != nil {
			return nil, err
		}
		s.guard(t.Tree)
	}
	for _, layout := range []string{textLayoutFile, htmlLayoutFile} {
		if err := checkLayout(set, layout); err != nil {
			return nil, err
		}
	}
	return set.Funcs(s.guards()), nil
}

// compileHTML does the same for HTML, and has the contexts checked in which
// data will stand.
func (s Source) compileHTML(parts []part, entry string) (*program, error) {
	parsed, err := s.compileText(parts)
	if err != nil {
		return nil, err
	}
	funcs, err := s.functions()
	if err != nil {
		return nil, err
	}
	set := htmltemplate.New("").Funcs(funcs).Funcs(s.guards()).Option("missingkey=error")
	for _, t := range parsed.Templates() {
		if t.Tree == nil {
			continue
		}
		keepConditionalComments(t.Tree)
		if _, err := set.AddParseTree(t.Name(), t.Tree); err != nil {
			return nil, locate(err, t.Name())
		}
	}
	// html/template looks at a template only when it is executed. This one
	// leads there, and prints nothing.
	const check = "\x00check"
	t, err := set.New(check).Parse(fmt.Sprintf("{{if false}}{{template %q .}}{{end}}", entry))
	if err != nil {
		return nil, locate(err, htmlFile)
	}
	if err := t.Execute(io.Discard, nil); err != nil {
		return nil, locate(err, htmlFile)
	}
	return &program{set, entry, htmlFile}, nil
}

// checkLayout finds a layout without a place for the body.
func checkLayout(set *texttemplate.Template, layout string) error {
	t := set.Lookup(layout)
	if t == nil || parse.IsEmptyTree(t.Root) {
		return nil
	}
	called := false
	for _, t := range set.Templates() {
		if t.Tree == nil {
			continue
		}
		walk(t.Root, func(n parse.Node) {
			call, ok := n.(*parse.TemplateNode)
			called = called || ok && call.Name == "content"
		})
	}
	if !called {
		return &Error{Part: layout, Err: errNoContent}
	}
	return nil
}

// checkCalls finds {{template "name"}} for which there is none: the standard
// library would notice when the line is reached, which may be at the last row.
func checkCalls(set *texttemplate.Template, tree *parse.Tree) (err error) {
	walk(tree.Root, func(n parse.Node) {
		call, ok := n.(*parse.TemplateNode)
		if !ok || err != nil {
			return
		}
		if t := set.Lookup(call.Name); t == nil || t.Tree == nil {
			err = &Error{Part: tree.ParseName, Line: call.Line, Err: fmt.Errorf("no template %q", call.Name)}
		}
	})
	return err
}

// Bounds for one part of one message. They stop a template that does not end;
// no mail comes near them.
const (
	maxOutput = 16 << 20 // octets
	maxSteps  = 1 << 20  // pieces of text, values, rounds of loops, calls
)

// bounded passes on what a template writes until it has written too much. The
// guard sees to it that each round of a loop and each call writes.
type bounded struct {
	w             io.Writer
	octets, steps int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.octets += len(p)
	b.steps++
	if b.octets > maxOutput || b.steps > maxSteps {
		return 0, errEndless
	}
	if len(p) == 0 {
		return 0, nil
	}
	return b.w.Write(p)
}
