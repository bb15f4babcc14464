package kaizen_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

// carrierPigeon is a mailer of one's own; an HTTP API would be called in the same
// place.
type carrierPigeon struct{ loft string }

func (p *carrierPigeon) String() string { return "pigeon:" + p.loft }

func (p *carrierPigeon) Mail(ctx context.Context, s *smtp.Submission) (kaizen.Reply, error) {
	const most = 1000
	for i, to := range s.Envelope.To {
		if to.Address == "sea@example.net" {
			s.Refuse(i, kaizen.Reply{Code: 550, Text: "pigeons do not swim"})
		}
	}
	content, err := io.ReadAll(s.Content) // now it may no longer be taken back
	if err != nil {
		return kaizen.Reply{}, err
	}
	if len(content) > most {
		return kaizen.Reply{Code: 552, Text: "too heavy"}, nil
	}
	return kaizen.Reply{Code: 250, Text: "queued as coo"}, nil
}

// A type of one's own takes messages in place of a server, under the same limits.
func ExampleMailer() {
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	account := kaizen.Account{Name: "pigeons", Mailer: &carrierPigeon{loft: "roof"}, Limits: kaizen.Limits{Connections: 2}}
	receipt, err := client.Send(context.Background(), account, &message.Message{
		From: "ann@example.com", To: []string{"bob@example.net"}, Subject: "Hello", Text: "By air.",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Outcome, receipt.QueueID(), receipt.Transactions[0].Server)
	// Output: accepted coo pigeon:roof
}
