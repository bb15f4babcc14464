package kaizenotel_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/kaizenotel"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// words is everything that spans say.
func words(spans map[string][]tracetest.SpanStub) string {
	var b strings.Builder
	for _, all := range spans {
		for _, span := range all {
			fmt.Fprintln(&b, span.Name, span.Attributes, span.Status.Description, span.Events, span.Links)
			for _, a := range span.Attributes {
				fmt.Fprintln(&b, a.Key, a.Value.String())
			}
		}
	}
	return b.String()
}

// chatty is a server that repeats what it was told, and whose queue ids are made
// of Message-IDs.
func chatty() smtptest.Config {
	return smtptest.Config{Auth: login, UnknownRecipients: []string{"nobody@example.net"},
		Faults: []smtptest.Fault{
			{Phase: smtptest.PhaseFinal, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 250, Text: "2.0.0 Ok: queued as 4711@example.com"}, Nth: 1},
			{Phase: smtptest.PhaseFinal, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 550, Text: "5.7.1 no mail from ann@example.com, password geheim"}, Nth: 2},
		}}
}

// exercise goes through successes and failures of all kinds.
func (s *stage) exercise() {
	s.account.InsecureAuth = true
	for _, to := range []string{"bob@example.net", "bob@example.net", "nobody@example.net"} {
		_ = s.send(to)
	}
	wrong := s.account
	wrong.Password = "geheimnis"
	_, _ = s.client.Send(s.t.Context(), wrong, note("bob@example.net"))
	down := s.account
	down.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("refused for ann@example.com")}
	}
	_, _ = s.client.Send(s.t.Context(), down, note("bob@example.net"))
	_, _ = s.client.Send(s.t.Context(), s.account, &kaizen.Prepared{})
}

// Neither a secret nor an address, a subject or a Message-ID is in any span, and
// yet every failure says what it is about.
func TestSpansAreNotPersonal(t *testing.T) {
	play(t, chatty(), kaizenotel.Options{}, func(t *testing.T, s *stage) {
		s.exercise()
		synctest.Wait()
		spans := s.spans()
		said := words(spans)
		for _, secret := range []string{"@", "ann", "bob", "geheim", "Kuchen", "4711", "example"} {
			if strings.Contains(said, secret) {
				t.Errorf("%q is in a span:\n%s", secret, said)
			}
		}
		for _, class := range []string{"content", "recipient", "auth", "connect"} {
			if !strings.Contains(said, "error.type "+class+"\n") {
				t.Errorf("no failure of class %s:\n%s", class, said)
			}
		}
	})
}

// What is asked for is there; a secret is not even then.
func TestSpansArePersonalIfAsked(t *testing.T) {
	options := kaizenotel.Options{Addresses: true, MessageIDs: true, Replies: true,
		AccountLabel: func(name string) string { return name },
		Attributes: func(m kaizen.Message) []attribute.KeyValue {
			return []attribute.KeyValue{attribute.String("app.id", m.(*kaizen.Prepared).MessageID)}
		}}
	play(t, chatty(), options, func(t *testing.T, s *stage) {
		s.exercise()
		synctest.Wait()
		said := words(s.spans())
		for _, wanted := range []string{"kaizen.account ann@example.com@localhost:587", "smtp.mail_from ann@example.com", `smtp.rcpt_to ["bob@example.net"]`,
			"smtp.message_id 4711@example.com", "smtp.queue_id 4711@example.com", "smtp.reply.text no mail from ann@example.com", "app.id 4711@example.com"} {
			if !strings.Contains(said, wanted) {
				t.Errorf("%q is missing:\n%s", wanted, said)
			}
		}
		if strings.Contains(said, "geheim") {
			t.Errorf("a secret is in a span:\n%s", said)
		}
	})
}

// A dial that fails is a trace of its own; the message says why it failed, too.
func TestFailedDial(t *testing.T) {
	play(t, smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseGreeting, Action: smtptest.Answer,
		Reply: smtptest.Reply{Code: 554, Text: "go away"}}}, Latency: rtt}, kaizenotel.Options{}, func(t *testing.T, s *stage) {
		if s.send("bob@example.net") == nil {
			t.Fatal("sent")
		}
		synctest.Wait()
		spans := s.spans()
		if len(spans["smtp dial"]) == 0 || len(spans["smtp send"]) != 1 || len(spans["smtp transaction"]) != 0 {
			t.Fatal(names(spans))
		}
		dial, send := spans["smtp dial"][0], spans["smtp send"][0]
		if dial.Parent.IsValid() || dial.EndTime.Sub(dial.StartTime) < rtt {
			t.Errorf("dial from %v to %v below %v", dial.StartTime, dial.EndTime, dial.Parent)
		}
		for _, span := range []tracetest.SpanStub{dial, send} {
			if span.Status.Code != codes.Error || span.Status.Description != "greeting: connect" || value(span, "error.type") != "connect" ||
				value(span, "smtp.reply.code") != "554" || value(span, "server.port") != "587" {
				t.Errorf("%s: %v %v", span.Name, span.Status, span.Attributes)
			}
		}
	})
}

// A sender who leaves has a span that says so; nothing is made up of what the
// server does later.
func TestSenderLeaves(t *testing.T) {
	slow := smtptest.Fault{Phase: smtptest.PhaseFinal, Action: smtptest.Delay, Pause: 10 * time.Second}
	play(t, smtptest.Config{Faults: []smtptest.Fault{slow}}, kaizenotel.Options{}, func(t *testing.T, s *stage) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = s.client.Send(ctx, s.account, note("bob@example.net"))
		spans := s.spans()
		if got := names(spans); got != "send 1" {
			t.Fatal(got)
		}
		send := spans["smtp send"][0]
		if value(send, "smtp.outcome") != "unknown" || value(send, "error.type") != "canceled" || send.EndTime.Sub(send.StartTime) != time.Second {
			t.Errorf("%v", send.Attributes)
		}
	})
}
