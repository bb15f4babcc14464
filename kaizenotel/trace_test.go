package kaizenotel_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/kaizenotel"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const rtt = 20 * time.Millisecond

// stage is a server, a client that is traced, and what it exported.
type stage struct {
	t        *testing.T
	server   *smtptest.Server
	client   *kaizen.Client
	account  kaizen.Account
	exporter *tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
}

// play runs a test under a fake clock.
func play(t *testing.T, config smtptest.Config, options kaizenotel.Options, test func(*testing.T, *stage)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config.Network = smtptest.Memory
		s := &stage{t: t, server: smtptest.NewServer(config), exporter: tracetest.NewInMemoryExporter()}
		defer s.server.Close()
		s.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.exporter))
		options.TracerProvider = s.provider
		s.client = kaizen.New(kaizen.Config{Trace: kaizenotel.New(options)})
		defer s.client.Close()
		s.account = kaizen.Account{Host: "localhost", TLS: smtp.TLSNone, DialContext: s.server.DialContext,
			Limits: kaizen.Limits{Rates: kaizen.NoRate()}}
		if config.TLS != smtptest.TLSNone {
			s.account.TLS, s.account.TLSConfig = smtp.TLSStartTLS, s.server.ClientTLS()
		}
		if config.Auth != nil {
			s.account.Username, s.account.Password = "ann@example.com", "geheim"
		}
		test(t, s)
	})
}

func note(to ...string) *kaizen.Prepared {
	return &kaizen.Prepared{Envelope: kaizen.Envelope{From: "ann@example.com", To: smtp.To(to...)}, MessageID: "4711@example.com",
		Content: smtp.Bytes([]byte("Message-ID: <4711@example.com>\r\nSubject: Kuchen\r\n\r\nHello\r\n"))}
}

func (s *stage) send(to ...string) error {
	_, err := s.client.Send(s.t.Context(), s.account, note(to...))
	return err
}

