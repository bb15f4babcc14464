package pool_test

import (
	"context"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// instant is a connection that accepts everything at once.
type instant struct {
	*fakeConn
	accepted *smtp.Result
}

func (c instant) Stream(_ context.Context, next func(bool) *smtp.Transaction) error {
	for tx := next(false); tx != nil; tx = next(false) {
		tx.MailReplied()
		tx.Done(c.accepted)
	}
	return nil
}

func (c instant) Alive() bool     { return true }
func (c instant) NeedsAuth() bool { return false }

func BenchmarkSend(b *testing.B) {
	for name, senders := range map[string]int{"1": 1, "50": 50, "1000": 1000} {
		b.Run("senders="+name, func(b *testing.B) {
			p := pool.New(pool.Config{Connections: 5, MessagesPerConnection: -1})
			t := pool.Target{Key: "a", Dial: func(context.Context) (pool.Conn, error) {
				return instant{&fakeConn{server: &server{}, cut: make(chan struct{})}, &smtp.Result{Outcome: smtp.Accepted}}, nil
			}}
			item := mail("")
			b.ReportAllocs()
			b.SetParallelism(senders)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, _, err := p.Send(context.Background(), t, item); err != nil {
						b.Error(err)
						return
					}
				}
			})
			_ = p.Close(context.Background())
		})
	}
}

// Statistics must cost at most 100 ns and no memory for each message, also where
// all processors count for one account.
func BenchmarkCounters(b *testing.B) {
	r := &smtp.Result{Outcome: smtp.Accepted, Octets: 2048, Started: time.Now(), Duration: 30 * time.Millisecond,
		Recipients: []smtp.RecipientResult{{Outcome: smtp.Accepted}}}
	b.Run("alone", func(b *testing.B) {
		var c pool.Counters
		b.ReportAllocs()
		for b.Loop() {
			c.CountMessage(5*time.Millisecond, r)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		var c pool.Counters
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c.CountMessage(5*time.Millisecond, r)
			}
		})
	})
}
