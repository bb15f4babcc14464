package message_test

import (
	"io"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

func benchmarkMessage() *message.Message {
	return &message.Message{
		From:    "Kaizen Shop <shop@example.com>",
		To:      []string{"Ann Lee <ann@example.org>"},
		Subject: "Your order 4711 has been shipped",
		Text:    strings.Repeat("Dear Ann, your parcel is on its way to you and will arrive soon.\n", 12),
		HTML:    strings.Repeat("<p style=\"margin:0\">Dear Ann, your parcel is on its way to you &amp; will arrive on <b>Monday</b>.</p>\n", 12),
	}
}

func BenchmarkWriteTo(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := benchmarkMessage().WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEnvelope(b *testing.B) {
	b.ReportAllocs()
	m := benchmarkMessage()
	for b.Loop() {
		if _, err := m.Envelope(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAttachment(b *testing.B) {
	m := benchmarkMessage()
	m.Attachments = []message.Attachment{{Name: "a.bin", Data: make([]byte, 10<<20)}}
	b.SetBytes(10 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignedAttachment reads 10 MB twice and holds none of it.
func BenchmarkSignedAttachment(b *testing.B) {
	m := benchmarkMessage()
	m.Attachments = []message.Attachment{{Name: "a.bin", Data: make([]byte, 10<<20)}}
	m.DKIM = both()[1:]
	b.SetBytes(10 << 20)
	b.ReportAllocs()
	for b.Loop() {
		m.MessageID = "" // a new message
		if _, err := m.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
