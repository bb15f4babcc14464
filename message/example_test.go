package message_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
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

// One body for many, each with an envelope of their own: it is composed, and
// signed, once.
func ExampleMessage_manyRecipients() {
	server := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
	defer server.Close()
	account, err := kaizen.ParseURL("smtp://" + server.Addr() + "?tls=none&rate=none")
	if err != nil {
		log.Fatal(err)
	}
	account.DialContext = server.DialContext // as this server is not on the network
	client := kaizen.New(kaizen.Config{})
	defer client.Close()

	prepared, err := kaizen.Prepare(&message.Message{
		From: "News <news@example.com>", Bcc: []string{"subscribers@example.com"}, // replaced below
		Subject: "News", Text: "Nothing new.\n",
		Unsubscribe: message.Unsubscribe{Mailto: "leave@example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, subscriber := range []string{"ann@example.org", "bob@example.org", "cy@example.org"} {
		one := *prepared
		one.Envelope.To = smtp.To(subscriber)
		if _, err := client.Send(context.Background(), account, &one); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(server.Stats().Accepted, "sent")
	// Output: 3 sent
}

// What was sent can be kept: written again, it is the same octets.
func ExampleMessage_sentFolder() {
	m := &message.Message{From: "ann@example.com", To: []string{"bob@example.org"}, Subject: "Hello", Text: "Hello Bob\n"}
	var sent, kept bytes.Buffer
	if _, err := m.WriteTo(&sent); err != nil { // or client.Send
		log.Fatal(err)
	}
	if _, err := m.WriteTo(&kept); err != nil { // into the Sent folder
		log.Fatal(err)
	}
	fmt.Println(bytes.Equal(sent.Bytes(), kept.Bytes()))
	// Output: true
}

func ExampleDKIM() {
	key, err := message.ParseDKIMKey([]byte("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")) // from a file: DKIMKeyFile
	if err != nil {
		log.Fatal(err)
	}
	m := &message.Message{
		From: "ann@example.com", To: []string{"bob@example.org"}, Text: "Hello Bob\n",
		DKIM: []message.DKIM{{Domain: "example.com", Selector: "mail2026", Key: key}},
	}
	var b strings.Builder
	if _, err := m.WriteTo(&b); err != nil {
		log.Fatal(err)
	}
	field, _, _ := strings.Cut(b.String(), " bh=")
	fmt.Println(field)
	fmt.Println("mail2026._domainkey.example.com TXT", key.Record())
	// Output:
	// DKIM-Signature: a=ed25519-sha256;
	// mail2026._domainkey.example.com TXT v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
}
