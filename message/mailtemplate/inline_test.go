package mailtemplate_test

import (
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message/mailtemplate"
)

func TestInlineCSS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, css, body, wantCSS, wantBody string }{
		{"a rule becomes an attribute",
			`p { color: red }`, `<p class="x">a</p>`,
			``, `<p style="color: red" class="x">a</p>`},
		{"the more specific rule wins",
			`#i { color: red } .c { color: green } p { color: blue; margin: 0 }`, `<p id=i class=c>a</p><p class=c>b</p>`,
			``, `<p style="margin: 0; color: red" id=i class=c>a</p><p style="margin: 0; color: green" class=c>b</p>`},
		{"of equals the later wins",
			`.a { color: red } .b { color: blue }`, `<p class="b a">a</p>`,
			``, `<p style="color: blue" class="b a">a</p>`},
		{"an attribute of the author's wins",
			`p { color: red; margin: 0 }`, `<p style="color:blue">a</p>`,
			``, `<p style="margin: 0; color: blue">a</p>`},
		{"!important wins over the author's attribute",
			`p { color: red !important }`, `<p style="color:blue; margin:0">a</p>`,
			``, `<p style="margin: 0; color: red">a</p>`},
		{"!important in the attribute wins over all",
			`#i { color: red !important }`, `<p id=i style='color:blue!important'>a</p>`,
			``, `<p id=i style="color: blue !important">a</p>`},
		{"values for clients of several ages stay together",
			`p { background: red } p { background: #eee; background: linear-gradient(red, blue) }`, `<p>a</p>`,
			``, `<p style="background: #eee; background: linear-gradient(red, blue)">a</p>`},
		{"a shorthand does not swallow what follows",
			`p { margin: 0 } .c { margin-left: 1px }`, `<p class=c>a</p>`,
			``, `<p style="margin: 0; margin-left: 1px" class=c>a</p>`},
		{":hover stays and still overrides",
			`a { color: red } a:hover { color: blue; cursor: help }`, `<a>b</a>`,
			`a:hover { color: blue !important; cursor: help }`, `<a style="color: red">b</a>`},
		{":hover that was overridden stays so",
			`a:hover { color: blue } #i { color: red }`, `<a id=i>b</a>`,
			`a:hover { color: blue }`, `<a style="color: red" id=i>b</a>`},
		{"@media stays and still overrides",
			`.c { width: 600px } @media (max-width: 600px) { .c { width: 100% } .d, .e { font-size: 1px } }`, `<p class=c>a</p>`,
			"@media (max-width: 600px) {\n.c { width: 100% !important }\n.d, .e { font-size: 1px }\n}", `<p style="width: 600px" class=c>a</p>`},
		{"@media does not override the author's attribute",
			`.c { width: 600px } @media print { .c { width: 100% } }`, `<p class=c>a</p><p style="width:1px">b</p>`,
			"@media print {\n.c { width: 100% !important }\n}", `<p style="width: 600px" class=c>a</p><p style="width: 1px !important">b</p>`},
		{"!important is kept where it must beat what stays",
			`@media print { p { color: red !important } } .c { color: blue !important }`, `<p class=c>a</p>`,
			"@media print {\np { color: red !important }\n}", `<p style="color: blue !important" class=c>a</p>`},
		{"selectors are parted",
			`a:link, a:visited, .none, p { color: red }`, `<a href=x>b</a>`,
			"a:visited { color: red !important }\n.none, p { color: red }", `<a style="color: red" href=x>b</a>`},
		{"commas in brackets part nothing",
			`[title="a,b"] { color: red } p:is(.a, .b) { color: blue }`, `<p title="a,b">a</p>`,
			`p:is(.a, .b) { color: blue !important }`, `<p style="color: red" title="a,b">a</p>`},
		{"what cannot be inlined stays",
			`@charset "utf-8"; @font-face { font-family: "A"; src: url(a.woff) } @media print { @media screen { p { color: red } } } * { margin: 0 } .ReadMsgBody { width: 100% }`, `<p>a</p>`,
			"@charset \"utf-8\";\n@font-face { font-family: \"A\"; src: url(a.woff) }\n@media print {\n@media screen {\np { color: red }\n}\n}\n* { margin: 0 }\n.ReadMsgBody { width: 100% }", `<p>a</p>`},
		{"selectors of every static kind match",
			`ul > li:first-child { a: 1 } li + li { b: 1 } li:not(.x):last-child { c: 1 } li:nth-child(2n+1) { d: 1 } UL LI { e: 1 }`, `<ul><li>1</li><li>2</li></ul>`,
			``, `<ul><li style="e: 1; d: 1; a: 1">1</li><li style="b: 1; e: 1; c: 1">2</li></ul>`},
		{"a data URL is one value",
			`p { background: url(data:image/png;base64,AA==); color: red }`, `<p>a</p>`,
			``, `<p style="background: url(data:image/png;base64,AA==); color: red">a</p>`},
		{"quotes are escaped",
			`p { font-family: "A & B", 'C' }`, `<p>a</p>`,
			``, `<p style="font-family: &quot;A &amp; B&quot;, 'C'">a</p>`},
		{"rows of a table need no tbody in the source",
			`tbody > tr td { a: 1 }`, `<table><tr><td>x</td></tr></table>`,
			``, `<table><tr><td style="a: 1">x</td></tr></table>`},
		{"tags of every form",
			`br, img, p { a: 1 }`, "<br/><IMG\n\tSTYLE = b:2 src='>'/><p\n>x",
			``, "<br style=\"a: 1\"/><IMG style=\"a: 1; b: 2\" src='>'/><p style=\"a: 1\"\n>x"},
		{"comments in CSS are no obstacle",
			`/* a */ p /* b */ { /* c */ color: /* d */ red; /* e: f; */ }`, `<p>a</p>`,
			``, `<p style="color: red">a</p>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want := ""
			if test.wantCSS != "" {
				want = "<style>\n" + test.wantCSS + "\n</style>"
			}
			got, err := mailtemplate.InlineCSS("<style>" + test.css + "</style>" + test.body)
			if err != nil {
				t.Fatal(err)
			}
			if got != want+test.wantBody {
				t.Errorf("got  %s\nwant %s", got, want+test.wantBody)
			}
		})
	}
}

// TestInlineCSSLeavesAlone: what is no style attribute stays octet for octet.
func TestInlineCSSLeavesAlone(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		"", "plain", "<p>no style", "<style>", "<style>p{}", "<p", "<p a=1 a=2 >&nbsp;&copy;&#8364; &amp;amp; < > \" ' \x00",
		"<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\r\n<HTML>\r\n",
		"<!--[if mso]><style>p{color:red}</style><table><tr><td><![endif]--><p>x</p><!--[if mso]></td></tr></table><![endif]-->",
		"<![if !mso]><p>x</p><![endif]><!--[if !mso]><!--><p>y</p><!--<![endif]-->",
		"<style media=\"print\">p{color:red}</style><style type=text/less>p{a:b}</style><p>x</p>",
		"<title>p</title><textarea><p></textarea><script>'<p>'</script>",
	} {
		for _, css := range []string{"", "<style>.nothing { a: b }</style>"} {
			if strings.Contains(document, "<style>") && css != "" {
				continue
			}
			got, err := mailtemplate.InlineCSS(css + document)
			if err != nil {
				t.Fatal(err)
			}
			got = strings.Replace(got, "<style>\n.nothing { a: b }\n</style>", css, 1)
			if got != css+document {
				t.Errorf("got  %q\nwant %q", got, css+document)
			}
		}
	}
}

func TestInlineCSSRefusesDepth(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(string) (string, error){"InlineCSS": mailtemplate.InlineCSS, "TextFromHTML": mailtemplate.TextFromHTML} {
		if _, err := f("<style>p{a:b}</style>" + strings.Repeat("<div>", 100_000)); err == nil {
			t.Errorf("%s takes 100,000 elements within each other", name)
		}
	}
}

// FuzzInlineCSS: whatever the document, there is no panic, the marks do not
// show, and no script appears.
func FuzzInlineCSS(f *testing.F) {
	f.Add("<style>p{a:b}</style><p style=x:y>")
	f.Add("<style>a:hover,b{a:b!important}@media x{b{a:c}}</style><b style='a:d'>x<![if x]><svg><style>b{}</style></svg>")
	f.Add("<style>@media x{@media y{{}}</style><style>}{;:!important}</style><p/style>")
	f.Add("<a><p><a></p><table><b><tr><p></table><select><p><plaintext><p>")
	f.Fuzz(func(t *testing.T, document string) {
		got, err := mailtemplate.InlineCSS(document)
		if err != nil {
			return
		}
		if strings.Contains(got, "data-kaizen-tag") && !strings.Contains(document, "data-kaizen-tag") {
			t.Errorf("a mark shows:\n%q\n%q", document, got)
		}
		if strings.Count(strings.ToLower(got), "<script") > strings.Count(strings.ToLower(document), "<script") {
			t.Errorf("a script appeared:\n%q\n%q", document, got)
		}
	})
}
