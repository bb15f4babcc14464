package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

// benchSource gives the messages of a load.
type benchSource struct {
	next func() kaizen.Message
	size int64 // octets of a message, give or take a few: Message-IDs differ in length
}

// newBenchSource makes messages of about size octets, never less than their
// headers need. Unless they are composed they are all the same one.
func newBenchSource(from string, to []string, size int, compose bool) (benchSource, error) {
	composed := func(text int) *message.Message {
		return &message.Message{From: from, To: to, Subject: "A message of kaizen bench",
			Text: filler(text * 2 / 5), HTML: "<html><body><p>\n" + filler(text*3/5) + "\n</p></body></html>"}
	}
	const little = 10 // enough for both parts to be there
	bare, err := measure(composed(little))
	if err != nil {
		return benchSource{}, err
	}
	// Lines that end in CRLF are one octet longer than here.
	fill := max((size-int(bare))*len(fillerLine)/(len(fillerLine)+1), 0) + little
	full := composed(fill)
	octets, err := measure(full)
	if err != nil {
		return benchSource{}, err
	}
	if compose {
		return benchSource{func() kaizen.Message { return composed(fill) }, octets}, nil
	}
	return prepared(full, size)
}

func measure(m *message.Message) (int64, error) {
	n, err := m.WriteTo(io.Discard)
	if err != nil {
		return 0, fmt.Errorf("compose the message: %w", err)
	}
	return n, nil
}

// prepared sends one message's octets again and again. They are a plain text, so
// that their number is exact.
func prepared(m *message.Message, size int) (benchSource, error) {
	envelope, err := m.Envelope()
	if err != nil {
		return benchSource{}, fmt.Errorf("compose the message: %w", err)
	}
	text := &message.Message{From: m.From, To: m.To, Subject: m.Subject, Text: "."}
	var b bytes.Buffer
	if _, err := text.WriteTo(&b); err != nil {
		return benchSource{}, fmt.Errorf("compose the message: %w", err)
	}
	octets := b.Bytes()
	if more := size - len(octets); more > 0 {
		octets = append(octets, wireFiller(more)...)
	}
	p := &kaizen.Prepared{Envelope: envelope, Content: smtp.Bytes(octets)}
	return benchSource{func() kaizen.Message { return p }, int64(len(octets))}, nil
}

const fillerLine = "The quick brown fox jumps over the lazy dog, again and again and again.\n"

func filler(octets int) string {
	return strings.Repeat(fillerLine, octets/len(fillerLine)+1)[:octets]
}

// wireFiller is text of lines with CRLF. The last line may be short, but it
// always has its end.
func wireFiller(octets int) string {
	if octets < 2 {
		return ""
	}
	line := strings.TrimSuffix(fillerLine, "\n") + "\r\n"
	text := strings.Repeat(line, octets/len(line))
	rest := octets - len(text)
	if rest == 1 { // too short for an end of its own
		return strings.TrimSuffix(text, "\r\n") + "x\r\n"
	}
	if rest == 0 {
		return text
	}
	return text + strings.Repeat("x", rest-2) + "\r\n"
}
