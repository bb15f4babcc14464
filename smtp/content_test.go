package smtp_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/kaizenmail/kaizen/smtp"
)

var data = smtp.Encoding{Stuff: true, AllowEightBit: true, AllowLongLines: true}

// long is a content that does not fit into what Prepare reads.
var long = mail(200<<10, "\n", 3)

// read opens c and gives its octets without the stuffing, or the first error.
func read(t *testing.T, c *smtp.Content, e smtp.Encoding) ([]byte, error) {
	t.Helper()
	var r smtp.ContentReader
	if err := c.OpenInto(&r, e); err != nil {
		return nil, err
	}
	defer r.Close()
	var wire []byte
	dst := make([]byte, 8<<10)
	for {
		n, err := r.Fill(dst)
		wire = append(wire, dst[:n]...)
		if err == io.EOF {
			return wire, nil
		}
		if err != nil {
			if _, again := r.Fill(dst); again != err {
				t.Errorf("the next fill says %v, not %v again", again, err)
			}
			return wire, err
		}
	}
}

type writerFunc func(w io.Writer) (int64, error)

func (f writerFunc) WriteTo(w io.Writer) (int64, error) { return f(w) }

// source counts how often it is opened and closed.
type source struct {
	mu             sync.Mutex
	opened, closed int
	text           []byte
	closeErr       error
}

func (s *source) open() (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	return struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(s.text), s}, nil
}

func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return s.closeErr
}

