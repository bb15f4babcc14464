package corpus

import (
	"bytes"
	"strings"

	"github.com/kaizenmail/kaizen/message"
)

func bodyCases() (cases []Case) {
	for _, hard := range bodies() {
		cases = append(cases,
			with("body/"+hard.name, func(m *message.Message) { m.Text = hard.text }),
			with("body/"+hard.name+"-both", func(m *message.Message) { m.Text, m.HTML = hard.text, hard.text }))
	}
	return append(cases,
		with("body/html-only", func(m *message.Message) { m.Text, m.HTML = "", "<p>Grüße</p>" }),
		with("body/empty", func(m *message.Message) { m.Text = "" }),
		with("body/empty-beside-attachment", func(m *message.Message) {
			m.Text, m.Attachments = "", []message.Attachment{{Name: "a.pdf", Data: []byte("pdf")}}
		}),
		with("body/boundary", func(m *message.Message) {
			m.HTML = "<p>hi"
			b := boundaryOf(m)
			m.Text = "--" + b + "\nContent-Type: text/plain\n\nforged\n--" + b + "--\n"
			m.Attachments = []message.Attachment{{Name: "b.txt", Data: []byte("\r\n--" + b + "--\r\n")}}
		}))
}

// boundaryOf returns a boundary that the message will have, whatever is in it.
func boundaryOf(m *message.Message) string {
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		panic(err) // an everyday message
	}
	_, after, _ := strings.Cut(b.String(), `boundary="`)
	boundary, _, _ := strings.Cut(after, `"`)
	return boundary
}

func bodies() []hardText {
	return []hardText{
		{"dots", ".\n..\n.x\n...\nü\n.\n"},
		{"dots-plain", ".\n..\n.x\n...\n.\n"},
		{"from-lines", "From me\n>From you\nFrom ü\n\nFrom there\n"},
		{"from-lines-plain", "From me\n>From you\n\nFrom there\n"},
		{"trailing-spaces", "a \nb\t\n \n\n\t\n-- \nAnn \t \n"},
		{"trailing-equals", "a=\nb=20\n=\n=3D\n"},
		{"line-ends", "lf\ncrlf\r\ncr\rcrcr\r\rlfcr\n\rend"},
		{"no-last-line", "a\nb"},
		{"no-last-line-umlaut", "ä\nb"},
		{"only-lines", "\n\n\n"},
		{"one-line-end", "\n"},
		{"blank-first", "\n\nfirst\n"},
		{"like-a-header", "Subject: no\nX: y\n\nbody\n"},
		{"line-76", strings.Repeat("x", 76) + "\n" + strings.Repeat("y", 77) + "\n" + strings.Repeat("z", 78) + "\n"},
		{"line-75-umlaut", strings.Repeat("x", 75) + "ü\n" + strings.Repeat("y", 74) + "ü\n" + strings.Repeat("z", 73) + "ü"},
		{"line-998", strings.Repeat("x", 998) + "\n" + strings.Repeat("y", 999) + "\n"},
		{"line-5000", strings.Repeat("0123456789", 500)},
		{"line-5000-words", strings.Repeat("word ", 1000)},
		{"line-5000-umlaut", strings.Repeat("ü", 2500) + "\n"},
		{"space-at-break", strings.Repeat(strings.Repeat("x", 74)+"  . From = \n", 3)},
		{"controls", "nul \x00 bell \a escape \x1b vt \v ff \f fs \x1c delete \x7f sub \x1a\n"},
		{"separators", "nel\u0085line\u2028paragraph\u2029bom\ufeffend\n"},
		{"bom", "\ufeffbom\n"},
		{"base64-like", "SGVsbG8gd29ybGQ=\nSGVsbG8=\n"},
		{"uuencoded", "begin 644 a.txt\n#0V%T\n`\nend\n"},
		{"dashes", "--\n--=_\n--=_kz_\n----\n-- \n"},
		{"emoji", strings.Repeat("👩‍👩‍👧‍👦 ", 100) + "\n"},
		{"right-to-left", strings.Repeat("שלום עולם ", 50) + "\n" + strings.Repeat("مرحبا", 50) + "\n"},
		{"flowed-like", "> quoted \n>> twice \n line \n"},
		{"links", "https://example.com/?a=b&c=d <ann@example.com> www.example.org\n"},
	}
}
