package mailtemplate

import (
	"bytes"
	"strings"
	"sync"

	"github.com/kaizenmail/kaizen/message"
)

// Template is a compiled Source. It may be used by several goroutines at once.
type Template struct {
	subject *program
	text    *program // nil: made from the HTML
	html    *program // nil: a message of text only
	keepCSS bool
	inliner inliner
	buffers sync.Pool // of *bytes.Buffer
}

// Rendered is what a Template makes of one person's data.
type Rendered struct {
	Subject string
	Text    string
	HTML    string
}

// Fill sets Subject, Text and HTML of a message and leaves the rest.
func (r Rendered) Fill(m *message.Message) {
	m.Subject, m.Text, m.HTML = r.Subject, r.Text, r.HTML
}

// New compiles a template. Errors are of type [*Error].
func New(s Source) (*Template, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	texts, err := s.compileText(s.textParts())
	if err != nil {
		return nil, err
	}
	t := &Template{keepCSS: s.KeepCSS, subject: &program{texts, subjectFile, subjectFile}}
	if s.Text != "" {
		t.text = &program{texts, entryPoint(s.TextLayout, textLayoutFile), textFile}
	}
	if s.HTML != "" {
		t.html, err = s.compileHTML(s.htmlParts(), entryPoint(s.HTMLLayout, htmlLayoutFile))
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// entryPoint is the name of the template to begin with.
func entryPoint(layout, layoutName string) string {
	if layout == "" {
		return "content"
	}
	return layoutName
}

// Render fills the template with data: a map with string keys or a struct,
// mostly. Errors are of type [*Error].
func (t *Template) Render(data any) (Rendered, error) {
	var r Rendered
	var err error
	if r.Subject, err = t.line(t.subject, data); err != nil {
		return Rendered{}, err
	}
	if t.text != nil {
		if r.Text, err = t.execute(t.text, data); err != nil {
			return Rendered{}, err
		}
	}
	if t.html == nil {
		return r, nil
	}
	if r.HTML, err = t.execute(t.html, data); err != nil {
		return Rendered{}, err
	}
	if err := t.finish(&r); err != nil {
		return Rendered{}, &Error{Part: htmlFile, Err: err}
	}
	return r, nil
}

// finish inlines the style sheet, and makes the text if there is none.
func (t *Template) finish(r *Rendered) (err error) {
	if !t.keepCSS {
		if r.HTML, err = t.inliner.inline(r.HTML); err != nil {
			return err
		}
	}
	if t.text == nil {
		r.Text, err = TextFromHTML(r.HTML)
	}
	return err
}

func (t *Template) execute(p *program, data any) (string, error) {
	b, _ := t.buffers.Get().(*bytes.Buffer)
	if b == nil {
		b = new(bytes.Buffer)
	}
	defer t.buffers.Put(b)
	b.Reset()
	err := p.execute(b, data)
	return b.String(), err
}

func (t *Template) line(p *program, data any) (string, error) {
	s, err := t.execute(p, data)
	if err != nil {
		return "", err
	}
	return oneLine(p.part, s)
}

func oneLine(part, s string) (string, error) {
	s = strings.TrimSpace(s)
	if strings.ContainsAny(s, "\r\n\x00") {
		return "", &Error{Part: part, Err: ErrLineBreak}
	}
	return s, nil
}
