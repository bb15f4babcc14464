package corpus

import (
	"bytes"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/kaizenmail/kaizen/message"
)

func attachmentCases() []Case {
	return slices.Concat(nameCases(), contentCases(), imageCases())
}

// nameCases are file names. Each goes with a type that says nothing.
func nameCases() (cases []Case) {
	for _, hard := range []hardText{
		{"none", ""},
		{"plain", "report.pdf"},
		{"spaces", "two words.pdf"},
		{"quotes", `say "hi".txt`},
		{"backslash", `back\slash.txt`},
		{"semicolon", "a;b=c.txt"},
		{"latin", "résumé naïve.pdf"},
		{"cjk", "レポート2026年.xlsx"},
		{"emoji", "📎🏳️‍🌈.png"},
		{"right-to-left", "דוח שנתי.pdf"},
		{"long-plain", strings.Repeat("0123456789", 20) + ".txt"},
		{"long-latin", strings.Repeat("äöü", 66) + ".txt"},
		{"long-cjk", strings.Repeat("長い名前", 50) + ".txt"},
		{"long-words", strings.Repeat("many words ", 20) + ".txt"},
		{"leading-dot", ".gitignore"},
		{"percent", "100%.txt"},
		{"percent-escape", "a%20b%C3%BC.txt"},
		{"apostrophe", "utf-8'en'x.txt"},
		{"encoded-word", "=?utf-8?q?a?=.txt"},
		{"encoded-word-quoted", `=?utf-8?b?w7w=?= "x".txt`},
		{"brackets", "copy (1) [final] <x>,@.txt"},
		{"asterisk", "a*0*=b.txt"},
		{"trailing-space", "space .txt "},
		{"decomposed", "Zoe\u0308.txt"},
	} {
		cases = append(cases, with("name/"+hard.name, func(m *message.Message) {
			m.Attachments = []message.Attachment{
				{Name: hard.text, ContentType: "application/x-test", Data: []byte("one")},
				{Name: hard.text, ContentType: "text/plain", Data: []byte("two\n")},
			}
		}))
	}
	for n := 40; n <= 80; n += 4 {
		name := strings.Repeat("n", n)
		cases = append(cases, with("name/length-"+string(rune('0'+n/10))+string(rune('0'+n%10)), func(m *message.Message) {
			for i := range 4 {
				m.Attachments = append(m.Attachments,
					message.Attachment{Name: name[i:], ContentType: "application/x-test"},
					message.Attachment{Name: name[i:n-3] + "ü.x", ContentType: "application/x-test"})
			}
		}))
	}
	return cases
}

