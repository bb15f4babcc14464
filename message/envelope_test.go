package message_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestEnvelope(t *testing.T) {
	t.Parallel()
	m := &message.Message{
		From: "Ann <ann@example.com>",
		To:   []string{"bob@example.org", "Bob <bob@EXAMPLE.org>", "BOB@example.org"},
		Cc:   []string{`"a b"@example.org`, "ünal@bücher.example"},
		Bcc:  []string{"bob@example.org", "eve@example.org"},
	}
	e, err := m.Envelope()
	want := smtp.Envelope{
		From: "ann@example.com",
		To:   smtp.To("bob@example.org", "BOB@example.org", `"a b"@example.org`, "ünal@xn--bcher-kva.example", "eve@example.org"),
	}
	if err != nil || !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v, %v\nwant %+v", e, err, want)
	}
}

func TestEnvelopeSender(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ sender, returnPath, want string }{
		{"", "", "ann@example.com"},
		{"Office <office@example.com>", "", "office@example.com"},
		{"office@example.com", "bounce@example.com", "bounce@example.com"},
		{"", "<>", ""},
	} {
		m := simple()
		m.Sender, m.Delivery.ReturnPath = test.sender, test.returnPath
		if e, err := m.Envelope(); err != nil || e.From != test.want {
			t.Errorf("%+v: %q, %v", test, e.From, err)
		}
	}
}

func TestEnvelopeOptions(t *testing.T) {
	t.Parallel()
	m := simple()
	m.Delivery = message.Delivery{Notify: smtp.NotifyFailure, Return: smtp.ReturnHeaders, EnvelopeID: "7", RequireTLS: true}
	e, err := m.Envelope()
	if err != nil || e.Return != smtp.ReturnHeaders || e.EnvelopeID != "7" || !e.RequireTLS || e.To[0].Notify != smtp.NotifyFailure {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestEnvelopeRefused(t *testing.T) {
	t.Parallel()
	for field, spoil := range map[string]func(*message.Message){
		"To":                  func(m *message.Message) { m.To = nil },
		"Bcc[0]":              func(m *message.Message) { m.Bcc = []string{"x"} },
		"Delivery.ReturnPath": func(m *message.Message) { m.Delivery.ReturnPath = "x" },
	} {
		m := simple()
		spoil(m)
		_, err := m.Envelope()
		var refusal *message.Error
		if !errors.As(err, &refusal) || refusal.Field != field {
			t.Errorf("want an error about %s, got %v", field, err)
		}
	}
}
