// Package examples_test shows how messages of other libraries are sent. It is a
// module of its own, so that those who use kaizen need none of them.
package examples_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/emersion/go-message"
	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/wneessen/go-mail"
)

// testServer stands for your provider.
func testServer() (*smtptest.Server, kaizen.Account) {
	server := smtptest.NewServer(smtptest.Config{KeepMessages: true})
	account, err := kaizen.ParseURL("smtp://" + server.Addr() + "?tls=none&name=work")
	if err != nil {
		log.Fatal(err)
	}
	return server, account
}

// A *mail.Msg of github.com/wneessen/go-mail is sent as it is.
func Example_goMail() {
	server, account := testServer()
	defer server.Close()
	client := kaizen.New(kaizen.Config{})
	defer client.Close()

	msg := mail.NewMsg()
	if err := msg.FromFormat("Ann", "ann@example.com"); err != nil {
		log.Fatal(err)
	}
	if err := msg.To("bob@example.net", "cy@example.net"); err != nil {
		log.Fatal(err)
	}
	msg.Subject("Hello")
	msg.SetBodyString(mail.TypeTextPlain, "Written with go-mail.")

	receipt, err := client.Send(context.Background(), account, msg)
	if err != nil {
		log.Fatal(err)
	}
	arrived := server.Messages()[0]
	fmt.Println(receipt.Outcome, "for", len(receipt.Recipients), "recipients from", arrived.From)
	fmt.Println("the receipt names the message:", receipt.MessageID != "" && receipt.MessageID == arrived.ID)
	// Output:
	// accepted for 2 recipients from ann@example.com
	// the receipt names the message: true
}

// An entity of github.com/emersion/go-message knows no envelope, and its WriteTo
// has another form. This one can be written once only, as its body is a reader.
func Example_goMessage() {
	server, account := testServer()
	defer server.Close()
	client := kaizen.New(kaizen.Config{})
	defer client.Close()

	var header message.Header
	header.Set("Message-ID", "<1@example.com>")
	header.Set("Subject", "Hello")
	header.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	entity, err := message.New(header, strings.NewReader("Written with go-message.\r\n"))
	if err != nil {
		log.Fatal(err)
	}

	receipt, err := client.Send(context.Background(), account, &kaizen.Prepared{
		Envelope:  kaizen.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net")},
		Content:   smtp.WriterTo(kaizen.WriterFunc(func(w io.Writer) error { return entity.WriteTo(w) })),
		MessageID: "<1@example.com>",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Outcome, server.Messages()[0].ID)
	// Output:
	// accepted <1@example.com>
}
