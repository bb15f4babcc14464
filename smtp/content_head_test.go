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

// Head, Octets and Reader give what the source has, whatever it is read from.
func TestHeadOfAContent(t *testing.T) {
	t.Parallel()
	small := []byte("Subject: x\n\n.a line\r\nno end")
	large := []byte("Subject: x\r\n\r\n" + strings.Repeat("0123456789\n", 20_000))
	for name, want := range map[string][]byte{"small": small, "large": large, "empty": {}} {
		for kind, content := range map[string]*smtp.Content{
			"bytes":   smtp.Bytes(want),
			"reader":  smtp.Reader(bytes.NewReader(want)),
			"by ones": smtp.Reader(iotest.OneByteReader(bytes.NewReader(want))),
			"open":    smtp.Open(func() (io.ReadCloser, error) { return io.NopCloser(iotest.DataErrReader(bytes.NewReader(want))), nil }),
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				if err := content.Prepare(); err != nil {
					t.Fatal(err)
				}
				if head := content.Head(); !bytes.Equal(head, want[:min(len(want), 64<<10)]) {
					t.Errorf("head has %d octets", len(head))
				}
				if octets, ok := content.Octets(); ok && !bytes.Equal(octets, want) || !ok && name != "large" {
					t.Errorf("octets: %d, %t", len(octets), ok)
				}
				r, err := content.Reader()
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(iotest.OneByteReader(r)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("read %d octets of %d: %v", len(got), len(want), err)
				}
				if err := errors.Join(r.Close(), content.Close()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestHeadBeforePrepare(t *testing.T) {
	t.Parallel()
	if head := smtp.Reader(strings.NewReader("x")).Head(); head != nil {
		t.Errorf("%q", head)
	}
}
