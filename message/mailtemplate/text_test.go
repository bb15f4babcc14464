package mailtemplate_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/message/mailtemplate"
)

func TestTextFromHTML(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, html, want string }{
		{"nothing", ``, ``},
		{"only a picture", `<p><img src=x alt=""></p>`, ``},
		{"paragraphs", "<p>a\n  b</p><p>c</p>d<div>e</div><div>f</div>", "a b\n\nc\n\nd\ne\nf\n"},
		{"headings", `<h1>A</h1><div><h2>B</h2></div>c`, "A\n\nB\n\nc\n"},
		{"line breaks", `a<br>b<br/><br>c<p>d</p>`, "a\nb\n\nc\n\nd\n"},
		{"marked words", `a<b> b</b> <i>c</i>d<span>, e</span>`, "a b cd, e\n"},
		{"entities", `&lt;b&gt; &amp;amp; a&nbsp;b &euro;`, "<b> &amp; a b €\n"},
		{"links", `<a href="https://e.example/?a=1&amp;b=2">b</a>, <a href="https://e.example">https://e.example</a>`, "b (https://e.example/?a=1&b=2), https://e.example\n"},
		{"addresses", `<a href="mailto:a@e.example">a@e.example</a> <a href="mailto:a@e.example">Ann</a> <a href="tel:123">123</a>`, "a@e.example Ann (a@e.example) 123\n"},
		{"links to nowhere", `<a href="#a">a</a> <a name=b>b</a> <a href="javascript:x">c</a> <a href="/d">d</a>`, "a b c d\n"},
		{"pictures", `<img alt="A  cat"> <a href="http://e.example"><img alt="Dog"></a> <a href="http://e.example"><img></a>`, "A cat Dog (http://e.example) http://e.example\n"},
		{"lists", `<ul><li>a<li>b<ol start=9><li>c<li>d<br>e</ol></ul><p>f`, "- a\n- b\n  9. c\n  10. d\n      e\n\nf\n"},
		{"definitions", `<dl><dt>a<dd>b<dd>c</dl>`, "a\n  b\n  c\n"},
		{"quotations", `a<blockquote>b<p>c</p><blockquote>d</blockquote></blockquote>e`, "a\n\n> b\n>\n> c\n>\n> > d\n\ne\n"},
		{"preformatted", "<pre>\na  b\n   c\n\nd</pre>", "a  b\n   c\n\nd\n"},
		{"a table of data", `<table><tr><th>Item<th>Price<tr><td>Cup<td>3<tr><td>Teapot<td>12</table>`, "Item    Price\nCup     3\nTeapot  12\n"},
		{"a wide table", `<table><tr><td>` + strings.Repeat("a", 50) + `<td>` + strings.Repeat("b", 50) + `</table>`, strings.Repeat("a", 50) + " | " + strings.Repeat("b", 50) + "\n"},
		{"a table for layout", `<table><tr><td><h1>a</h1><td><p>b</p></tr><tr><td>c</td></tr></table>`, "a\n\nb\n\nc\n"},
		{"what is not shown", `<head><title>x</title></head><style>x</style><script>x</script><!-- x --><p style="color:red; display : none">x</p><p hidden>x</p><template>x</template>a`, "a\n"},
		{"fillers of preheaders", "a&zwnj;&#847;\u00ad\u200b\ufeff b&#8199;&#8199;", "a\u200c b\n"},
		{"conditional comments", `<!--[if mso]>x<![endif]-->a<!--[if !mso]><!-->b<!--<![endif]-->`, "ab\n"},
		{"empty items", `<ul><li></li><li>a</li></ul><blockquote></blockquote>b`, "- a\n\nb\n"},
		{"a rule", `a<hr>b`, "a\n\n----------\n\nb\n"},
		{"right to left", `<p dir=rtl>שלום <b>עולם</b></p>`, "שלום עולם\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := mailtemplate.TextFromHTML(test.html)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// FuzzTextFromHTML: whatever the document, there is no panic, and the text has
// neither spaces at the ends of lines nor more octets than the document can hold.
func FuzzTextFromHTML(f *testing.F) {
	f.Add("<table><tr><td>a<td>b<table><tr><td>c</table></table><ul><li><blockquote><pre> x\n y")
	f.Add("<ol start=-99999999999999999999><li>a<li><li>b</ol><a href=http:>x<a href=mailto:>y<br><br><br><br>z")
	f.Add("<blockquote><blockquote><p><p>a<hr></blockquote>b<dl><dd>c<dt>")
	f.Fuzz(func(t *testing.T, document string) {
		got, err := mailtemplate.TextFromHTML(document)
		if err != nil {
			return
		}
		if utf8.ValidString(document) && !utf8.ValidString(got) {
			t.Errorf("%q becomes invalid UTF-8: %q", document, got)
		}
		if strings.HasPrefix(got, "\n") || strings.HasSuffix(got, "\n\n") || strings.Contains(got, " \n") {
			t.Errorf("%q has stray space: %q", document, got)
		}
		if limit := 1000 + 600*len(document); len(got) > limit {
			t.Errorf("%d octets become %d", len(document), len(got))
		}
	})
}
