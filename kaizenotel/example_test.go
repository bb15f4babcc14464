package kaizenotel_test

import (
	"context"
	"fmt"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/kaizenotel"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func Example() {
	provider := sdktrace.NewTracerProvider() // with the exporter of your choice
	defer provider.Shutdown(context.Background())
	client := kaizen.New(kaizen.Config{Trace: kaizenotel.New(kaizenotel.Options{TracerProvider: provider})})
	defer client.Close()
	fmt.Println(client)
	// Output: kaizen client
}

// BenchmarkSpans compares a client without a tracer, with one that samples
// nothing, and with one that samples all and exports nowhere.
func BenchmarkSpans(b *testing.B) {
	traced := func(sampler sdktrace.Sampler) *kaizen.Trace {
		return kaizenotel.New(kaizenotel.Options{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler))})
	}
	for name, hooks := range map[string]*kaizen.Trace{"none": nil, "unsampled": traced(sdktrace.NeverSample()), "sampled": traced(sdktrace.AlwaysSample())} {
		b.Run(name, func(b *testing.B) {
			s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
			defer s.Close()
			client := kaizen.New(kaizen.Config{Trace: hooks})
			defer client.Close()
			a := kaizen.Account{Name: "bench", Host: "localhost", TLS: smtp.TLSNone, DialContext: s.DialContext,
				Limits: kaizen.Limits{Rates: kaizen.NoRate(), MessagesPerConnection: -1}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Send(context.Background(), a, note("bob@example.net")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
