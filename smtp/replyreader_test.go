package smtp_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/smtp"
)

func TestReplyReader(t *testing.T) {
	t.Parallel()
	challenge := strings.Repeat("QUJD", 3072)
	tests := []struct{ name, in, want string }{
		{"plain", "250 Ok\r\n", "250 Ok"},
		{"enhanced", "250 2.1.0 Ok\r\n", "250 2.1.0 Ok"},
		{"three digits", "451 4.7.500 Server busy\r\n", "451 4.7.500 Server busy"},
		{"enhanced alone", "250 2.0.0\r\n", "250 2.0.0"},
		{"code alone", "334\r\n", "334"},
		{"bare line feed", "250 Ok\n", "250 Ok"},
		{"multiline", "250-one\r\n250-\r\n250 three\r\n", "250 one  three"},
		{"enhanced on every line", "550-5.1.1 No such\r\n550 5.1.1 user\r\n", "550 5.1.1 No such user"},
		{"enhanced on the last line", "550-Sorry\r\n550 5.1.1 user\r\n", "550 5.1.1 Sorry user"},
		{"not enhanced: long", "250 2.1.0.1 Ok\r\n", "250 2.1.0.1 Ok"},
		{"not enhanced: class", "250 3.1.0 Ok\r\n", "250 3.1.0 Ok"},
		{"not enhanced: digits", "250 2.1234.0 Ok\r\n", "250 2.1234.0 Ok"},
		{"not enhanced: 22", "250 22.1.0 Ok\r\n", "250 22.1.0 Ok"},
		{"challenge", "334 " + challenge + "\r\n", "334 " + challenge},
		{"escape", "550 \x1b[2Jgone\x07\r\n", "550 \uFFFD[2Jgone\uFFFD"},
		{"carriage return", "550 a\rb\r\n", "550 a\uFFFDb"},
		{"C1 and override", "550 \u009bx\u202ey\x9b\r\n", "550 \uFFFDx\uFFFDy\uFFFD"},
		{"UTF-8 stays", "550 Empfänger unbekannt\tda\r\n", "550 Empfänger unbekannt da"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{0, 1, 16, 4096} {
				r := smtp.NewReplyReader(iotest.OneByteReader(strings.NewReader(tt.in)))
				r.Attach(make([]byte, size))
				reply, err := r.Next()
				if err != nil || reply.String() != tt.want {
					t.Fatalf("buffer of %d: %q, %v; want %q", size, reply, err, tt.want)
				}
				if _, err := r.Next(); err != io.EOF {
					t.Fatalf("at the end: %v", err)
				}
				if b := r.Detach(); len(b) != size {
					t.Fatalf("got a buffer of %d back, lent %d", len(b), size)
				}
			}
		})
	}
}

func TestReplyReaderRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"junk":              "HTTP/1.1 400 Bad Request\r\n",
		"empty line":        "\r\n",
		"short":             "25\r\n",
		"1xx":               "150 Hm\r\n",
		"6xx":               "650 Hm\r\n",
		"no separator":      "2500 Ok\r\n",
		"other code":        "250-a\r\n251 b\r\n",
		"junk continuation": "250-a\r\nb\r\n",
		"long line":         "250 " + strings.Repeat("x", 17<<10) + "\r\n",
		"endless line":      strings.Repeat("2", 1<<20),
		"many lines":        strings.Repeat("250-x\r\n", 513) + "250 x\r\n",
		"much text":         strings.Repeat("250-"+strings.Repeat("x", 1000)+"\r\n", 80) + "250 x\r\n",
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := smtp.NewReplyReader(strings.NewReader(in + "250 Ok\r\n"))
			_, err := r.Next()
			var e *smtp.Error
			if !errors.As(err, &e) || e.Class != smtp.ClassProtocol {
				t.Fatalf("got %v", err)
			}
			if _, again := r.Next(); again != err {
				t.Fatalf("reads on after it: %v", again)
			}
		})
	}
}

