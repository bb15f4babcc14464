package kaizenotel

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// tries are all that reached a server, in their order.
func tries(info *kaizen.SendDoneInfo) []*smtp.Result {
	all := slices.Clone(info.Repeated)
	if info.Receipt != nil {
		all = append(all, info.Receipt.Transactions...)
	}
	all = slices.DeleteFunc(all, func(r *smtp.Result) bool { return r.Started.IsZero() })
	slices.SortStableFunc(all, func(a, b *smtp.Result) int { return a.Started.Compare(b.Started) })
	return all
}

// transaction draws one try of a message that was handed over at began.
func (t *tracer) transaction(ctx context.Context, began time.Time, r *smtp.Result) {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(t.transactionAttributes(r)...)}
	start, opened := r.Started, r.Opened
	adopted := opened != nil && !opened.Started.Before(began)
	switch {
	case adopted:
		start = opened.Started
	case opened != nil:
		own := t.dial(context.Background(), opened, trace.WithNewRoot())
		t.login(own, opened, time.Time{}, began)
		options = append(options, trace.WithLinks(trace.LinkFromContext(own)))
	}
	ctx, span := t.spans.Start(ctx, "smtp transaction", append(options, trace.WithTimestamp(start))...)
	if adopted {
		t.dial(ctx, opened)
	}
	if opened != nil {
		t.login(ctx, opened, began, time.Time{})
	}
	t.parts(ctx, r)
	if r.Err != nil {
		t.fail(span, r.Err)
	}
	span.End(trace.WithTimestamp(r.Started.Add(r.Duration)))
}

// dial draws how a connection came about, and returns the context of that span.
func (t *tracer) dial(ctx context.Context, info *smtp.Info, options ...trace.SpanStartOption) context.Context {
	attributes := append(serverAttributes(info.Server), peerAttributes(info.RemoteAddr)...)
	options = append(options, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(info.Started), trace.WithAttributes(attributes...))
	ctx, span := t.spans.Start(ctx, "smtp dial", options...)
	span.AddEvent("connected", trace.WithTimestamp(info.Started.Add(info.ConnectTime)))
	if info.TLS != nil {
		t.span(ctx, "smtp tls", info.TLSStarted, info.TLSTime, tlsAttributes(info.TLS)...)
	}
	span.End(trace.WithTimestamp(info.Started.Add(info.OpenTime)))
	return ctx
}

// login draws a login that was accepted, if it began within that time; a bound
// that is zero is none.
func (t *tracer) login(ctx context.Context, info *smtp.Info, from, until time.Time) {
	at := info.AuthStarted
	if at.IsZero() || at.Before(from) || !until.IsZero() && !at.Before(until) {
		return
	}
	t.span(ctx, "smtp auth", at, info.AuthTime, attribute.String("smtp.auth.mechanism", info.Mechanism))
}

// parts draws the two halves of a transaction. One that came to no content is
// all envelope.
func (t *tracer) parts(ctx context.Context, r *smtp.Result) {
	if r.EnvelopeTime == 0 {
		t.span(ctx, "smtp envelope", r.Started, r.Duration)
		return
	}
	t.span(ctx, "smtp envelope", r.Started, r.EnvelopeTime)
	_, data := t.spans.Start(ctx, "smtp data", trace.WithTimestamp(r.Started.Add(r.EnvelopeTime)),
		trace.WithAttributes(attribute.Int64("smtp.octets", r.Octets)))
	if r.ContentTime > 0 {
		data.AddEvent("content written", trace.WithTimestamp(r.Started.Add(r.ContentTime)))
	}
	data.End(trace.WithTimestamp(r.Started.Add(r.Duration)))
}

// span draws one that has no more to tell.
func (t *tracer) span(ctx context.Context, name string, start time.Time, took time.Duration, attributes ...attribute.KeyValue) {
	_, span := t.spans.Start(ctx, name, trace.WithTimestamp(start), trace.WithAttributes(attributes...))
	span.End(trace.WithTimestamp(start.Add(took)))
}
