package smtp_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// canonical is the reference: every line end CRLF, the last line closed.
func canonical(b []byte) []byte {
	var out []byte
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\n' && i > 0 && b[i-1] == '\r':
		case b[i] == '\n', b[i] == '\r':
			out = append(out, "\r\n"...)
		default:
			out = append(out, b[i])
		}
	}
	if len(out) > 0 && !bytes.HasSuffix(out, []byte("\r\n")) {
		out = append(out, "\r\n"...)
	}
	return out
}

// referenceTraits looks at canonical lines one by one.
func referenceTraits(b []byte) smtp.Traits {
	t := smtp.Traits{Complete: true, Size: int64(len(canonical(b))), Binary: strings.Contains(string(b), "\x00")}
	inHeader := true
	for i, line := range strings.SplitAfter(string(canonical(b)), "\r\n") {
		text := strings.TrimSuffix(line, "\r\n")
		inHeader = inHeader && line != "\r\n"
		if len(text) > 998 && t.LongLine == 0 {
			t.LongLine = i + 1
		}
		if strings.IndexFunc(text, func(r rune) bool { return r > 127 }) >= 0 {
			t.HeaderEightBit = t.HeaderEightBit || inHeader
			if t.EightBit = true; t.EightBitLine == 0 {
				t.EightBitLine = i + 1
			}
		}
	}
	return t
}

// unstuff is what a server makes of the octets before the terminator.
func unstuff(t *testing.T, wire []byte) []byte {
	t.Helper()
	var out []byte
	for line := range bytes.SplitAfterSeq(wire, []byte("\r\n")) {
		if bytes.Equal(line, []byte(".\r\n")) {
			t.Fatalf("a terminator inside the content: %.200q", wire)
		}
		if text := bytes.TrimSuffix(line, []byte("\r\n")); bytes.ContainsAny(text, "\r\n") {
			t.Fatalf("a bare line end in %.200q", line)
		}
		out = append(out, bytes.TrimPrefix(line, []byte("."))...)
	}
	return out
}

// choppy gives its octets in pieces of changing size, sometimes none, the last
// ones sometimes together with io.EOF.
type choppy struct {
	b     []byte
	sizes *rand.Rand
	max   int
}

func (c *choppy) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), c.sizes.IntN(c.max+1))], c.b)
	c.b = c.b[n:]
	if len(c.b) == 0 && c.sizes.IntN(2) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (c *choppy) WriteTo(w io.Writer) (int64, error) {
	total := 0
	for len(c.b) > 0 {
		n, err := w.Write(c.b[:min(len(c.b), c.sizes.IntN(c.max+1))])
		c.b, total = c.b[n:], total+n
		if err != nil {
			return int64(total), err
		}
	}
	return int64(total), nil
}

// drain fills pieces of changing sizes until the end.
func drain(t *testing.T, r *smtp.ContentReader, sizes *rand.Rand, limit int) []byte {
	t.Helper()
	var wire []byte
	dst := make([]byte, 16+limit)
	for {
		n, err := r.Fill(dst[:16+sizes.IntN(limit+1)])
		wire = append(wire, dst[:n]...)
		if errors.Is(err, io.EOF) {
			return wire
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			t.Fatal("fill gave neither octets nor an error")
		}
	}
}

// sources makes the same content in every way there is.
func sources(b []byte, seed uint64, limit int) map[string]*smtp.Content {
	pieces := func() *choppy { return &choppy{b, rand.New(rand.NewPCG(seed, 1)), limit} }
	opened := func() (io.ReadCloser, error) { return io.NopCloser(pieces()), nil }
	return map[string]*smtp.Content{
		"bytes":    smtp.Bytes(b),
		"reader":   smtp.Reader(struct{ io.Reader }{pieces()}),
		"seeker":   smtp.Reader(bytes.NewReader(b)),
		"writerTo": smtp.WriterTo(pieces()),
		"open":     smtp.Open(opened),
	}
}

