package message_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/message"
)

func ExampleMessage() {
	m := &message.Message{
		From:    "Ann Lee <ann@example.com>",
		To:      []string{"Bob <bob@example.org>"},
		Bcc:     []string{"archive@example.com"},
		Subject: "Grüße",
		Text:    "Hello Bob\n",
		// These two are filled in if they are left out.
		Date:      time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
		MessageID: "<4711@example.com>",
	}
	envelope, err := m.Envelope()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(envelope.From, "to", len(envelope.To))
	var b strings.Builder
	if _, err := m.WriteTo(&b); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.ReplaceAll(b.String(), "\r\n", "\n"))
	// Output:
	// ann@example.com to 2
	// Date: Fri, 02 Jan 2026 15:04:05 +0000
	// From: Ann Lee <ann@example.com>
	// To: Bob <bob@example.org>
	// Message-ID: <4711@example.com>
	// Subject: =?utf-8?b?R3LDvMOfZQ==?=
	// MIME-Version: 1.0
	// Content-Type: text/plain; charset=utf-8
	// Content-Transfer-Encoding: 7bit
	//
	// Hello Bob
}

func ExampleAttachFile() {
	m := &message.Message{
		From: "ann@example.com",
		To:   []string{"bob@example.org"},
		HTML: `<p>The report, with our <img src="cid:logo"></p>`,
		Attachments: []message.Attachment{
			message.AttachFile("testdata/no such report.pdf"),
			{Name: "logo.png", ContentID: "logo", Data: []byte("…")},
		},
	}
	var missing *message.Error
	if _, err := m.WriteTo(os.Stdout); errors.As(err, &missing) {
		fmt.Println(missing.Field, missing.Value)
	}
	// Output: Attachments[0] no such report.pdf
}
