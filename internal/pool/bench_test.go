package pool_test

import (
	"context"
	"testing"

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