func TestContentIsSharedByManyTransactions(t *testing.T) {
	t.Parallel()
	src := &source{text: long}
	opened := smtp.Open(src.open)
	if err := opened.Prepare(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, c := range []*smtp.Content{smtp.Bytes(long), opened} {
		for range 8 {
			wg.Go(func() {
				wire, err := read(t, c, data)
				if err != nil || !bytes.Equal(unstuff(t, wire), canonical(long)) {
					t.Errorf("got %d octets, %v", len(wire), err)
				}
			})
		}
	}
	wg.Wait()
	if src.opened != 8 || src.closed != 8 {
		t.Errorf("opened %d times, closed %d times, want 8 and 8", src.opened, src.closed)
	}
}

func TestContentIsReadTwiceOnlyWhereItCanBe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(file, append([]byte("skipped"), long...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	writer := writerFunc(func(w io.Writer) (int64, error) { return bytes.NewReader(long).WriteTo(w) })
	tests := map[string]struct {
		content *smtp.Content
		again   bool
	}{
		"bytes":      {smtp.Bytes(long), true},
		"file":       {smtp.Reader(f), true},
		"open":       {smtp.Open((&source{text: long}).open), true},
		"replayable": {smtp.ReplayableWriterTo(writer), true},
		"writerTo":   {smtp.WriterTo(writer), false},
		"reader":     {smtp.Reader(bytes.NewBuffer(bytes.Clone(long))), false},
		"small":      {smtp.Reader(strings.NewReader("small")), true},
		"small once": {smtp.WriterTo(bytes.NewBufferString("small")), true},
	}
	for name, test := range tests {
		if !test.content.Replayable() {
			t.Errorf("%s: not replayable though untouched", name)
		}
		first, err := read(t, test.content, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if test.content.Replayable() != test.again {
			t.Errorf("%s: replayable is %v after it was read", name, !test.again)
		}
		second, err := read(t, test.content, data)
		if test.again && (err != nil || !bytes.Equal(first, second)) {
			t.Errorf("%s: %d octets, then %d, %v", name, len(first), len(second), err)
		}
		if !test.again && !errors.Is(err, smtp.ClassContent) {
			t.Errorf("%s: the second time gives %v", name, err)
		}
	}
}

func TestContentThatWasNotTouchedIsGivenBack(t *testing.T) {
	t.Parallel()
	c := smtp.Reader(bytes.NewBuffer(bytes.Clone(long)))
	var r smtp.ContentReader
	if err := c.OpenInto(&r, data); err != nil {
		t.Fatal(err)
	}
	if c.Replayable() {
		t.Error("replayable while another reads it")
	}
	if err := c.OpenInto(new(smtp.ContentReader), data); !errors.Is(err, smtp.ClassContent) {
		t.Errorf("two read it at once: %v", err)
	}
	if err := r.Close(); err != nil || !c.Replayable() {
		t.Errorf("closed untouched: %v, replayable %v", err, c.Replayable())
	}
	if wire, err := read(t, c, data); err != nil || !bytes.Equal(unstuff(t, wire), canonical(long)) {
		t.Errorf("got %d octets, %v", len(wire), err)
	}
}

func TestContentSize(t *testing.T) {
	t.Parallel()
	c := smtp.Reader(bytes.NewBuffer(bytes.Clone(long)))
	if _, known := c.Size(); known {
		t.Error("a stream's size is known from nothing")
	}
	if n, known := c.DeclareSize(77).Size(); n != 77 || !known {
		t.Errorf("declared 77, got %d, %v", n, known)
	}
	if err := c.Prepare(); err != nil || c.Traits().Size != 77 {
		t.Errorf("prepared: %+v, %v", c.Traits(), err)
	}
	small := smtp.Reader(strings.NewReader("a\n.b")).DeclareSize(77)
	if err := small.Prepare(); err != nil {
		t.Fatal(err)
	}
	if n, known := small.Size(); n != 7 || !known {
		t.Errorf("the true size is 7, got %d, %v", n, known)
	}
}

func TestRawContentPassesUnchanged(t *testing.T) {
	t.Parallel()
	for _, n := range []int{100, 150_000} {
		text := awkward(rand.New(rand.NewPCG(3, 4)), n)
		for name, c := range sources(text, 5, 20_000) {
			wire, err := read(t, c, smtp.Encoding{Raw: true})
			if err != nil || !bytes.Equal(wire, text) {
				t.Errorf("%s: %d octets became %d, %v", name, n, len(wire), err)
			}
		}
	}
}

// What the server does not offer is refused with the line, before anything is
// sent where it is known by then.
func TestContentNeedsWhatTheServerLacks(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, tail, want string }{
		{"8-bit", "\r\nplain\nü", "8BITMIME"},
		{"long line", "\r\nplain\n" + strings.Repeat("x", 999), "998"},
	}
	for _, test := range tests {
		for _, lines := range []int{0, 100, 2000, 50_000} {
			text := strings.Repeat("short line\r\n", lines) + "end" + test.tail
			for name, c := range sources([]byte(text), 6, 30_000) {
				_, err := read(t, c, smtp.Encoding{Stuff: true})
				if !errors.Is(err, smtp.ClassContent) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s from %s: %v", test.name, name, err)
				}
				if want := "line " + strconv.Itoa(lines+3) + ":"; err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%s from %s: %v, want %s", test.name, name, err, want)
				}
				if small := len(text) < 64<<10; small && !c.Replayable() {
					t.Errorf("%s from %s: lost by the refusal", test.name, name)
				}
			}
		}
	}
}

// The line is right even if a CRLF lies across two pieces of the stream.
func TestContentCountsASplitLineEndOnce(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 64<<10-1) + "\r\n\xfc"
	_, err := read(t, smtp.Reader(strings.NewReader(text)), smtp.Encoding{Stuff: true, AllowLongLines: true})
	if err == nil || !strings.Contains(err.Error(), "line 2:") {
		t.Errorf("got %v, want line 2", err)
	}
}

func TestContentSourceFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	partly := func(n int) io.Reader { return io.MultiReader(bytes.NewReader(long[:n]), iotest.ErrReader(boom)) }
	for _, n := range []int{0, 10, 64 << 10, 100_000} {
		tests := map[string]*smtp.Content{
			"reader": smtp.Reader(partly(n)),
			"writerTo": smtp.WriterTo(writerFunc(func(w io.Writer) (int64, error) {
				return io.Copy(w, partly(n))
			})),
			"open":  smtp.Open(func() (io.ReadCloser, error) { return io.NopCloser(partly(n)), nil }),
			"close": smtp.Open((&source{text: long[:n], closeErr: boom}).open),
		}
		for name, c := range tests {
			wire, err := read(t, c, data)
			if !errors.Is(err, boom) || !errors.Is(err, smtp.ClassContent) {
				t.Errorf("%s after %d octets: gave %d, %v", name, n, len(wire), err)
			}
		}
	}
	stuck := smtp.Reader(readerFunc(func([]byte) (int, error) { return 0, nil }))
	if err := stuck.Prepare(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing: %v", err)
	}
	absent := smtp.Open(func() (io.ReadCloser, error) { return os.Open(filepath.Join(t.TempDir(), "absent")) })
	for range 2 {
		if err := absent.Prepare(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file that is not there: %v", err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestContentSourcePanics(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, n := range []int{10, 100_000} {
		tests := map[string]*smtp.Content{
			"reader": smtp.Reader(io.MultiReader(bytes.NewReader(long[:n]), readerFunc(func([]byte) (int, error) { panic(boom) }))),
			"writerTo": smtp.WriterTo(writerFunc(func(w io.Writer) (int64, error) {
				_, _ = w.Write(long[:n])
				panic(boom)
			})),
		}
		for name, c := range tests {
			recovered := func() (p any) {
				defer func() { p = recover() }()
				_ = c.Prepare()
				return nil
			}()
			if small := n < 64<<10; small != (recovered == boom) {
				t.Errorf("%s after %d octets: Prepare panicked with %v", name, n, recovered)
			}
			if _, err := read(t, c, data); !errors.Is(err, smtp.ClassContent) {
				t.Errorf("%s after %d octets: %v", name, n, err)
			}
		}
	}
	gone := smtp.WriterTo(writerFunc(func(io.Writer) (int64, error) { runtime.Goexit(); return 0, nil }))
	if err := gone.Prepare(); !errors.Is(err, smtp.ClassContent) {
		t.Errorf("WriteTo that ends its goroutine: %v", err)
	}
}

// A WriteTo that is cut short has returned when Close returns, even one that
// goes on after its writer failed.
func TestContentEndsBeforeWriteTo(t *testing.T) {
	t.Parallel()
	for _, touched := range []bool{false, true} {
		returned, failures := false, 0
		c := smtp.WriterTo(writerFunc(func(w io.Writer) (int64, error) {
			for range 5 {
				if _, err := w.Write(long); err != nil {
					failures++
				}
			}
			returned = true
			return 0, nil
		}))
		if err := c.Prepare(); err != nil {
			t.Fatal(err)
		}
		var r smtp.ContentReader
		if touched {
			if err := c.OpenInto(&r, data); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Fill(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(r.Close(), c.Close()); err != nil {
			t.Fatal(err)
		}
		if !returned || failures != 5 {
			t.Errorf("touched %v: returned %v after %d failures", touched, returned, failures)
		}
		if c.Replayable() {
			t.Error("replayable after Close")
		}
	}
}

// A program that sends from its main thread (a window, a device) must not crash
// because the connection is driven by another goroutine.
func TestContentPreparedOnALockedThread(t *testing.T) {
	t.Parallel()
	c := smtp.WriterTo(writerFunc(func(w io.Writer) (int64, error) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return bytes.NewReader(long).WriteTo(w)
	}))
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- c.Prepare()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if wire, err := read(t, c, data); err != nil || !bytes.Equal(unstuff(t, wire), canonical(long)) {
		t.Errorf("got %d octets, %v", len(wire), err)
	}
}

func TestContentWithoutLineEndsIsLinear(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"x", "\r", "\n", "\r\n", "."} {
		text := []byte(strings.Repeat(unit, 1<<20))
		c := smtp.Bytes(text)
		wire, err := read(t, c, data)
		if n, _ := c.Size(); err != nil || n != int64(len(canonical(text))) || len(wire) < int(n) {
			t.Errorf("%q: size %d, %d on the wire, %v", unit, n, len(wire), err)
		}
	}
}
