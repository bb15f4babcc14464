package message_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

// The size that is told before a large message is sent is no more than what is
// sent, or a server might refuse what it would take, and not far below.
func TestDeclaredSizeIsALowerBound(t *testing.T) {
	t.Parallel()
	for _, octets := range []int{300 << 10, 1<<20 + 1, 3_000_000} {
		data := bytes.Repeat([]byte{'x'}, octets)
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		for name, a := range map[string]message.Attachment{"data": {Name: "a.bin", Data: data}, "open": {Name: "a.bin", Open: open}} {
			m := &message.Message{From: "ann@example.com", To: []string{"bob@example.net"}, Text: "x", Attachments: []message.Attachment{a}}
			content, err := m.Content()
			if err != nil {
				t.Fatal(err)
			}
			told, known := content.Size()
			if known != (name == "data") {
				t.Errorf("%s of %d octets: known %t", name, octets, known)
			}
			sent, err := m.WriteTo(io.Discard)
			if err != nil || told > sent || name == "data" && told < sent*98/100 {
				t.Errorf("%s of %d octets: %d were told and %d sent, %v", name, octets, told, sent, err)
			}
		}
	}
}
