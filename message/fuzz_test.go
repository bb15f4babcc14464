package message_test

import (
	"bytes"
	"net/mail"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

// FuzzHeader: whatever goes in is refused, or reads back the same.
func FuzzHeader(f *testing.F) {
	for _, text := range hardTexts {
		f.Add(text, text, text)
	}
	f.Add("a\r\nBcc: x", "b\x00", "c\xff")
	f.Fuzz(func(t *testing.T, subject, name, file string) {
		m := simple()
		m.Subject = subject
		m.Cc = []string{(&mail.Address{Name: name, Address: "cy@example.net"}).String()}
		m.Attachments = []message.Attachment{{Name: file, ContentType: "a/b"}}
		var b bytes.Buffer
		if _, err := m.WriteTo(&b); err != nil {
			return
		}
		checkLines(t, b.Bytes())
		parsed, parts := parse(t, b.Bytes())
		if got := decodeText(t, parsed.Header.Get("Subject")); got != subject {
			t.Errorf("subject %q came back as %q", subject, got)
		}
		if got := parts[len(parts)-1].name; got != file {
			t.Errorf("file name %q came back as %q", file, got)
		}
		list, err := parsed.Header.AddressList("Cc")
		if err != nil || len(list) != 1 || list[0].Name != name {
			t.Errorf("name %q came back as %v, %v", name, list, err)
		}
	})
}

// FuzzAddress: an address is refused, or the header and the envelope agree on it.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@b", `"a b" <"c d"@e>`, "Zoë <zoë@bücher.example>", "a@[127.0.0.1]", "x <a@b> (c)", "=?utf-8?q?x?= <a@b>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := simple()
		m.To = []string{s, s}
		e, err := m.Envelope()
		if err != nil {
			return
		}
		if len(e.To) != 1 || strings.ContainsAny(e.To[0].Address, "\r\n\x00") {
			t.Fatalf("envelope %+v", e)
		}
		parsed, _ := parse(t, write(t, m))
		list, err := parsed.Header.AddressList("To")
		if err != nil || len(list) != 2 {
			t.Fatalf("%q came back as %v, %v", s, list, err)
		}
		again := simple()
		again.To = []string{list[0].String()}
		if back, err := again.Envelope(); err != nil || back.To[0] != e.To[0] {
			t.Errorf("envelope has %q, header %q (%v)", e.To, back.To, err)
		}
	})
}

// FuzzBody: a text reads back the same.
func FuzzBody(f *testing.F) {
	for _, text := range hardTexts {
		f.Add(text)
	}
	f.Add(".\n..\nFrom x\n \n\t\r\n\r=\n")
	f.Fuzz(func(t *testing.T, text string) {
		m := simple()
		m.Text, m.HTML = text, "<p>"
		var b bytes.Buffer
		if _, err := m.WriteTo(&b); err != nil || text == "" {
			return
		}
		checkLines(t, b.Bytes())
		_, parts := parse(t, b.Bytes())
		lines := strings.NewReplacer("\r\n", "\r\n", "\n", "\r\n", "\r", "\r\n")
		checkLeaf(t, parts[0], "alternative/", "text/plain", lines.Replace(text))
	})
}

// FuzzRaw: a raw message loses its Bcc fields and nothing else.
func FuzzRaw(f *testing.F) {
	f.Add([]byte("From: a@b\nBcc: c@d,\n e@f\n\nBcc: x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var once, twice bytes.Buffer
		if _, err := (&message.Raw{Data: data}).WriteTo(&once); err != nil {
			return
		}
		if _, err := (&message.Raw{Data: once.Bytes()}).WriteTo(&twice); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Errorf("%q became %q, then %q (%v)", data, once.Bytes(), twice.Bytes(), err)
		}
		if !bytes.Contains(bytes.ToLower(data), []byte("bcc")) && !bytes.Equal(once.Bytes(), data) {
			t.Errorf("%q became %q", data, once.Bytes())
		}
	})
}
