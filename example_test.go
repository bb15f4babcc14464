package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
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

// A queue: messages are stored first and sent in the background, for two days if
// need be. With queue/sqlite in the place of queue/memory they survive a pulled plug.
func ExampleClient_Run() {
	accounts := accountsByName{"office": {Host: "smtp.example.com", Username: "ann@example.com", Password: "secret"}}
	client := kaizen.New(kaizen.Config{
		Accounts: accounts,
		Queue:    memory.New(),
		OnJob: func(e kaizen.JobEvent) {
			log.Print("message ", e.Job.ID, " is ", e.Job.State, ": ", e.Job.Last)
		},
	})
	defer client.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	receipt, err := client.Enqueue(ctx, "office", &message.Message{
		From: "Ann <ann@example.com>", To: []string{"bob@example.net"}, Subject: "Invoice 4711", Text: "…",
	}, kaizen.EnqueueOptions{Key: "invoice-4711", Unknown: queue.Hold})
	if err != nil {
		log.Fatal(err)
	}
	log.Print("queued as ", receipt.ID)
	if err := client.Run(ctx); err != nil { // until Ctrl-C; then it finishes what is on its way
		log.Fatal(err)
	}
}

// accountsByName finds accounts; package accounts has one that reads files.
type accountsByName map[string]kaizen.Account

// Account finds an account.
func (a accountsByName) Account(_ context.Context, name string) (kaizen.Account, error) {
	account, ok := a[name]
	if !ok {
		return kaizen.Account{}, errors.New("no such account")
	}
	return account, nil
}