func TestReplyReaderConnectionEnds(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]error{
		"":                io.EOF,
		"250 O":           io.ErrUnexpectedEOF,
		"250-a\r\n":       io.ErrUnexpectedEOF,
		"250-a\r\n250 b":  io.ErrUnexpectedEOF,
		"250-a\r\n250-b ": io.ErrUnexpectedEOF,
	} {
		r := smtp.NewReplyReader(iotest.DataErrReader(strings.NewReader(in)))
		if _, err := r.Next(); err != want {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
	r := smtp.NewReplyReader(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("250 Ok\r\n"))))
	if _, err := r.Next(); err != iotest.ErrTimeout {
		t.Errorf("got %v, want a timeout", err)
	}
	if reply, err := r.Next(); err != nil || reply.Text != "Ok" {
		t.Errorf("after a timeout within a line: %v, %v", reply, err)
	}
}

func TestReplyReaderDetach(t *testing.T) {
	t.Parallel()
	r := smtp.NewReplyReader(strings.NewReader("250 a\r\n421 bye\r\n"))
	if r.Detach() != nil {
		t.Error("gave back a buffer that was never lent")
	}
	r.Attach(make([]byte, 64))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if r.Buffered() != 9 || r.Detach() != nil {
		t.Errorf("%d octets buffered; detach must refuse", r.Buffered())
	}
	if reply, err := r.Next(); err != nil || reply.Code != 421 {
		t.Errorf("%v, %v", reply, err)
	}
	if len(r.Detach()) != 64 {
		t.Error("buffer not given back")
	}
}

// loop repeats the replies of one transaction for ever, a flight per Read.
type loop struct {
	flights []string
	reads   int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.flights[l.reads%len(l.flights)])
	l.reads++
	return n, nil
}

func steadyStream() *loop {
	return &loop{flights: []string{"250 2.0.0 Ok\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n" +
		"354 End data with <CR><LF>.<CR><LF>\r\n"}}
}

func TestReplyReaderReusesTexts(t *testing.T) { // not parallel: it counts allocations
	src := steadyStream()
	r := smtp.NewReplyReader(src)
	r.Attach(make([]byte, 4096))
	n := testing.AllocsPerRun(1000, func() { _, _ = r.Next() })
	if n != 0 {
		t.Errorf("%v allocations for each reply", n)
	}
	if src.reads > 1001/4+1 {
		t.Errorf("%d reads for 1001 replies, 4 in a flight", src.reads)
	}
}

func BenchmarkReplyReader(b *testing.B) {
	r := smtp.NewReplyReader(steadyStream())
	r.Attach(make([]byte, 4096))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

func readAll(src io.Reader, size int) (replies []smtp.Reply, err error) {
	r := smtp.NewReplyReader(src)
	r.Attach(make([]byte, size))
	for {
		reply, err := r.Next()
		if err != nil {
			return replies, err
		}
		replies = append(replies, reply)
	}
}

func FuzzReplyReader(f *testing.F) {
	f.Add([]byte("220 hi\r\n250-a\r\n250 2.1.0 b\n334\r\n"), uint8(3))
	f.Add([]byte("550-5.1.1 x\r\n550 5.1.1 \x1b\xff\r\n25"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		want, wantErr := readAll(strings.NewReader(string(in)), 4096)
		for _, src := range []io.Reader{
			iotest.OneByteReader(strings.NewReader(string(in))),
			iotest.HalfReader(strings.NewReader(string(in))),
			iotest.DataErrReader(strings.NewReader(string(in))),
		} {
			got, err := readAll(src, int(size))
			if len(got) != len(want) || err.Error() != wantErr.Error() {
				t.Fatalf("%d replies and %v, want %d and %v", len(got), err, len(want), wantErr)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("reply %d is %v, want %v", i, got[i], want[i])
				}
			}
		}
		for _, reply := range want {
			if reply.Code < 200 || reply.Code > 599 || !utf8.ValidString(reply.Text) {
				t.Fatalf("%+v", reply)
			}
			if strings.ContainsFunc(strings.ReplaceAll(reply.Text, "\n", ""), unicode.IsControl) {
				t.Fatalf("control character in %q", reply.Text)
			}
		}
	})
}
