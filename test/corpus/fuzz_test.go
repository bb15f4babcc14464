package corpus_test

import (
	"bytes"
	"errors"
	"net/mail"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/test/corpus"
)

// FuzzReading: whatever a program puts into a message is refused, or net/mail
// reads it as what it is, in lines that keep the wire's rules.
func FuzzReading(f *testing.F) {
	for _, c := range corpus.Cases() {
		m := c.Message
		file := ""
		if len(m.Attachments) > 0 {
			file = m.Attachments[0].Name
		}
		f.Add(m.Subject, m.Subject, file, m.Text, m.HTML, []byte(m.Text))
	}
	f.Fuzz(func(t *testing.T, text, name, file, body, html string, data []byte) {
		mailbox := (&mail.Address{Name: name, Address: "ann@example.com"}).String()
		m := &message.Message{
			From: mailbox, To: []string{mailbox, "bob@example.org", mailbox}, Date: time.Unix(1, 0), MessageID: "<fuzz@example.com>",
			Subject: text, Header: []message.Field{{Name: "X-Text", Value: text}}, Text: body, HTML: html,
			Attachments: []message.Attachment{{Name: file, ContentType: "a/b", Data: data}, {ContentType: "a/b", ContentID: "c", Data: data}},
		}
		var b bytes.Buffer
		_, err := m.WriteTo(&b)
		var refused *message.Error
		switch {
		case errors.As(err, &refused):
			return
		case err != nil:
			t.Fatal(err)
		}
		checkLines(t, b.Bytes())
		want, err := corpus.Expect(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readWithNetMail(&b)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range corpus.Compare(want, got) {
			t.Errorf("%s: want %.300s\n got %.300s", d.Field, d.Want, d.Got)
		}
	})
}
