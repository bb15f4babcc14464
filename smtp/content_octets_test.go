package smtp_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kaizenmail/kaizen/smtp"
)

// What is read of a content is what its source gives, whatever its size and line
// ends, and as often as it can be.
func TestContentOctets(t *testing.T) {
	t.Parallel()
	for name, octets := range map[string]string{
		"nothing": "", "short": "a: b\n\n.dot\r\nno end", "large": "a: b\r\n\r\n" + strings.Repeat("0123456789\n.\r", 20_000),
	} {
		sources := map[string]*smtp.Content{
			"bytes": smtp.Bytes([]byte(octets)),
			"open":  smtp.Open(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(octets)), nil }),
			"slow":  smtp.Open(func() (io.ReadCloser, error) { return io.NopCloser(iotest.HalfReader(strings.NewReader(octets))), nil }),
			"once":  smtp.Reader(io.MultiReader(strings.NewReader(octets))),
		}
		for source, content := range sources {
			t.Run(name+" "+source, func(t *testing.T) {
				t.Parallel()
				times := 2
				if source == "once" {
					times = 1
				}
				for range times {
					r, err := content.Reader()
					if err != nil {
						t.Fatal(err)
					}
					if err := iotest.TestReader(r, []byte(octets)); err != nil {
						t.Error(err)
					}
					if err := r.Close(); err != nil {
						t.Error(err)
					}
				}
				if kept, ok := content.Octets(); ok && !bytes.Equal(kept, []byte(octets)) {
					t.Error("kept other octets")
				}
			})
		}
	}
}

func TestContentReaderFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	content := smtp.Open(func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)), iotest.ErrReader(broken))), nil
	})
	r, err := content.Reader()
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		r.Close()
	}
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}
