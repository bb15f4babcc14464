package kaizen_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// What delivery costs beside sending: a queue in memory is drained to a server.
func BenchmarkRun(b *testing.B) {
	s := smtptest.NewServer(smtptest.Config{})
	defer s.Close()
	store := memory.New()
	body := queue.Octets([]byte("Subject: x\r\n\r\n" + strings.Repeat("0123456789 01234567 \r\n", 100)))
	for range b.N {
		_, err := store.Put(context.Background(), time.Now(), []queue.Submission{{Job: queue.Job{Lane: "ses",
			Envelope: smtp.Envelope{From: "ann@example.com"}, Recipients: queue.To(smtp.To("bob@example.net"))}, Body: body}})
		if err != nil {
			b.Fatal(err)
		}
	}
	a := account(s)
	a.Limits.MessagesPerConnection = -1
	accounts := new(named)
	accounts.set("ses", a)
	client := kaizen.New(kaizen.Config{Accounts: accounts, Queue: store})
	defer client.Close()
	b.ReportAllocs()
	b.ResetTimer()
	if err := client.RunUntilEmpty(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
