package smtp_test

import (
	"io"
	"runtime"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// These measure the whole process, so they are not parallel.

// endless repeats a piece of text until n octets are left.
type endless struct {
	text []byte
	n    int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.text)
	e.n -= int64(n)
	return n, nil
}

func (e *endless) WriteTo(w io.Writer) (total int64, err error) {
	for e.n > 0 && err == nil {
		var n int
		n, err = w.Write(e.text)
		e.n, total = e.n-int64(n), total+int64(n)
	}
	return total, err
}

func TestContentStreamsInConstantMemory(t *testing.T) {
	const size, bound = 64 << 20, 8 << 20
	for name, c := range map[string]*smtp.Content{
		"reader":   smtp.Reader(&endless{long, size}),
		"writerTo": smtp.WriterTo(&endless{long, size}),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var r smtp.ContentReader
		if err := c.OpenInto(&r, data); err != nil {
			t.Fatal(err)
		}
		var err error
		for dst := make([]byte, 32<<10); err == nil; {
			_, err = r.Fill(dst)
		}
		runtime.ReadMemStats(&after)
		if err != io.EOF || r.Octets() < size {
			t.Errorf("%s: %d octets, %v", name, r.Octets(), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > bound {
			t.Errorf("%s: %d octets of memory for %d of content", name, used, size)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestContentInMemoryAllocatesNothing(t *testing.T) {
	text := mail(10_000, "\n", 5)
	shared, dst := smtp.Bytes(text), make([]byte, 4<<10)
	var r smtp.ContentReader
	send := func(c *smtp.Content) {
		if err := c.OpenInto(&r, data); err != nil {
			t.Fatal(err)
		}
		for err := error(nil); err == nil; {
			_, err = r.Fill(dst)
		}
		_ = r.Close()
	}
	if n := testing.AllocsPerRun(100, func() { send(shared) }); n != 0 {
		t.Errorf("%v allocations for a content that was looked at", n)
	}
	if n := testing.AllocsPerRun(100, func() { send(smtp.Bytes(text)) }); n > 1 {
		t.Errorf("%v allocations for a new content", n)
	}
}
