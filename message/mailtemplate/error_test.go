package mailtemplate_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kaizenmail/kaizen/message/mailtemplate"
)

// TestNewErrors: what is wrong with a template is said before the first row.
func TestNewErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		source mailtemplate.Source
		part   string
		line   int
		says   string
	}{
		"no body":         {mailtemplate.Source{Subject: "x"}, "body.txt", 0, "neither Text nor HTML"},
		"syntax":          {mailtemplate.Source{Subject: "x", Text: "a\nb {{if}}"}, "body.txt", 2, "missing value for if"},
		"subject":         {mailtemplate.Source{Subject: "{{", Text: "a"}, "subject.txt", 1, "unclosed action"},
		"function":        {mailtemplate.Source{HTML: "\n\n{{nope}}"}, "body.html", 3, `function "nope" not defined`},
		"inner function":  {mailtemplate.Source{HTML: "{{_verbatim .}}"}, "body.html", 1, `function "_verbatim" not defined`},
		"no such partial": {mailtemplate.Source{Text: "a", TextLayout: `{{template "content"}}` + "\n" + `{{template "foot"}}`}, "layout.txt", 2, `no template "foot"`},
		"partial":         {mailtemplate.Source{Text: "a", Partials: map[string]string{"foot.txt": "\n{{end}}"}}, "foot.txt", 2, "unexpected {{end}}"},
		"context":         {mailtemplate.Source{HTML: "a\n<a href=\"{{if .x}}\"{{end}}>"}, "body.html", 2, "branches end in different contexts"},
		"inner context":   {mailtemplate.Source{HTMLLayout: "\n{{template \"content\" .}}", HTML: "\n\n<a title='{{if .x}}'{{end}}>"}, "body.html", 3, "branches end in different contexts"},
		"lost body":       {mailtemplate.Source{HTML: "a", HTMLLayout: "<p>no place</p>"}, "layout.html", 0, "never calls"},
		"reserved name":   {mailtemplate.Source{Text: "a", Partials: map[string]string{"content": "b"}}, "content", 0, "another part"},
		"no function":     {mailtemplate.Source{Text: "a", Funcs: map[string]any{"f": 1}}, "Funcs", 0, "not a function"},
	} {
		_, err := mailtemplate.New(test.source)
		checkError(t, name, err, test.part, test.line, test.says)
	}
}

func checkError(t *testing.T, name string, err error, part string, line int, says string) {
	t.Helper()
	var e *mailtemplate.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: no Error, but %v", name, err)
		return
	}
	if e.Part != part || e.Line != line || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %q line %d: %q; want %q line %d: %q", name, e.Part, e.Line, err, part, line, says)
	}
	if strings.Contains(err.Error(), "_present") || strings.Contains(err.Error(), "_optional") || strings.Count(err.Error(), "template:") > 1 {
		t.Errorf("%s: %q shows what is inside", name, err)
	}
}

func TestRenderErrors(t *testing.T) {
	t.Parallel()
	data := map[string]any{"name": "Ann", "null": nil, "lines": "a\nBcc: b", "nested": map[string]any{}}
	for name, test := range map[string]struct {
		source mailtemplate.Source
		part   string
		line   int
		says   string
	}{
		"missing in subject":   {mailtemplate.Source{Subject: "{{.nmae}}", Text: "a"}, "subject.txt", 1, `no entry for key "nmae"`},
		"missing in text":      {mailtemplate.Source{Text: "a\n{{.nmae}}"}, "body.txt", 2, `no entry for key "nmae"`},
		"missing in HTML":      {mailtemplate.Source{HTML: "a\n\n<a href='{{.nmae}}'>"}, "body.html", 3, `no entry for key "nmae"`},
		"missing below":        {mailtemplate.Source{Text: "{{.nested.a}}"}, "body.txt", 1, `no entry for key "a"`},
		"missing in condition": {mailtemplate.Source{Text: "{{if .vpi}}a{{end}}"}, "body.txt", 1, `no entry for key "vpi"`},
		"missing in partial":   {mailtemplate.Source{Text: `{{template "foot" .}}`, Partials: map[string]string{"foot": "\n{{.x}}"}}, "foot", 2, `no entry for key "x"`},
		"null":                 {mailtemplate.Source{Text: "a\n{{.null}}"}, "body.txt", 2, "{{.null}} is missing or null"},
		"null in HTML":         {mailtemplate.Source{HTML: "<p>\n{{.null | upper}}"}, "body.html", 2, "{{.null | upper}} is missing or null"},
		"null in printf":       {mailtemplate.Source{Text: `{{printf "%v" .null}}`}, "body.txt", 1, "missing or null"},
		"null in urlquery":     {mailtemplate.Source{HTML: `{{.null | urlquery}}`}, "body.html", 1, "missing or null"},
		"null in an argument":  {mailtemplate.Source{Text: `{{upper (urlquery .null)}}`}, "body.txt", 1, "missing or null"},
		"element":              {mailtemplate.Source{Text: `{{index .nested "x"}}`}, "body.txt", 1, "missing or null"},
		"date":                 {mailtemplate.Source{Text: `{{date "2006" .name}}`}, "body.txt", 1, `"Ann" is not like 2026-01-31`},
		"number":               {mailtemplate.Source{Text: `{{fixed 2 .name}}`}, "body.txt", 1, `"Ann" is not a number`},
		"list":                 {mailtemplate.Source{Text: `{{join "," .name}}`}, "body.txt", 1, "a string is not a list"},
		"subject of two lines": {mailtemplate.Source{Subject: "a {{.lines}}", Text: "a"}, "subject.txt", 0, "more than one line"},
		"endless recursion":    {mailtemplate.Source{Text: `{{define "a"}}{{template "b" .}}{{end}}{{define "b"}}{{template "a" .}}{{end}}{{template "a" .}}`}, "body.txt", 1, "exceeded maximum template depth"},
		"endless HTML":         {mailtemplate.Source{HTML: `{{define "a"}}<p>{{template "a" .}}</p>{{end}}{{template "a" .}}`}, "body.html", 1, "exceeded maximum template depth"},
		"endless loop":         {mailtemplate.Source{Text: `{{range 9000000000000000}}{{end}}`}, "body.txt", 0, "does not end"},
		"endless output":       {mailtemplate.Source{Text: `{{range 9000000000000000}}{{printf "%9999d" 1}}{{end}}`}, "body.txt", 0, "does not end"},
		"endless doubling":     {mailtemplate.Source{Text: `{{$x := "aaaa"}}{{range 60}}{{$x = print $x $x}}{{end}}`}, "body.txt", 1, "does not end"},
		"too deep":             {mailtemplate.Source{HTML: `{{range 10000}}<div>{{end}}<style>p{a:b}</style>`}, "body.html", 0, "512"},
	} {
		tm, err := mailtemplate.New(test.source)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, err := tm.Render(data)
		checkError(t, name, err, test.part, test.line, test.says)
		if r != (mailtemplate.Rendered{}) {
			t.Errorf("%s: something was rendered: %+v", name, r)
		}
	}
}

