package message_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kaizenmail/kaizen/message"
)

func TestFileNamesReadBack(t *testing.T) {
	t.Parallel()
	names := []string{
		"a.pdf", "two words.pdf", `quo"te\back.pdf`, "résumé.pdf", "レポート.xlsx", "100%.txt", "it's.txt", "semi;colon=.txt",
		strings.Repeat("long", 100) + ".txt", strings.Repeat("長い", 100) + ".txt", " spaces ", "tab\t.txt", "📎",
		strings.Repeat("x", 59) + ".pdf", strings.Repeat("x", 66),
	}
	for _, name := range names {
		m := simple()
		m.Attachments = []message.Attachment{{Name: name, Data: []byte{0, 1, 2}, ContentType: "application/x-test"}}
		octets := write(t, m)
		checkASCII(t, octets)
		_, parts := parse(t, octets)
		if parts[1].name != name {
			t.Errorf("%q came back as %q", name, parts[1].name)
		}
		for line := range bytes.SplitSeq(octets, []byte("\r\n")) {
			if len(line) > 76 {
				t.Errorf("%q: line of %d octets: %s", name, len(line), line)
			}
		}
	}
}

func TestInlineImage(t *testing.T) {
	t.Parallel()
	m := simple()
	m.HTML = `<img src="cid:logo">`
	m.Attachments = []message.Attachment{
		{Name: "logo.png", ContentID: "logo", Data: []byte("png")},
		{Name: "a.pdf", Data: []byte("pdf")},
	}
	_, parts := parse(t, write(t, m))
	if len(parts) != 4 {
		t.Fatalf("%d parts", len(parts))
	}
	checkLeaf(t, parts[0], "mixed/alternative/", "text/plain", "Hello\r\n")
	checkLeaf(t, parts[1], "mixed/alternative/related/", "text/html", m.HTML)
	checkLeaf(t, parts[2], "mixed/alternative/related/", "image/png", "png")
	checkLeaf(t, parts[3], "mixed/", "application/pdf", "pdf")
	if id := parts[2].header.Get("Content-ID"); id != "<logo>" {
		t.Errorf("Content-ID is %q", id)
	}
}

func TestAttachmentOctets(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 56, 57, 58, 57 * 256, 57*256 + 1, 100_000} {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(i * 7)
		}
		path := filepath.Join(t.TempDir(), "file.bin")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		m := simple()
		m.Attachments = []message.Attachment{message.AttachFile(path), {Data: content}}
		_, parts := parse(t, write(t, m))
		if !bytes.Equal(parts[1].body, content) || !bytes.Equal(parts[2].body, content) || parts[1].name != "file.bin" {
			t.Errorf("%d octets came back as %d and %d", size, len(parts[1].body), len(parts[2].body))
		}
	}
}

func TestAttachmentAlone(t *testing.T) {
	t.Parallel()
	m := simple()
	m.Text = ""
	m.Attachments = []message.Attachment{{Name: "a.pdf", Data: []byte("x")}}
	_, parts := parse(t, write(t, m))
	if len(parts) != 1 {
		t.Errorf("%d parts", len(parts))
	}
}

// TestAttachmentFails has every error name the attachment, and none come after
// the first octet if the file cannot be opened.
func TestAttachmentFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	missing := filepath.Join(t.TempDir(), "missing.pdf")
	for name, test := range map[string]struct {
		attachment message.Attachment
		cause      error
		says       string
	}{
		"missing":   {message.AttachFile(missing), fs.ErrNotExist, missing},
		"directory": {message.AttachFile(t.TempDir()), nil, "not a regular file"},
		"open":      {message.Attachment{Name: "o.pdf", Open: func() (io.ReadCloser, error) { return nil, broken }}, broken, `"o.pdf"`},
		"read":      {message.Attachment{Name: "r.pdf", Open: opener(iotest.ErrReader(broken))}, broken, `"r.pdf"`},
	} {
		m := simple()
		m.Attachments = []message.Attachment{{Name: "fine"}, test.attachment}
		var b bytes.Buffer
		n, err := m.WriteTo(&b)
		var field *message.Error
		if !errors.As(err, &field) || field.Field != "Attachments[1]" || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
		if test.cause != nil && !errors.Is(err, test.cause) {
			t.Errorf("%s: %v is not %v", name, err, test.cause)
		}
		if n != 0 {
			t.Errorf("%s: %d octets were written", name, n)
		}
	}
}
