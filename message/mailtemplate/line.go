package mailtemplate

import "strings"

// Line is a template for one line: an address, a header field, a file name. It
// may be used by several goroutines at once.
type Line struct{ program *program }

// Line compiles a text/template for one line, with the functions and partials
// of s, and its rule for missing keys. The name is for errors, which are of type
// [*Error]. Source{}.Line will do where there is nothing but the line.
func (s Source) Line(name, text string) (*Line, error) {
	texts, err := s.compileText(append(s.partials(".txt"), part{"content", name, text}))
	if err != nil {
		return nil, err
	}
	return &Line{&program{texts, "content", name}}, nil
}

// Render fills the line with data, and cuts the space around it. One that holds
// CR, LF or NUL is refused with [ErrLineBreak]: it could not be an address or a
// header field, and as one might smuggle in another.
func (l *Line) Render(data any) (string, error) {
	var b strings.Builder
	if err := l.program.execute(&b, data); err != nil {
		return "", err
	}
	return oneLine(l.program.part, b.String())
}
