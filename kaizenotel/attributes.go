package kaizenotel

import (
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

func withoutUser(name string) string { return name[strings.LastIndexByte(name, '@')+1:] }

func serverAttributes(address string) []attribute.KeyValue {
	return addressAttributes("server.address", "server.port", address)
}

func peerAttributes(address string) []attribute.KeyValue {
	return addressAttributes("network.peer.address", "network.peer.port", address)
}

// addressAttributes splits host:port; what is none is an address as a whole.
func addressAttributes(hostKey, portKey, address string) []attribute.KeyValue {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	number, bad := strconv.Atoi(port)
	if err != nil || bad != nil {
		return []attribute.KeyValue{attribute.String(hostKey, address)}
	}
	return []attribute.KeyValue{attribute.String(hostKey, host), attribute.Int(portKey, number)}
}

func tlsAttributes(state *tls.ConnectionState) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("tls.protocol.name", "tls"),
		attribute.String("tls.protocol.version", strings.TrimPrefix(tls.VersionName(state.Version), "TLS ")),
		attribute.String("tls.cipher", tls.CipherSuiteName(state.CipherSuite)),
		attribute.Bool("tls.resumed", state.DidResume),
	}
}

// outcomeName is an outcome as an attribute: "not_sent" where people read "not sent".
func outcomeName(o kaizen.Outcome) string { return strings.ReplaceAll(o.String(), " ", "_") }

// messageAttributes are those that are known at the end.
func (t *tracer) messageAttributes(info *kaizen.SendDoneInfo) []attribute.KeyValue {
	attributes := append(serverAttributes(info.Server),
		attribute.String("kaizen.account", t.AccountLabel(info.Account)),
		attribute.Float64("kaizen.wait_seconds", info.Waited.Total.Seconds()),
		attribute.Int("smtp.tries", len(tries(info))))
	if info.Waited.ForRate > 0 {
		attributes = append(attributes, attribute.Float64("kaizen.rate_wait_seconds", info.Waited.ForRate.Seconds()),
			attribute.String("kaizen.rate_limit", info.Waited.Rate))
	}
	outcome := smtp.NotSent
	var e *kaizen.Error
	if errors.As(info.Err, &e) {
		outcome = e.Outcome
	}
	if r := info.Receipt; r != nil {
		outcome = r.Outcome
		attributes = append(attributes, attribute.Int("smtp.round_trips", r.RoundTrips()))
		attributes = append(attributes, t.queueID(r.QueueID())...)
	}
	attributes = append(attributes, attribute.String("smtp.outcome", outcomeName(outcome)))
	return append(attributes, t.contentAttributes(info)...)
}

// contentAttributes are about the message itself.
func (t *tracer) contentAttributes(info *kaizen.SendDoneInfo) (attributes []attribute.KeyValue) {
	m := info.Message
	if m == nil {
		return nil
	}
	attributes = append(attributes, attribute.Int("smtp.recipients", len(m.Envelope.To)))
	if t.Addresses {
		to := make([]string, len(m.Envelope.To))
		for i := range to {
			to[i] = m.Envelope.To[i].Address
		}
		attributes = append(attributes, attribute.String("smtp.mail_from", m.Envelope.From), attribute.StringSlice("smtp.rcpt_to", to))
	}
	if t.MessageIDs && m.MessageID != "" {
		attributes = append(attributes, attribute.String("smtp.message_id", m.MessageID))
	}
	return attributes
}

func (t *tracer) transactionAttributes(r *smtp.Result) []attribute.KeyValue {
	accepted := 0
	for i := range r.Recipients {
		if r.Recipients[i].Outcome == smtp.Accepted {
			accepted++
		}
	}
	attributes := append(serverAttributes(r.Server), peerAttributes(r.RemoteAddr)...)
	attributes = append(attributes,
		attribute.String("smtp.outcome", outcomeName(r.Outcome)),
		attribute.String("smtp.level", r.Level.String()),
		attribute.Int("smtp.round_trips", r.RoundTrips),
		attribute.Int("smtp.recipients", len(r.Recipients)),
		attribute.Int("smtp.recipients_accepted", accepted),
		attribute.Int64("smtp.octets", r.Octets))
	attributes = append(attributes, t.queueID(r.QueueID)...)
	if r.Err == nil {
		attributes = append(attributes, t.reply(r.Final)...)
	}
	return attributes
}

// queueID shows what the server calls the message. Some servers make their ids
// of Message-IDs.
func (t *tracer) queueID(id string) []attribute.KeyValue {
	if id == "" || strings.Contains(id, "@") && !t.MessageIDs {
		return nil
	}
	return []attribute.KeyValue{attribute.String("smtp.queue_id", id)}
}

func (t *tracer) reply(r smtp.Reply) (attributes []attribute.KeyValue) {
	if r.IsZero() {
		return nil
	}
	attributes = append(attributes, attribute.Int("smtp.reply.code", r.Code))
	if !r.Enhanced.IsZero() {
		attributes = append(attributes, attribute.String("smtp.enhanced_code", r.Enhanced.String()))
	}
	if t.Replies {
		attributes = append(attributes, attribute.String("smtp.reply.text", r.Text))
	}
	return attributes
}

// fail marks a span as failed. Errors name recipients and repeat the server's
// words, so they are shown only if asked for.
func (t *tracer) fail(span trace.Span, err error) {
	if err == nil {
		return
	}
	class, phase, reply := classOf(err)
	span.SetAttributes(attribute.String("error.type", class))
	description := class
	if phase != smtp.PhaseNone {
		span.SetAttributes(attribute.String("smtp.phase", phase.String()))
		description = phase.String() + ": " + class
	}
	span.SetAttributes(t.reply(reply)...)
	if t.Replies {
		description = err.Error()
	}
	span.SetStatus(codes.Error, description)
}

// classOf takes an error apart; "_OTHER" is the convention for what has no type.
func classOf(err error) (class string, phase smtp.Phase, reply smtp.Reply) {
	var front *kaizen.Error
	var wire *smtp.Error
	switch {
	case errors.As(err, &front):
		return front.Class.String(), front.Phase, front.Reply
	case errors.As(err, &wire):
		return wire.Class.String(), wire.Phase, wire.Reply
	}
	return "_OTHER", smtp.PhaseNone, smtp.Reply{}
}
