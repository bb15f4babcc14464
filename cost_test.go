package kaizen_test

import (
	"context"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// BenchmarkCost is what a message costs without limits, with limits that are not
// reached, and with a state directory that counts them.
func BenchmarkCost(b *testing.B) {
	many := []kaizen.Rate{{Count: 1 << 30, Per: time.Second}, {Count: 1 << 30, Per: 24 * time.Hour}}
	for _, v := range []struct {
		name  string
		rates []kaizen.Rate
		state bool
	}{{"unlimited", kaizen.NoRate(), false}, {"limits", many, false}, {"state directory", many, true}} {
		b.Run(v.name, func(b *testing.B) {
			s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, CountOnly: true})
			defer s.Close()
			config := kaizen.Config{}
			if v.state {
				config.StateDir = b.TempDir()
			}
			client := kaizen.New(config)
			defer client.Close()
			a := account(s)
			a.Limits.Rates, a.Limits.MessagesPerConnection = v.rates, -1
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				m := note("1")
				for pb.Next() {
					if _, err := client.Send(context.Background(), a, m); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
