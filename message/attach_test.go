package message_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/kaizenmail/kaizen/message"
)

func TestAttachFrom(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("abcdefg", 50_000)
	fsys := fstest.MapFS{"dir/a.csv": {Data: []byte(long)}}
	for name, a := range map[string]message.Attachment{
		"file system": message.AttachFS(fsys, "dir/a.csv"),
		"reader at":   message.AttachReaderAt("a.csv", strings.NewReader(long+"more"), int64(len(long))),
		"reader":      message.AttachReader("a.csv", iotest.OneByteReader(strings.NewReader(long))),
		"empty":       message.AttachReaderAt("a.csv", strings.NewReader(""), 0),
	} {
		m := simple()
		m.Attachments = []message.Attachment{a}
		_, parts := parse(t, write(t, m))
		want := long
		if name == "empty" {
			want = ""
		}
		if parts[1].name != "a.csv" {
			t.Errorf("%s: named %q", name, parts[1].name)
		}
		checkLeaf(t, parts[1], "mixed/", "text/csv", want)
	}
}

func TestAttachUnreadable(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"dir/a.csv": {}}
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		attachment message.Attachment
		cause      error
		says       string
	}{
		"missing in file system": {message.AttachFS(fsys, "b.csv"), fs.ErrNotExist, `"b.csv"`},
		"directory":              {message.AttachFS(fsys, "dir"), nil, "not a regular file"},
		"no reader":              {message.AttachReader("r", nil), nil, "no reader"},
		"no reader at":           {message.AttachReaderAt("r", nil, 1), nil, "no reader"},
		"size below zero":        {message.AttachReaderAt("r", strings.NewReader(""), -1), nil, "below zero"},
		"too short":              {message.AttachReaderAt("r", strings.NewReader("abc"), 4), nil, "shorter"},
		"reader at fails":        {message.AttachReaderAt("r", failingAt{broken}, 4), broken, "broken"},
	} {
		m := simple()
		m.Attachments = []message.Attachment{test.attachment}
		var refusal *message.Error
		if err := m.Prepare(); !errors.As(err, &refusal) || refusal.Field != "Attachments[0]" || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		} else if test.cause != nil && !errors.Is(err, test.cause) {
			t.Errorf("%s: %v is not %v", name, err, test.cause)
		}
	}
}

type failingAt struct{ err error }

func (f failingAt) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// TestReadOnce: the second writing fails before its first octet, and the engine
// is told that the content cannot be repeated.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	m := simple()
	m.Attachments = []message.Attachment{message.AttachReader("a", strings.NewReader("x"))}
	if err := m.Prepare(); err != nil {
		t.Fatal(err)
	}
	content, err := m.Content()
	if err != nil || content.Reusable() {
		t.Fatalf("the content can be repeated (%v)", err)
	}
	write(t, m)
	var b bytes.Buffer
	var refusal *message.Error
	_, err = m.WriteTo(&b)
	if !errors.Is(err, message.ErrReadOnce) || !errors.As(err, &refusal) || refusal.Field != "Attachments[0]" || b.Len() > 0 {
		t.Errorf("second writing: %d octets, %v", b.Len(), err)
	}
	if _, err := m.Content(); !errors.Is(err, message.ErrReadOnce) {
		t.Errorf("second content: %v", err)
	}
}

// TestReaderAtInParallel writes one message from several goroutines.
func TestReaderAtInParallel(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("0123456789"), 50_000)
	m := simple()
	m.Attachments = []message.Attachment{message.AttachReaderAt("a.bin", bytes.NewReader(long), int64(len(long)))}
	want := write(t, m)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var b bytes.Buffer
			if _, err := m.WriteTo(&b); err != nil || !bytes.Equal(b.Bytes(), want) {
				t.Errorf("%d octets instead of %d, %v", b.Len(), len(want), err)
			}
		})
	}
	group.Wait()
}

// TestInlineWithoutContentID: it stands behind the body and is not to be saved.
func TestInlineWithoutContentID(t *testing.T) {
	t.Parallel()
	m := simple()
	m.HTML = "<p>"
	m.Attachments = []message.Attachment{{Name: "a.png", Inline: true, Data: []byte("png")}}
	_, parts := parse(t, write(t, m))
	checkLeaf(t, parts[2], "mixed/", "image/png", "png")
	if d := parts[2].header.Get("Content-Disposition"); !strings.HasPrefix(d, "inline;") || parts[2].header.Get("Content-ID") != "" {
		t.Errorf("Content-Disposition %q, Content-ID %q", d, parts[2].header.Get("Content-ID"))
	}
}

// TestSourcesOfKnownSizeDeclareIt: the server can refuse before it is sent.
func TestSourcesOfKnownSizeDeclareIt(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	fsys := fstest.MapFS{"a.bin": {Data: make([]byte, size)}}
	for name, a := range map[string]message.Attachment{
		"file system": message.AttachFS(fsys, "a.bin"),
		"reader at":   message.AttachReaderAt("a.bin", bytes.NewReader(make([]byte, size)), size),
	} {
		m := simple()
		m.Attachments = []message.Attachment{a}
		content, err := m.Content()
		if err != nil {
			t.Fatal(err)
		}
		told, known := content.Size()
		sent, err := m.WriteTo(io.Discard)
		if err != nil || !known || told > sent || told < sent*98/100 {
			t.Errorf("%s: %d told (%v), %d sent, %v", name, told, known, sent, err)
		}
	}
}