// checkContent holds everything that is true of any content against the reference.
func checkContent(t *testing.T, b []byte, seed uint64, limit int) {
	t.Helper()
	for name, c := range sources(b, seed, limit) {
		sizes := rand.New(rand.NewPCG(seed, 2))
		for _, stuff := range []bool{true, false} {
			if !c.Replayable() {
				continue
			}
			checkOpen(t, name, c, b, stuff, sizes, limit)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func checkOpen(t *testing.T, name string, c *smtp.Content, b []byte, stuff bool, sizes *rand.Rand, limit int) {
	t.Helper()
	if err := c.Prepare(); err != nil {
		t.Fatal(name, err)
	}
	want := canonical(b)
	got := c.Traits()
	if got.Complete != (name == "bytes" || len(b) < 64<<10) && len(b) != 64<<10 {
		t.Fatalf("%s: complete is %v for %d octets", name, got.Complete, len(b))
	}
	if ref := referenceTraits(b); got.Complete && got != ref {
		t.Fatalf("%s: traits %+v, want %+v of %.200q", name, got, ref, b)
	}
	var r smtp.ContentReader
	if err := c.OpenInto(&r, smtp.Encoding{Stuff: stuff, AllowEightBit: true, AllowLongLines: true}); err != nil {
		t.Fatal(name, err)
	}
	remaining := r.Remaining()
	wire := drain(t, &r, sizes, limit)
	if r.Octets() != int64(len(want)) {
		t.Fatalf("%s: octets is %d, want %d", name, r.Octets(), len(want))
	}
	if got.Complete && remaining != int64(len(wire)) {
		t.Fatalf("%s: remaining was %d, want %d", name, remaining, len(wire))
	}
	if stuff {
		wire = unstuff(t, wire)
	}
	if !bytes.Equal(wire, want) {
		t.Fatalf("%s, stuff %v: got %.300q\nwant %.300q", name, stuff, wire, want)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// awkward is text made of what matters.
func awkward(random *rand.Rand, n int) []byte {
	words := []string{"\r", "\n", "\r\n", ".", "\r\n.", "\n.\r", ".\r\n", "\x00", "ü", "a",
		"plain words", strings.Repeat("x", 70), strings.Repeat("y", 500), "\r\n\r\n"}
	var b []byte
	for len(b) < n {
		b = append(b, words[random.IntN(len(words))]...)
	}
	return b[:n]
}

func TestContentOnTheWire(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 500 {
		checkContent(t, awkward(random, random.IntN(300)), uint64(round), 1+random.IntN(60))
	}
	for round := range 5 {
		checkContent(t, awkward(random, 64<<10-2+round), uint64(round), 1+random.IntN(9000))
		checkContent(t, awkward(random, 140_000+round), uint64(round), 1+random.IntN(90_000))
	}
}

func TestContentAtEdges(t *testing.T) {
	t.Parallel()
	edges := []string{"", ".", "\r", "\n", "\r\n", "\n.\n", "\r\n.\r\n", ".\r\n", "..", "\r\r\n", "\n\r", "a",
		"\r\n.\n", "\n.\r\n", "\r.\r", "a\r\n.\r\r\n.\r\n", "Subject: x", "Subject: x\n\n", "\n\nbody", "ü: x\n\n", "x: y\n\nü"}
	for _, edge := range edges {
		for size := 1; size < 20; size++ {
			checkContent(t, []byte(edge), uint64(size), size)
		}
	}
	// A line end and a dot on every side of the places where streams are cut.
	for _, edge := range []string{"\r\n.", "\r.", "\n.", "\r\r\n..\r\n", "\r\n.\r\n", "\r", "."} {
		for shift := range 2 + len(edge) {
			text := strings.Repeat("x", 64<<10-shift) + edge + "tail" + edge
			checkContent(t, []byte(text), 7, 100_000)
		}
	}
}

func FuzzContent(f *testing.F) {
	f.Add([]byte("Subject: x\r\n\r\n.\r\n..\n.\r"), uint64(1), uint16(3))
	f.Add([]byte("\r\r\n\n.\x00ü"), uint64(2), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64, limit uint16) {
		checkContent(t, b, seed, 1+int(limit))
	})
}
