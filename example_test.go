package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
)

// The whole of it: an account, a message, and what the server said.
func Example() {
	account, err := kaizen.ParseURL("smtps://ann%40example.com:secret@smtp.example.com")
	if err != nil {
		log.Fatal(err)
	}
	client := kaizen.New(kaizen.Config{})
	defer client.Close()

	receipt, err := client.Send(context.Background(), account, &message.Message{
		From: "Ann <ann@example.com>", To: []string{"bob@example.net"},
		Subject: "Hello", Text: "Sent over a pooled connection.",
	})
	if errors.Is(err, kaizen.ErrAuth) {
		log.Fatal("wrong password: ", err)
	}
	fmt.Println(receipt.Outcome, receipt.QueueID(), err)
}
