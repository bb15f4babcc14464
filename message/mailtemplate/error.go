package mailtemplate

import (
	"errors"
	"html/template"
	"regexp"
	"strconv"
)

// Error says where a template is wrong, or does not fit its data.
type Error struct {
	Part string // "subject.txt", "body.html", …, the name of a partial or a Line
	Line int    // from 1; 0 if it is not known
	Err  error  // what is wrong
}

// Error names part and line first.
func (e *Error) Error() string {
	where := "mailtemplate: " + e.Part
	if e.Line > 0 {
		where += " line " + strconv.Itoa(e.Line)
	}
	what := e.Err.Error()
	if missing := (*missingError)(nil); errors.As(e.Err, &missing) {
		what = missing.Error()
	} else if found := position.FindStringSubmatch(what); found != nil {
		what = found[3]
	}
	return where + ": " + what
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// ErrLineBreak is what [Template.Render] and [Line.Render] fail with if CR, LF
// or NUL would get into a line: a subject, an address, a file name. Check for it
// with errors.Is.
var ErrLineBreak = errors.New("renders to more than one line (or holds NUL)")

// missingError is a value that is not there.
type missingError struct{ expression string }

func (e *missingError) Error() string {
	return e.expression + " is missing or null; give it a value, or say what stands for it: {{default \"…\" …}}"
}

// errEndless stops a template that would run for ever.
var errEndless = errors.New("the template does not end: too long an output, or too many steps")

// position is how the standard library's errors begin.
var position = regexp.MustCompile(`(?s)^(?:html/)?template: ?([^\n]*?):(\d+)(?::\d+)?: (?:executing "[^\n]*?" at (?:<[^\n]*?>: )?)?(.*)$`)

// locate turns an error of the standard library into an Error. The part is
// said for those that name none.
func locate(err error, part string) error {
	located := &Error{Part: part, Err: err}
	if e := (*template.Error)(nil); errors.As(err, &e) && e.Line > 0 {
		located.Part, located.Line = e.Name, e.Line
	}
	if found := position.FindStringSubmatch(err.Error()); found != nil {
		located.Part = found[1]
		located.Line, _ = strconv.Atoi(found[2])
	}
	return located
}