func TestAllowMissing(t *testing.T) {
	t.Parallel()
	source := mailtemplate.Source{AllowMissing: true}
	for _, expression := range []string{
		"{{.a}}", "{{.a.b.c}}", "{{$.a.b}}", "{{.null}}", "{{.null.x}}", "{{upper .a}}", "{{.a | title | lower}}", `{{date "2006" .a}}`, "{{fixed 2 .a}}",
		`{{join "," .a}}`, `{{print .a}}`, `{{printf "%s" .a}}`, `{{urlquery .a}}`, `{{html .a}}`, `{{index .m "x"}}`, "{{if .a}}x{{end}}", "{{range .a}}x{{end}}",
		"{{with .a.b}}x{{end}}", `{{.m.x}}`, "{{$x := .a}}{{$x}}",
	} {
		source.Text, source.HTML = expression, "<p>"+expression+"</p>"
		r, err := mustNew(t, source).Render(map[string]any{"null": nil, "m": map[string]any{}})
		if err != nil || r.Text != "" || r.HTML != "<p></p>" {
			t.Errorf("%s: %q, %q, %v", expression, r.Text, r.HTML, err)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	source := mailtemplate.Source{Partials: map[string]string{"domain": "example.com"}}
	line, err := source.Line("To", `{{.name}} <{{.user}}@{{template "domain"}}> `)
	if err != nil {
		t.Fatal(err)
	}
	got, err := line.Render(map[string]string{"name": "Ann & Bob", "user": "ann"})
	if want := "Ann & Bob <ann@example.com>"; got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, hostile := range []string{"a\nb", "a\r\nBcc: b", "a\rb", "a\x00b"} {
		got, err := line.Render(map[string]string{"name": hostile, "user": "ann"})
		if !errors.Is(err, mailtemplate.ErrLineBreak) || got != "" {
			t.Errorf("%q: %q, %v", hostile, got, err)
		}
		checkError(t, hostile, err, "To", 0, "more than one line")
	}
	_, err = line.Render(map[string]string{"name": "Ann"})
	checkError(t, "missing", err, "To", 1, `no entry for key "user"`)
	_, err = mailtemplate.Source{}.Line("--attach", "{{.x")
	checkError(t, "syntax", err, "--attach", 1, "unclosed action")
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	if _, err := mailtemplate.Read(broken{fstest.MapFS{}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	_, err := mailtemplate.Read(broken{fstest.MapFS{"body.txt": &fstest.MapFile{}}})
	checkError(t, "file", err, "body.txt", 0, "permission denied")
}

// broken has files that cannot be read.
type broken struct{ fstest.MapFS }

func (b broken) Open(name string) (fs.File, error) {
	if name == "." && len(b.MapFS) == 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("permission denied")}
	}
	return b.MapFS.Open(name)
}

func (b broken) ReadDir(name string) ([]fs.DirEntry, error) {
	if len(b.MapFS) == 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return b.MapFS.ReadDir(name)
}

func (b broken) ReadFile(name string) ([]byte, error) {
	_, err := b.Open(name)
	return nil, err
}
