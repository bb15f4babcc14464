package message_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
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

func TestDeclaredSizeOfARawMessage(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("a line of the body\r\n"), 10_000)
	data := append([]byte("From: ann@example.com\r\nBcc: bob@example.net,\r\n eve@example.net\r\n\r\n"), body...)
	path := filepath.Join(t.TempDir(), "message.eml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]*message.Raw{"data": {Data: data}, "file": message.RawFile(path)} {
		content, err := raw.Content()
		if err != nil {
			t.Fatal(err)
		}
		sent, err := raw.WriteTo(io.Discard)
		if told, known := content.Size(); err != nil || !known || told != sent {
			t.Errorf("%s: %d were told (%t) and %d sent, %v", name, told, known, sent, err)
		}
	}
	stream := message.Raw{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
	if content, err := stream.Content(); err != nil {
		t.Error(err)
	} else if _, known := content.Size(); known {
		t.Error("the size of a stream cannot be known")
	}
	if _, err := message.RawFile(path + "none").Content(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
