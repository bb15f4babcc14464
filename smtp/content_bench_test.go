package smtp_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/textproto"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// mail is about n octets with the lines of base64 or of a text, one in dots of
// which begins with a dot.
func mail(n int, eol string, dots int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Subject: benchmark%s%s", eol, eol)
	for i := 1; b.Len() < n; i++ {
		if dots > 0 && i%dots == 0 {
			b.WriteByte('.')
		}
		b.WriteString(strings.Repeat("QUJD", 19) + eol)
	}
	return b.Bytes()
}

func BenchmarkContentScan(b *testing.B) {
	for _, size := range []int{2 << 10, 100 << 10, 20 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			text := mail(size, "\r\n", 0)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				smtp.Bytes(text)
			}
		})
	}
}

var benchmarkTexts = []struct {
	name string
	text []byte
}{
	{"clean", mail(100<<10, "\r\n", 0)},
	{"rare-dots", mail(100<<10, "\r\n", 100)},
	{"dots", mail(100<<10, "\r\n", 1)},
	{"lf", mail(100<<10, "\n", 0)},
}

func BenchmarkContentFill(b *testing.B) {
	for _, t := range benchmarkTexts {
		content := smtp.Bytes(t.text)
		b.Run(t.name, func(b *testing.B) { benchmarkFill(b, t.text, func() *smtp.Content { return content }) })
	}
	clean := benchmarkTexts[0].text
	b.Run("reader", func(b *testing.B) {
		benchmarkFill(b, clean, func() *smtp.Content { return smtp.Reader(bytes.NewBuffer(clean)) })
	})
	b.Run("writerTo", func(b *testing.B) {
		benchmarkFill(b, clean, func() *smtp.Content { return smtp.WriterTo(bytes.NewBuffer(clean)) })
	})
	small := mail(2<<10, "\r\n", 0)
	for name, source := range map[string]func() *smtp.Content{
		"small-bytes":    func() *smtp.Content { return smtp.Bytes(small) },
		"small-reader":   func() *smtp.Content { return smtp.Reader(bytes.NewBuffer(small)) },
		"small-writerTo": func() *smtp.Content { return smtp.WriterTo(bytes.NewBuffer(small)) },
	} {
		b.Run(name, func(b *testing.B) { benchmarkFill(b, small, source) })
	}
}

func benchmarkFill(b *testing.B, text []byte, source func() *smtp.Content) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	dst := make([]byte, 32<<10)
	var r smtp.ContentReader
	for b.Loop() {
		if err := source().OpenInto(&r, smtp.Encoding{Stuff: true}); err != nil {
			b.Fatal(err)
		}
		var err error
		for err == nil {
			_, err = r.Fill(dst)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		r.Close()
	}
}

// BenchmarkDotWriter is what net/smtp and most clients do.
func BenchmarkDotWriter(b *testing.B) {
	for _, t := range benchmarkTexts {
		b.Run(t.name, func(b *testing.B) {
			b.SetBytes(int64(len(t.text)))
			b.ReportAllocs()
			for b.Loop() {
				w := textproto.NewWriter(bufio.NewWriterSize(io.Discard, 32<<10)).DotWriter()
				if _, err := w.Write(t.text); err != nil {
					b.Fatal(err)
				}
				w.Close()
			}
		})
	}
}
