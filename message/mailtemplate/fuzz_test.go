package mailtemplate_test

import (
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message/mailtemplate"
)

// FuzzTemplate: whatever a template says, there is no panic, it ends, and
// nothing is printed that is not there.
func FuzzTemplate(f *testing.F) {
	f.Add("{{.name}}", `{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}`, "<p>{{.null | default 1}}</p>")
	f.Add("{{default .x $.y}}", `{{range $i, $x := .list}}{{if eq $x "a"}}{{break}}{{else}}{{continue}}{{end}}{{else}}-{{end}}`, "<style>p{a:{{.name}}}</style><!--[if mso]>{{.name}}<![endif]-->")
	f.Add("{{with $x := .nested}}{{$x.a.b | printf \"%s\"}}{{end}}", "{{block \"b\" .}}{{.}}{{end}}", "<a href='{{.name}}' onclick='{{.list}}' style='{{.name}}'>")
	f.Add("{{fixed 3 .n}}", "{{range 99999999999}}{{end}}", "{{html .null}}{{- /* a */ -}}{{urlquery .null}}{{date .name .name}}{{join .list .list}}")
	f.Fuzz(func(t *testing.T, subject, text, html string) {
		for _, lenient := range []bool{false, true} {
			tm, err := mailtemplate.New(mailtemplate.Source{Subject: subject, Text: text, HTML: html, AllowMissing: lenient})
			if err != nil {
				if !strings.HasPrefix(err.Error(), "mailtemplate: ") {
					t.Errorf("%v", err)
				}
				continue
			}
			r, err := tm.Render(map[string]any{"name": "Ann", "null": nil, "n": 3, "list": []any{"a", "b"}, "nested": map[string]any{"a": map[string]any{"b": "c"}}})
			if err != nil {
				continue
			}
			if strings.ContainsAny(r.Subject, "\r\n\x00") {
				t.Errorf("subject %q", r.Subject)
			}
			if strings.Contains(r.Text, "<no value>") && !strings.Contains(text, "no value") {
				t.Errorf("%q becomes %q", text, r.Text)
			}
		}
	})
}
