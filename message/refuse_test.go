package message_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/message"
)

// TestInjection puts a line break or a NUL into every field of a header.
func TestInjection(t *testing.T) {
	t.Parallel()
	fields := map[string]func(m *message.Message, bad string){
		"From":                func(m *message.Message, bad string) { m.From = "ann@example.com" + bad },
		"Sender":              func(m *message.Message, bad string) { m.Sender = "A" + bad + "B <ann@example.com>" },
		"ReplyTo[0]":          func(m *message.Message, bad string) { m.ReplyTo = []string{"ann@example.com" + bad} },
		"To[1]":               func(m *message.Message, bad string) { m.To = append(m.To, `"x`+bad+`" <bob@example.com>`) },
		"Cc[0]":               func(m *message.Message, bad string) { m.Cc = []string{"ann@exam" + bad + "ple.com"} },
		"Bcc[0]":              func(m *message.Message, bad string) { m.Bcc = []string{"ann" + bad + "@example.com"} },
		"Subject":             func(m *message.Message, bad string) { m.Subject = "Hi" + bad + "Bcc: eve@example.com" },
		"MessageID":           func(m *message.Message, bad string) { m.MessageID = "<a" + bad + "@b>" },
		"Header[0]":           func(m *message.Message, bad string) { m.Header = []message.Field{{Name: "X" + bad, Value: "v"}} },
		"Header[0] (X)":       func(m *message.Message, bad string) { m.Header = []message.Field{{Name: "X", Value: "v" + bad}} },
		"Attachments[0].Name": func(m *message.Message, bad string) { m.Attachments = []message.Attachment{{Name: "a" + bad}} },
		"Attachments[0].ContentType": func(m *message.Message, bad string) {
			m.Attachments = []message.Attachment{{ContentType: `a/b; c="d` + bad + `"`}}
		},
		"Attachments[0].ContentID": func(m *message.Message, bad string) { m.Attachments = []message.Attachment{{ContentID: "a" + bad}} },
	}
	for field, spoil := range fields {
		for _, bad := range []string{"\r", "\n", "\r\n", "\r\n ", "\x00", "\xff"} {
			m := simple()
			spoil(m, bad)
			checkRefused(t, m, field)
		}
	}
}

func checkRefused(t *testing.T, m *message.Message, field string) {
	t.Helper()
	var b bytes.Buffer
	_, err := m.WriteTo(&b)
	var refusal *message.Error
	if !errors.As(err, &refusal) || refusal.Field != field {
		t.Errorf("want an error about %s, got %v", field, err)
		return
	}
	if b.Len() > 0 {
		t.Errorf("%s: %d octets were written before the error", field, b.Len())
	}
	if strings.ContainsAny(err.Error(), "\r\n\x00") {
		t.Errorf("%s: the error text breaks a log line: %q", field, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		field string
		spoil func(m *message.Message)
	}{
		{"From", func(m *message.Message) { m.From = "" }},
		{"From", func(m *message.Message) { m.From = "nobody" }},
		{"From", func(m *message.Message) { m.From = "a@example.com, b@example.com" }},
		{"From", func(m *message.Message) { m.From = "=?utf-8?q?a=0D=0ABcc:_x?= <a@example.com>" }},
		{"From", func(m *message.Message) { m.From = "a@" + strings.Repeat("long.", 60) + "example" }},
		{"From", func(m *message.Message) { m.From = "a@b\u00fc\u0338cher..example" }},
		{"To[0]", func(m *message.Message) { m.To = []string{""} }},
		{"To[1]", func(m *message.Message) { m.To = append(m.To, "Smith, John <j@example.com>") }},
		{"To[0]", func(m *message.Message) { m.To = []string{"undisclosed-recipients:;"} }},
		{"Header[0]", func(m *message.Message) { m.Header = []message.Field{{Name: "content-type", Value: "text/html"}} }},
		{"Header[0]", func(m *message.Message) { m.Header = []message.Field{{Name: "BCC", Value: "eve@example.com"}} }},
		{"Header[0]", func(m *message.Message) { m.Header = []message.Field{{Name: "", Value: "x"}} }},
		{"Header[0]", func(m *message.Message) { m.Header = []message.Field{{Name: "Größe", Value: "x"}} }},
		{"Header[0]", func(m *message.Message) { m.Header = []message.Field{{Name: "X:", Value: "x"}} }},
		{"Header[0]", func(m *message.Message) { m.Header = []message.Field{{Name: strings.Repeat("X", 77), Value: "x"}} }},
		{"MessageID", func(m *message.Message) { m.MessageID = "no-at" }},
		{"MessageID", func(m *message.Message) { m.MessageID = "<" }},
		{"MessageID", func(m *message.Message) { m.MessageID = "<a@b> <c@d>" }},
		{"Date", func(m *message.Message) { m.Date = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"Text", func(m *message.Message) { m.Text = "\xff" }},
		{"HTML", func(m *message.Message) { m.HTML = "\xff" }},
		{"Attachments[0].ContentType", func(m *message.Message) { m.Attachments = []message.Attachment{{ContentType: "message/rfc822"}} }},
		{"Attachments[0].ContentType", func(m *message.Message) { m.Attachments = []message.Attachment{{ContentType: "pdf"}} }},
		{"Attachments[0]", func(m *message.Message) {
			m.Attachments = []message.Attachment{{Data: []byte{1}, Open: opener(nil)}}
		}},
	} {
		m := simple()
		test.spoil(m)
		checkRefused(t, m, test.field)
	}
}