// spans returns what was exported since the last call, by name; several of one
// name in the order of their beginnings.
func (s *stage) spans() map[string][]tracetest.SpanStub {
	byName := make(map[string][]tracetest.SpanStub)
	for _, span := range s.exporter.GetSpans() {
		byName[span.Name] = append(byName[span.Name], span)
		if span.EndTime.Before(span.StartTime) {
			s.t.Errorf("%s ends before it begins", span.Name)
		}
	}
	for _, all := range byName {
		slices.SortStableFunc(all, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	}
	s.exporter.Reset()
	return byName
}

func value(span tracetest.SpanStub, key string) string {
	for _, a := range span.Attributes {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

// names says what there is, as "smtp dial 1, smtp send 2" without the "smtp".
func names(spans map[string][]tracetest.SpanStub) string {
	var b strings.Builder
	for _, name := range []string{"send", "transaction", "dial", "tls", "auth", "envelope", "data"} {
		if n := len(spans["smtp "+name]); n > 0 {
			fmt.Fprintf(&b, "%s %d ", name, n)
		}
	}
	return strings.TrimSpace(b.String())
}

var login = &smtptest.Auth{Users: map[string]string{"ann@example.com": "geheim"}, Required: true}

func TestTheTree(t *testing.T) {
	play(t, smtptest.Config{TLS: smtptest.TLSStartTLS, Auth: login, Latency: rtt}, kaizenotel.Options{}, func(t *testing.T, s *stage) {
		ctx, parent := s.provider.Tracer("test").Start(context.Background(), "parent")
		if _, err := s.client.Send(ctx, s.account, note("bob@example.net")); err != nil {
			t.Fatal(err)
		}
		spans := s.spans()
		if got := names(spans); got != "send 1 transaction 1 dial 1 tls 1 auth 1 envelope 1 data 1" {
			t.Fatal(got)
		}
		of := func(name string) tracetest.SpanStub { return spans["smtp "+name][0] }
		for child, above := range map[string]string{"transaction": "send", "dial": "transaction", "tls": "dial", "auth": "transaction", "envelope": "transaction", "data": "transaction"} {
			c, a := of(child), of(above)
			if c.Parent.SpanID() != a.SpanContext.SpanID() {
				t.Errorf("%s is not below %s", child, above)
			}
			if c.StartTime.Before(a.StartTime) || c.EndTime.After(a.EndTime) {
				t.Errorf("%s from %v to %v is not within %s from %v to %v", child, c.StartTime, c.EndTime, above, a.StartTime, a.EndTime)
			}
		}
		if of("send").Parent.SpanID() != parent.SpanContext().SpanID() {
			t.Error("the message is not below its caller")
		}
		if !of("data").StartTime.Equal(of("envelope").EndTime) || !of("data").EndTime.Equal(of("transaction").EndTime) || !of("transaction").StartTime.Equal(of("dial").StartTime) {
			t.Error("the parts do not fit together")
		}
		for name, least := range map[string]time.Duration{"dial": 4 * rtt, "auth": rtt, "envelope": rtt, "data": rtt} {
			if took := of(name).EndTime.Sub(of(name).StartTime); took < least || took > 20*rtt {
				t.Errorf("%s took %v", name, took)
			}
		}
		if len(of("data").Events) != 1 || len(of("dial").Events) != 1 {
			t.Error("events are missing")
		}
	})
}

func TestAttributes(t *testing.T) {
	play(t, smtptest.Config{TLS: smtptest.TLSStartTLS, Auth: login}, kaizenotel.Options{}, func(t *testing.T, s *stage) {
		s.account.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Minute}}
		for _, to := range [][]string{{"bob@example.net"}, {"bob@example.net", "cy@example.net"}} {
			if err := s.send(to...); err != nil {
				t.Fatal(err)
			}
		}
		spans := s.spans()
		for place, want := range map[string]string{
			"send kaizen.account": "localhost:587", "send server.address": "localhost", "send server.port": "587",
			"send smtp.outcome": "accepted", "send smtp.recipients": "2", "send smtp.tries": "1",
			"send kaizen.wait_seconds": "60", "send kaizen.rate_wait_seconds": "60", "send kaizen.rate_limit": "1 per minute",
			"transaction server.address": "localhost", "transaction server.port": "587", "transaction smtp.outcome": "accepted",
			"transaction smtp.reply.code": "250", "transaction smtp.level": "group", "transaction smtp.round_trips": "2",
			"transaction smtp.recipients": "2", "transaction smtp.recipients_accepted": "2", "transaction smtp.octets": "58",
			"data smtp.octets": "58",
		} {
			name, key, _ := strings.Cut(place, " ")
			all := spans["smtp "+name]
			if len(all) == 0 {
				t.Fatalf("no %s: %s", name, names(spans))
			}
			if got := value(all[len(all)-1], key); got != want {
				t.Errorf("%s is %q, want %q", place, got, want)
			}
		}
		if v := value(spans["smtp tls"][0], "tls.protocol.version"); v != "1.3" {
			t.Errorf("TLS %q", v)
		}
		if m := value(spans["smtp auth"][0], "smtp.auth.mechanism"); m != "PLAIN" {
			t.Errorf("login %q", m)
		}
		if send := spans["smtp send"][1]; send.Status.Code == codes.Error || value(send, "error.type") != "" {
			t.Errorf("status %v", send.Status)
		}
	})
}

// A second message finds the connection; one that was opened for nobody is a
// trace of its own, with a link.
func TestConnectionsOpenedBefore(t *testing.T) {
	play(t, smtptest.Config{Auth: login, Latency: rtt}, kaizenotel.Options{}, func(t *testing.T, s *stage) {
		s.account.MinIdle, s.account.InsecureAuth = 2, true
		_ = s.send("bob@example.net")
		<-time.After(time.Minute)
		if got := names(s.spans()); got != "send 1 transaction 1 dial 1 auth 1 envelope 1 data 1" {
			t.Fatal(got)
		}
		var senders sync.WaitGroup
		for range 2 {
			senders.Go(func() { _ = s.send("bob@example.net") })
		}
		senders.Wait()
		spans := s.spans()
		if got := names(spans); got != "send 2 transaction 2 dial 1 auth 1 envelope 2 data 2" {
			t.Fatal(got)
		}
		dial := spans["smtp dial"][0]
		if dial.Parent.IsValid() || spans["smtp auth"][0].Parent.SpanID() != dial.SpanContext.SpanID() {
			t.Error("the connection is not a trace of its own")
		}
		links := 0
		for _, tx := range spans["smtp transaction"] {
			for _, link := range tx.Links {
				links++
				if link.SpanContext.SpanID() != dial.SpanContext.SpanID() || tx.StartTime.Before(dial.EndTime) {
					t.Errorf("a link to %v from a transaction at %v", link.SpanContext, tx.StartTime)
				}
			}
		}
		if links != 1 {
			t.Errorf("%d links to the connection", links)
		}
	})
}

// A try that was repeated is there beside the one that went well.
func TestRepeatedTries(t *testing.T) {
	play(t, smtptest.Config{Latency: rtt}, kaizenotel.Options{}, func(t *testing.T, s *stage) {
		_ = s.send("bob@example.net")
		synctest.Wait()
		s.spans()
		s.server.DropIdle(smtptest.CloseRST) // arrives behind the next envelope
		if err := s.send("bob@example.net"); err != nil {
			t.Fatal(err)
		}
		spans := s.spans()
		if got := names(spans); got != "send 1 transaction 2 dial 1 envelope 2 data 1" {
			t.Fatal(got)
		}
		first, second := spans["smtp transaction"][0], spans["smtp transaction"][1]
		if value(first, "error.type") != "connect" || value(first, "smtp.outcome") != "not_sent" || value(second, "smtp.outcome") != "accepted" || second.StartTime.Before(first.EndTime) {
			t.Errorf("%v\n%v", first.Attributes, second.Attributes)
		}
		if tries := value(spans["smtp send"][0], "smtp.tries"); tries != "2" {
			t.Errorf("%s tries", tries)
		}
	})
}

// Under load every span keeps its form, though transactions overlap.
func TestLookAheadOverlaps(t *testing.T) {
	const messages = 100
	play(t, smtptest.Config{Latency: rtt}, kaizenotel.Options{}, func(t *testing.T, s *stage) {
		s.account.Limits.Connections = 1
		var senders sync.WaitGroup
		for range messages {
			senders.Go(func() { _ = s.send("bob@example.net") })
		}
		senders.Wait()
		spans := s.spans()
		if got := names(spans); got != "send 100 transaction 100 dial 1 envelope 100 data 100" {
			t.Fatal(got)
		}
		overlaps := 0
		for i, tx := range spans["smtp transaction"] {
			if i > 0 && tx.StartTime.Before(spans["smtp transaction"][i-1].EndTime) {
				overlaps++
			}
		}
		if overlaps < messages/2 {
			t.Errorf("only %d transactions overlap", overlaps)
		}
	})
}

// What is not sampled costs no span, and the context still reaches the end.
func TestNotSampled(t *testing.T) {
	play(t, smtptest.Config{}, kaizenotel.Options{}, func(t *testing.T, s *stage) {
		ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}))
		asked := 0
		options := kaizenotel.Options{TracerProvider: s.provider, Attributes: func(kaizen.Message) []attribute.KeyValue { asked++; return nil }}
		client := kaizen.New(kaizen.Config{Trace: kaizenotel.New(options)})
		defer client.Close()
		if _, err := client.Send(ctx, s.account, note("bob@example.net")); err != nil {
			t.Fatal(err)
		}
		if got := names(s.spans()); got != "" || asked != 0 {
			t.Errorf("%s, asked %d times", got, asked)
		}
	})
}