func contentCases() []Case {
	return []Case{
		with("attachment/empty", func(m *message.Message) {
			m.Attachments = []message.Attachment{{Name: "empty.bin"}, {Name: "empty.txt"}, {Name: "also.bin", Open: opener("")}}
		}),
		with("attachment/empty-text", func(m *message.Message) {
			m.Text, m.Attachments = "", []message.Attachment{{Name: "a.txt", Data: []byte("in the file")}}
		}),
		with("attachment/every-octet", func(m *message.Message) {
			m.Attachments = []message.Attachment{{Name: "octets.bin", Data: everyOctet()}}
			for _, kind := range []string{"text/plain", "text/html; charset=iso-8859-1", "image/png", "application/json"} {
				m.Attachments = append(m.Attachments, message.Attachment{Name: "octets", ContentType: kind, Data: everyOctet()})
			}
		}),
		with("attachment/reader", func(m *message.Message) {
			m.Attachments = []message.Attachment{{Name: "stream.txt", Open: opener(strings.Repeat("line of a stream\n", 4000))}}
		}),
		with("attachment/reader-at", func(m *message.Message) {
			m.Attachments = []message.Attachment{message.AttachReaderAt("part.bin", bytes.NewReader(everyOctet()), 200)}
		}),
		with("attachment/file-system", func(m *message.Message) {
			files := fstest.MapFS{"folder/Übersicht.txt": {Data: []byte("in a file system\n")}}
			m.Attachments = []message.Attachment{message.AttachFS(files, "folder/Übersicht.txt")}
		}),
		with("attachment/megabyte", func(m *message.Message) {
			m.Attachments = []message.Attachment{{Name: "large.bin", Data: bytes.Repeat(everyOctet(), 4096)}}
		}),
		with("attachment/line-lengths", func(m *message.Message) {
			for _, n := range []int{1, 2, 56, 57, 58, 113, 114, 115, 57 * 256, 57*256 + 1} {
				m.Attachments = append(m.Attachments, message.Attachment{Name: "n.bin", Data: bytes.Repeat([]byte{0xff}, n)})
			}
		}),
		with("attachment/line-ends", func(m *message.Message) {
			for _, kind := range []string{"text/plain", "text/csv", "text/html", "application/octet-stream"} {
				m.Attachments = append(m.Attachments, message.Attachment{Name: "lines", ContentType: kind, Data: []byte("a\nb\r\nc\rd\n\n.\nFrom x")})
			}
		}),
		with("attachment/type-parameters", func(m *message.Message) {
			for _, kind := range []string{
				"text/csv; header=present; charset=utf-8", `application/x-test; title="a \"b\" \\c; d"`,
				"application/x-test; title*=utf-8''Gr%C3%BC%C3%9Fe", "Application/X-Test; LONG=" + strings.Repeat("v", 150),
				`application/x-test; name="its own.name"`, "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
			} {
				m.Attachments = append(m.Attachments, message.Attachment{Name: "typed", ContentType: kind, Data: []byte("x")})
			}
		}),
		with("attachment/guessed-types", func(m *message.Message) {
			for _, name := range []string{"a.pdf", "b.png", "c.jpg", "d.html", "e.unknown-extension", "f", "g.eml", "H.PDF"} {
				m.Attachments = append(m.Attachments, message.Attachment{Name: name, Data: []byte("x")})
			}
		}),
		with("attachment/many", func(m *message.Message) {
			for i := range 60 {
				m.Attachments = append(m.Attachments, message.Attachment{Name: "same.bin", Data: []byte{byte(i)}})
			}
		}),
		with("attachment/html-alone", func(m *message.Message) {
			m.Text, m.HTML, m.Attachments = "", "<p>hi", []message.Attachment{{Name: "page.html", Data: []byte("<p>attached")}}
		}),
	}
}

func imageCases() []Case {
	logo := message.Attachment{Name: "logo.png", ContentID: "logo", Data: []byte("\x89PNG\r\n\x1a\n")}
	nameless := message.Attachment{ContentType: "image/gif", ContentID: "<part.2@example.com>", Data: []byte("GIF89a")}
	file := message.Attachment{Name: "bericht.pdf", Data: []byte("pdf")}
	const page = `<img src="cid:logo"> <img src="cid:part.2@example.com"> <img src="cid:elsewhere">`
	return []Case{
		with("image/nested", func(m *message.Message) {
			m.HTML, m.Attachments = page, []message.Attachment{logo, file, nameless, {Name: "ü.txt", Data: []byte("ü")}}
		}),
		with("image/no-text", func(m *message.Message) {
			m.Text, m.HTML, m.Attachments = "", page, []message.Attachment{logo, nameless}
		}),
		with("image/no-attachment", func(m *message.Message) { m.HTML, m.Attachments = page, []message.Attachment{logo, nameless} }),
		with("image/no-html", func(m *message.Message) { m.Attachments = []message.Attachment{logo, file} }),
		with("image/no-body", func(m *message.Message) { m.Text, m.Attachments = "", []message.Attachment{logo} }),
		with("image/inline-without-id", func(m *message.Message) {
			m.HTML, m.Attachments = page, []message.Attachment{{Name: "photo.jpg", Inline: true, Data: []byte("jpg")}, logo}
		}),
		with("image/text-inline", func(m *message.Message) {
			m.HTML, m.Attachments = page, []message.Attachment{{Name: "style.css", ContentType: "text/css", ContentID: "logo", Data: []byte("p{}")}}
		}),
	}
}
