package mailtemplate_test

import (
	"errors"
	"html/template"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/message/mailtemplate"
)

func mustNew(t testing.TB, s mailtemplate.Source) *mailtemplate.Template {
	t.Helper()
	tm, err := mailtemplate.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

func mustRender(t testing.TB, s mailtemplate.Source, data any) mailtemplate.Rendered {
	t.Helper()
	r, err := mustNew(t, s).Render(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRender(t *testing.T) {
	t.Parallel()
	r := mustRender(t, mailtemplate.Source{
		Subject: " Your order, {{.name}}\n",
		Text:    "Dear {{.name}}",
		HTML:    "<p>Dear {{.name}}</p>",
	}, map[string]any{"name": "Ann & Bob"})
	m := message.Message{From: "a@example.com"}
	r.Fill(&m)
	if m.From != "a@example.com" || m.Subject != "Your order, Ann & Bob" || m.Text != "Dear Ann & Bob" || m.HTML != "<p>Dear Ann &amp; Bob</p>" {
		t.Errorf("%+v", r)
	}
}

func TestRenderStruct(t *testing.T) {
	t.Parallel()
	type city struct{ Name string }
	type person struct {
		Name string
		City *city
	}
	source := mailtemplate.Source{Text: `{{.Name}} {{default "nowhere" .City.Name}}`}
	if r := mustRender(t, source, person{"Ann", &city{"Porthaven"}}); r.Text != "Ann Porthaven" {
		t.Errorf("%q", r.Text)
	}
	if r := mustRender(t, source, &person{Name: "Bob"}); r.Text != "Bob nowhere" {
		t.Errorf("%q", r.Text)
	}
}

func TestLayoutsAndPartials(t *testing.T) {
	t.Parallel()
	r := mustRender(t, mailtemplate.Source{
		Subject:    `{{template "shop" .}}: {{.name}}`,
		Text:       `{{define "title"}}T{{end}}Dear {{.name}}`,
		HTML:       `{{define "title"}}H{{end}}<p>Dear {{.name}}</p>`,
		TextLayout: `[{{block "title" .}}-{{end}}] {{block "content" .}}nobody{{end}} {{template "foot" .}}`,
		HTMLLayout: `<h1>{{block "title" .}}-{{end}}</h1>{{template "content" .}}{{template "foot" .}}{{template "foot.html" .}}`,
		Partials:   map[string]string{"shop": "Tide & Water", "foot.txt": `-- {{template "shop"}}`, "foot.html": `<i>{{template "shop"}}, {{.name}}</i>`, "foot": "unused"},
	}, map[string]string{"name": "<Ann>"})
	want := mailtemplate.Rendered{
		Subject: "Tide & Water: <Ann>",
		Text:    "[T] Dear <Ann> -- Tide & Water",
		HTML:    "<h1>H</h1><p>Dear &lt;Ann&gt;</p><i>Tide & Water, &lt;Ann&gt;</i><i>Tide & Water, &lt;Ann&gt;</i>",
	}
	if r != want {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	s, err := mailtemplate.Read(fstest.MapFS{
		"subject.txt": file("\ufeffHi\r\n"), "body.txt": file("a"), "body.html": file("b"), "layout.txt": file("c"), "layout.html": file("d"),
		"foot.txt": file("e"), "foot.html": file("f"), "logo.png": file("g"), "notes.txt/x.txt": file("h"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Subject != "Hi\r\n" || s.Text != "a" || s.HTML != "b" || s.TextLayout != "c" || s.HTMLLayout != "d" {
		t.Errorf("%+v", s)
	}
	if want := map[string]string{"foot.txt": "e", "foot.html": "f"}; !maps.Equal(s.Partials, want) {
		t.Errorf("partials %v, want %v", s.Partials, want)
	}
}

func TestTextComesFromHTML(t *testing.T) {
	t.Parallel()
	source := mailtemplate.Source{HTML: `<style>.no{display:none} p{color:red}</style><p class="no">x</p><p>a <a href="https://e.example/{{.}}">b</a></p>`}
	for _, keep := range []bool{false, true} {
		source.KeepCSS = keep
		r := mustRender(t, source, "&")
		want := "a b (https://e.example/&)\n"
		if keep {
			want = "x\n\n" + want // what is hidden by a rule shows once that is inlined
		}
		if r.Text != want || strings.Contains(r.HTML, "<style>") != keep {
			t.Errorf("%+v", r)
		}
	}
}

// TestStylesheetOfOneRow: a style sheet may depend on the data.
func TestStylesheetOfOneRow(t *testing.T) {
	t.Parallel()
	tm := mustNew(t, mailtemplate.Source{HTML: `<style>p { color: {{.}} }</style><p>a</p>`})
	for _, colour := range []string{"red", "blue", "blue", "red", "}p{a:b"} {
		r, err := tm.Render(colour)
		want := `<p style="color: ` + colour + `">a</p>`
		if strings.Contains(colour, "{") {
			want = `<p style="color: ZgotmplZ">a</p>`
		}
		if err != nil || r.HTML != want {
			t.Errorf("%s: %q, %v", colour, r.HTML, err)
		}
	}
}

func TestConditionalComments(t *testing.T) {
	t.Parallel()
	r := mustRender(t, mailtemplate.Source{HTML: `<!-- gone --><!--[if (gte mso 9)|(IE)]><table width="{{.}}"><tr><td>{{.}}<![endif]-->` +
		`{{if true}}<!--[if !mso]><!-->{{.}}<!--<![endif]-->{{end}}<![if !mso]>{{.}}<![endif]>`}, `--><b>"`)
	want := `<!--[if (gte mso 9)|(IE)]><table width="--&gt;&lt;b&gt;&#34;"><tr><td>--&gt;&lt;b&gt;&#34;<![endif]-->` +
		`<!--[if !mso]><!-->--&gt;&lt;b&gt;&#34;<!--<![endif]--><![if !mso]>--&gt;&lt;b&gt;&#34;<![endif]>`
	if r.HTML != want {
		t.Errorf("got  %s\nwant %s", r.HTML, want)
	}
}

// TestHostileData: data stays data, wherever it stands.
func TestHostileData(t *testing.T) {
	t.Parallel()
	for _, inner := range []string{
		`<p title="{{.}}">{{.}}</p>`, `<p title={{.}} class='{{.}}'>`, `<a href="{{.}}">x</a>`, `<a href="/?q={{.}}">x</a>`,
		`<p style="color: {{.}}">x</p>`, `<p style="background: url('{{.}}')">x</p>`, `<!--[if mso]><p>{{.}}</p><![endif]-->`,
		`<style>p { color: {{.}} } p:hover { font-family: "{{.}}" }</style><p>x</p>`,
	} {
		tm := mustNew(t, mailtemplate.Source{HTML: `<style>p { margin: 0 !important } .a { b: "c" }</style>` + inner})
		for _, data := range []string{
			`<script>alert(1)</script>`, `"><script>alert(1)</script>`, `' onclick='alert(1)`, `javascript:alert(1)`, ` JaVaScRiPt:alert(1)`, "java\tscript:alert(1)",
			`red" onclick="alert(1)`, `red&quot; onclick=&quot;alert(1)`, `red;} </style><script>alert(1)</script>`, `x onclick=alert(1)`, `--><script>alert(1)</script>`,
			`\22 onclick=`, `expression(alert(1))`, `') url('javascript:alert(1)`, `</p><style>p{background:url(javascript:1)}</style>`,
		} {
			r, err := tm.Render(data)
			if err != nil {
				t.Fatal(err)
			}
			lower := strings.ToLower(r.HTML)
			if strings.Contains(lower, "<script") || strings.Contains(lower, `" onclick=`) || strings.Contains(lower, `' onclick=`) ||
				strings.Contains(lower, `href="javascript:`) || strings.Contains(lower, `('javascript:`) || strings.Contains(lower, "(javascript:") && !strings.Contains(lower, "&lt;style") {
				t.Errorf("%s with %q:\n%s", inner, data, r.HTML)
			}
			kept := strings.Count(lower, "<style>")
			if kept != strings.Count(lower, "</style>") || kept > 2 {
				t.Errorf("%s with %q: style sheets do not match:\n%s", inner, data, r.HTML)
			}
		}
	}
}

func TestTrustedData(t *testing.T) {
	t.Parallel()
	r := mustRender(t, mailtemplate.Source{HTML: `{{.html}}`, Text: `{{.html}}`}, map[string]any{"html": template.HTML("<b>x</b>")})
	if r.HTML != "<b>x</b>" || r.Text != "<b>x</b>" {
		t.Errorf("%+v", r)
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	data := map[string]any{
		"name": " ann o'neil ", "none": nil, "empty": "", "zero": 0, "list": []any{"a", 1}, "strings": []string{"x", "y"}, "amount": "1234.5", "n": 3,
		"day": "2026-01-31", "time": time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC), "nested": map[string]any{"a": map[string]any{"b": "c"}},
	}
	for expression, want := range map[string]string{
		`{{default "x" .none}}{{default "x" .absent}}{{default "x" .empty}}{{default "x" .zero}}`: "xxxx",
		`{{.absent | default "x"}}{{.name | trim | default "x"}}`:                                 "xann o'neil",
		`{{default "x" .nested.a.b}}{{default "x" .nested.q.b}}{{default "x" $.absent.b}}`:        "cxx",
		`{{with $x := .nested}}{{default "x" $x.a.q}}{{(default "y" $x.q) | upper}}{{end}}`:       "xY",
		`{{if default false .absent}}a{{else}}b{{end}}`:                                           "b",
		`{{upper "é"}}{{lower "É"}}{{title .name}}{{"x" | title}}`:                                "Éé Ann O'neil X",
		`{{join ", " .list}} {{join "" .strings}}`:                                                "a, 1 xy",
		`{{date "2 January 2006" .day}} {{.time | date "15:04"}}`:                                 "31 January 2026 09:30",
		`{{fixed 2 .amount}} {{fixed 0 2.5}} {{.n | fixed 1}}`:                                    "1234.50 2 3.0",
		`{{printf "%05d" .n}} {{len .list}} {{index .list 0}} {{urlquery "a b"}}`:                 "00003 2 a a&#43;b",
	} {
		r := mustRender(t, mailtemplate.Source{Text: expression, HTML: expression}, data)
		if plain := strings.ReplaceAll(want, "a&#43;b", "a+b"); r.Text != plain {
			t.Errorf("%s: %q, want %q", expression, r.Text, plain)
		}
		if escaped := strings.ReplaceAll(want, "'", "&#39;"); strings.ReplaceAll(r.HTML, "a+b", "a&#43;b") != escaped {
			t.Errorf("%s: %q, want %q", expression, r.HTML, escaped)
		}
	}
}

func TestOwnFunctions(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such shop")
	funcs := map[string]any{
		"shop":  func(n int) (string, error) { return strings.Repeat("s", n), nil },
		"upper": func(s string) string { return "own " + s },
		"fails": func() (string, error) { return "", cause },
	}
	if r := mustRender(t, mailtemplate.Source{Subject: `{{upper "a"}}`, HTML: `{{shop 2}}`, Funcs: funcs}, nil); r.Subject != "own a" || r.HTML != "ss" {
		t.Errorf("%+v", r)
	}
	_, err := mustNew(t, mailtemplate.Source{HTML: `{{fails}}`, Funcs: funcs}).Render(nil)
	if !errors.Is(err, cause) {
		t.Errorf("%v does not lead to its cause", err)
	}
}

// TestRenderAtOnce is for the race detector.
func TestRenderAtOnce(t *testing.T) {
	t.Parallel()
	tm := letter(t, nil)
	want, err := tm.Render(row())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if got, err := tm.Render(row()); err != nil || got != want {
					t.Errorf("differs: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// TestRowsDiffer: what was found out about one row is not taken for another.
func TestRowsDiffer(t *testing.T) {
	t.Parallel()
	source := mailtemplate.Source{HTML: `<style>.a { a: 1 } [title="b"] { b: 1 } [lang] { c: 1 } #d { d: 1 } p:first-child { e: 1 } td:empty { f: 1 } .a:hover { a: 2 } a:link { g: 1 }</style>` +
		`<p class="{{.}}" title="{{.}}" alt="{{.}}" style="x: {{.}}">{{.}}</p>{{if eq . "a"}}<p id=d lang=en>{{.}}</p>{{end}}<table>{{range len .}}<tr><td>{{$}}</td><td></td></tr>{{end}}</table><a name="{{.}}">x</a><a href="{{.}}">x</a>`}
	inlined := mustNew(t, source)
	source.KeepCSS = true
	plain := mustNew(t, source)
	for _, data := range []string{"a", "b", "d", "b", "a", "", "dd", "a b", "a", "\x00", " "} {
		got, err := inlined.Render(data)
		if err != nil {
			t.Fatal(err)
		}
		before, err := plain.Render(data)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := mailtemplate.InlineCSS(before.HTML); err != nil || got.HTML != want {
			t.Errorf("%q: %v\ngot  %s\nwant %s", data, err, got.HTML, want)
		}
	}
}
