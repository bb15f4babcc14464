// Package kaizenotel makes OpenTelemetry spans of what a [kaizen.Client] does.
//
//	client := kaizen.New(kaizen.Config{Trace: kaizenotel.New(kaizenotel.Options{})})
//
// The spans of a message, below the span of the context it is sent with:
//
//	smtp send                    one Send: the line, all tries, the outcome
//	└ smtp transaction           one try on a connection, from MAIL to the verdict
//	  ├ smtp dial                if it was the first on a connection opened since Send
//	  │ └ smtp tls
//	  ├ smtp auth                likewise
//	  ├ smtp envelope            MAIL, RCPT and DATA, until the content could go
//	  └ smtp data                the content, until the verdict
//
// Children are made when Send returns, with the times at which things happened.
// A transaction with a dial begins with the dial. Of messages that follow
// closely the envelope of one is under way behind the content of the other, so
// transactions on one connection may overlap: that is the truth.
//
// A connection belongs to no message. One that was opened before the message was
// handed over (for others, or by Account.MinIdle) is a trace of its own, to which
// its first transaction links; so is a dial that failed, since all messages that
// waited may have failed with it. Their spans have its error.type and smtp.phase.
// A dial whose connection never carried a message is not shown.
//
// No span holds a credential. Addresses, Message-IDs and the servers' words are
// shown only if [Options] ask for them. There are no metrics here: package
// kaizenprom has them.
package kaizenotel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/kaizenmail/kaizen"
)

// Options say what spans tell, and to whom. The zero value is usable.
type Options struct {
	TracerProvider trace.TracerProvider // default: the global one

	// AccountLabel makes the attribute kaizen.account of an account's name (what a
	// program calls it, else user@host:port). It must be safe for concurrent use.
	// Default: what stands behind the last "@", so that no mail address is shown.
	AccountLabel func(name string) string

	// Addresses shows the envelope: smtp.mail_from and smtp.rcpt_to.
	Addresses bool
	// MessageIDs shows smtp.message_id.
	MessageIDs bool
	// Replies shows the servers' words, in smtp.reply.text and in the description
	// of failed spans. They often repeat addresses.
	Replies bool

	// Attributes are further attributes of a message's span: a tenant, a campaign,
	// a subject. It is given what Send was given, and must be quick and safe for
	// concurrent use. Default: none.
	Attributes func(m kaizen.Message) []attribute.KeyValue
}

// scope names the library in the spans.
const scope = "github.com/kaizenmail/kaizen/kaizenotel"

// New returns hooks for [kaizen.Config].Trace. They start nothing and need no
// closing. Spans that are not sampled cost little more than their context.
func New(options Options) *kaizen.Trace {
	if options.TracerProvider == nil {
		options.TracerProvider = otel.GetTracerProvider()
	}
	if options.AccountLabel == nil {
		options.AccountLabel = withoutUser
	}
	t := &tracer{Options: options, spans: options.TracerProvider.Tracer(scope)}
	return &kaizen.Trace{SendStart: t.sendStart, SendDone: t.sendDone, DialDone: t.dialDone}
}

// tracer makes the spans.
type tracer struct {
	Options
	spans trace.Tracer
}

// sending is a message that is being sent.
type sending struct {
	span  trace.Span
	began time.Time
}

// sendingKey finds it in a context.
type sendingKey struct{}

func (t *tracer) sendStart(ctx context.Context, info kaizen.SendStartInfo) context.Context {
	began := time.Now()
	attributes := append(serverAttributes(info.Server), attribute.String("kaizen.account", t.AccountLabel(info.Account)))
	ctx, span := t.spans.Start(ctx, "smtp send", trace.WithTimestamp(began), trace.WithAttributes(attributes...))
	if t.Attributes != nil && info.Message != nil && span.IsRecording() {
		span.SetAttributes(t.Attributes(info.Message)...)
	}
	return context.WithValue(ctx, sendingKey{}, &sending{span, began})
}

func (t *tracer) sendDone(ctx context.Context, info kaizen.SendDoneInfo) {
	s, ok := ctx.Value(sendingKey{}).(*sending)
	if !ok {
		return
	}
	if s.span.IsRecording() {
		ctx = trace.ContextWithSpan(ctx, s.span)
		for _, r := range tries(&info) {
			t.transaction(ctx, s.began, r)
		}
		s.span.SetAttributes(t.messageAttributes(&info)...)
		t.fail(s.span, info.Err)
	}
	s.span.End()
}

// dialDone shows only what went wrong; see the package comment.
func (t *tracer) dialDone(info kaizen.DialDoneInfo) {
	if info.Err == nil {
		return
	}
	attributes := append(serverAttributes(info.Server), attribute.String("kaizen.account", t.AccountLabel(info.Account)))
	_, span := t.spans.Start(context.Background(), "smtp dial", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(info.Started), trace.WithAttributes(attributes...))
	t.fail(span, info.Err)
	span.End(trace.WithTimestamp(info.Started.Add(info.Duration)))
}
