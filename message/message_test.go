package message_test

import (
	"bytes"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/kaizenmail/kaizen/message"
)

func simple() *message.Message {
	return &message.Message{From: "ann@example.com", To: []string{"bob@example.org"}, Text: "Hello\n"}
}

var hardTexts = map[string]string{
	"empty":             "",
	"one word":          "hello",
	"emoji":             "Good morning 🌅👩‍👩‍👧‍👦 and good night",
	"right to left":     "שלום עולם, مرحبا بالعالم",
	"japanese":          strings.Repeat("改善", 400),
	"998 octets":        strings.Repeat("x", 998),
	"5000 octets":       strings.Repeat("y", 5000),
	"5000 umlauts":      strings.Repeat("ü", 2500),
	"many words":        strings.Repeat("seven eight ", 100) + "end",
	"double spaces":     strings.Repeat("a  b ", 60) + "end",
	"leading space":     "  indented",
	"trailing space":    "trailing  ",
	"only spaces":       "   ",
	"tab":               "a\tb\t",
	"encoded already":   "=?utf-8?q?a?= =?utf-8?b?Yg==?=",
	"equals question":   "what=?really",
	"controls":          "bell \a escape \x1b delete \x7f",
	"quotes":            `she said "no\yes"`,
	"from":              "From here on",
	"dot":               ".",
	"boundary":          "--=_kz_",
	"77 and a space":    strings.Repeat("z", 77) + " ",
	"75 and an umlaut":  strings.Repeat("z", 75) + "ü",
	"long at the start": strings.Repeat("w", 100) + " " + strings.Repeat("v", 100),
}

func TestSubjectReadsBack(t *testing.T) {
	t.Parallel()
	for name, text := range hardTexts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := simple()
			m.Subject = text
			m.Header = []message.Field{{Name: "X-Long-" + strings.Repeat("n", 69), Value: text}}
			octets := write(t, m)
			parsed, _ := parse(t, octets)
			if got := decodeText(t, parsed.Header.Get("Subject")); got != text {
				t.Errorf("subject %q came back as %q", text, got)
			}
			if got := decodeText(t, parsed.Header.Get(m.Header[0].Name)); got != text {
				t.Errorf("field %q came back as %q", text, got)
			}
			checkASCII(t, octets)
		})
	}
}

func checkASCII(t *testing.T, octets []byte) {
	t.Helper()
	if i := bytes.IndexFunc(octets, func(r rune) bool { return r > 0x7f }); i >= 0 {
		t.Errorf("not ASCII at %.40q", octets[i:])
	}
}

func TestDisplayNamesReadBack(t *testing.T) {
	t.Parallel()
	for name, text := range hardTexts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := simple()
			address := mail.Address{Name: text, Address: "cy@example.net"}
			m.To = []string{"bob@example.org", address.String(), address.String()}
			parsed, _ := parse(t, write(t, m))
			list, err := parsed.Header.AddressList("To")
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != 3 || *list[1] != address || *list[2] != address {
				t.Errorf("%q came back as %v", text, list)
			}
		})
	}
}

func TestBodiesReadBack(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"dots":            ".\n..\n.x\nü\n.\n",
		"from lines":      "From me\n>From you\nFrom ü\n",
		"trailing spaces": "a \nb\t\n \n\n\t\n",
		"no last line":    "a\nb",
		"line ends":       "a\r\nb\rc\nd\r\r\n\n",
		"NUL":             "a\x00b",
		"soft breaks":     strings.Repeat(strings.Repeat("x", 74)+". From = \n", 3),
		"from at a break": strings.Repeat("x", 75) + "From here" + strings.Repeat("y", 66) + ".From",
		"all octets":      strings.Repeat("\x01\x02=\x7f\t é", 90),
	}
	for name, text := range hardTexts {
		bodies[name] = text
	}
	for name, text := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := simple()
			m.Text, m.HTML = text, text
			m.Attachments = []message.Attachment{{Name: "a.txt", Data: []byte(text)}}
			octets := write(t, m)
			checkASCII(t, octets)
			_, parts := parse(t, octets)
			want := strings.NewReplacer("\r\n", "\r\n", "\n", "\r\n", "\r", "\r\n").Replace(text)
			if text != "" {
				checkLeaf(t, parts[0], "mixed/alternative/", "text/plain", want)
				checkLeaf(t, parts[1], "mixed/alternative/", "text/html", want)
			}
			checkLeaf(t, parts[len(parts)-1], "mixed/", "text/plain", text)
		})
	}
}

func checkLeaf(t *testing.T, part leaf, path, contentType, body string) {
	t.Helper()
	if part.path != path || part.contentType != contentType {
		t.Errorf("part is %s in %s, want %s in %s", part.contentType, part.path, contentType, path)
	}
	if string(part.body) != body {
		t.Errorf("body %.200q came back as %.200q", body, part.body)
	}
}

func TestSinglePart(t *testing.T) {
	t.Parallel()
	for text, encoding := range map[string]string{
		"":                           "7bit",
		"Hello\nworld":               "7bit",
		"Grüße an alle von uns hier": "quoted-printable",
		"здравствуйте":               "base64",
		strings.Repeat("long ", 20):  "quoted-printable",
	} {
		m := simple()
		m.Text = text
		_, parts := parse(t, write(t, m))
		if got := parts[0].header.Get("Content-Transfer-Encoding"); got != encoding {
			t.Errorf("%q is encoded as %s, want %s", text, got, encoding)
		}
		want := strings.ReplaceAll(text, "\n", "\r\n")
		if got := strings.TrimSuffix(string(parts[0].body), "\r\n"); got != want {
			t.Errorf("%q came back as %q", want, got)
		}
	}
}

func TestBoundaryInText(t *testing.T) {
	t.Parallel()
	m := simple()
	m.MessageID, m.HTML = "<known@example.com>", "<p>hi"
	octets := write(t, m)
	_, after, _ := strings.Cut(string(octets), `boundary="`)
	boundary, _, _ := strings.Cut(after, `"`)
	m.Text = "--" + boundary + "\nContent-Type: text/plain\n\nforged\n--" + boundary + "--\n"
	_, parts := parse(t, write(t, m))
	if len(parts) != 2 {
		t.Fatalf("the text forged a part: %d parts", len(parts))
	}
	checkLeaf(t, parts[0], "alternative/", "text/plain", strings.ReplaceAll(m.Text, "\n", "\r\n"))
}

func TestHeader(t *testing.T) {
	t.Parallel()
	m := &message.Message{
		From: "Zoë <zoë@bücher.example>", Sender: "office@example.com", ReplyTo: []string{"desk@example.com"},
		To: []string{`"a b"@example.com`}, Cc: []string{"Smith J. <c@example.com>"}, Bcc: []string{"secret@example.com"},
		Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", -3600)), MessageID: "<id@example.com>",
		Header: []message.Field{{Name: "X-B", Value: "1"}, {Name: "X-A", Value: ""}, {Name: "X-B", Value: "2"}},
	}
	header, _, _ := strings.Cut(string(write(t, m)), "\r\nMIME-Version")
	want := strings.Join([]string{
		"Date: Fri, 02 Jan 2026 03:04:05 -0100",
		"From: =?utf-8?q?Zo=C3=AB?= <zoë@xn--bcher-kva.example>",
		"Sender: office@example.com",
		"Reply-To: desk@example.com",
		`To: "a b"@example.com`,
		`Cc: "Smith J." <c@example.com>`,
		"Message-ID: <id@example.com>",
		"X-B: 1",
		"X-A: ",
		"X-B: 2",
	}, "\r\n")
	if header != want {
		t.Errorf("header is\n%s\nwant\n%s", header, want)
	}
}

func TestUndisclosedRecipients(t *testing.T) {
	t.Parallel()
	m := simple()
	m.To, m.Bcc = nil, []string{"bob@example.org"}
	octets := write(t, m)
	if !bytes.Contains(octets, []byte("\r\nTo: undisclosed-recipients:;\r\n")) || bytes.Contains(octets, []byte("bob")) {
		t.Errorf("got\n%s", octets)
	}
}

func TestManyRecipients(t *testing.T) {
	t.Parallel()
	m := simple()
	m.To = nil
	for i := range 200 {
		m.To = append(m.To, fmt.Sprintf("Récipient %d <r%d@example.org>", i, i), fmt.Sprintf("Plain %d <p%d@example.org>", i, i))
	}
	octets := write(t, m)
	parsed, _ := parse(t, octets)
	list, err := parsed.Header.AddressList("To")
	if err != nil || len(list) != 400 || list[399].Name != "Plain 199" || list[398].Name != "Récipient 199" {
		t.Errorf("%d came back: %v", len(list), err)
	}
	for line := range bytes.SplitSeq(octets, []byte("\r\n")) {
		if len(line) > 76 {
			t.Errorf("line of %d octets: %s", len(line), line)
		}
	}
}

func TestSameOctetsEachTime(t *testing.T) {
	t.Parallel()
	m := simple()
	m.HTML = "<p>hi"
	m.Attachments = []message.Attachment{{Name: "a", Data: []byte("x"), ContentType: "text/csv; header=present; charset=utf-8"}}
	written := make([][]byte, 8)
	var group sync.WaitGroup
	for i := range written {
		group.Go(func() {
			var b bytes.Buffer
			if _, err := m.WriteTo(&b); err != nil {
				t.Error(err)
			}
			if _, err := m.Envelope(); err != nil {
				t.Error(err)
			}
			written[i] = b.Bytes()
		})
	}
	group.Wait()
	for _, octets := range written[1:] {
		if !bytes.Equal(octets, written[0]) {
			t.Fatalf("two writings differ:\n%s\n%s", written[0], octets)
		}
	}
	if m.MessageID == "" || m.Date.IsZero() {
		t.Errorf("MessageID %q and Date %v were not fixed", m.MessageID, m.Date)
	}
}

func TestPrepareFixesIdentity(t *testing.T) {
	t.Parallel()
	m, other := simple(), simple()
	m.From = "Ann <ann@bücher.example>"
	for _, each := range []*message.Message{m, other} {
		if err := each.Prepare(); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasSuffix(m.MessageID, "@xn--bcher-kva.example>") || m.MessageID[0] != '<' || m.MessageID[:20] == other.MessageID[:20] {
		t.Errorf("Message-IDs %q and %q", m.MessageID, other.MessageID)
	}
}

func TestInMemoryOrStreamed(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("x"), 400<<10)
	for name, test := range map[string]struct {
		attachment message.Attachment
		inMemory   bool
	}{
		"small":        {message.Attachment{Data: []byte("x")}, true},
		"large":        {message.Attachment{Data: large}, false},
		"large stream": {message.Attachment{Open: opener(bytes.NewReader(large))}, false},
		"small stream": {message.Attachment{Open: opener(strings.NewReader("x"))}, true},
	} {
		m := simple()
		m.Attachments = []message.Attachment{test.attachment}
		b, inMemory, err := m.Bytes()
		if err != nil || inMemory != test.inMemory || (b != nil) != test.inMemory {
			t.Errorf("%s: %d octets, in memory %v, %v", name, len(b), inMemory, err)
		}
	}
}

func opener(r io.Reader) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(r), nil }
}

// TestConstantMemory sees that no write is much larger than a buffer.
func TestConstantMemory(t *testing.T) {
	t.Parallel()
	m := simple()
	m.Text = strings.Repeat("grün ist die Hoffnung\n", 50_000)
	m.Attachments = []message.Attachment{{Open: opener(io.LimitReader(zeros{}, 5<<20))}}
	var sizes []int
	n, err := m.WriteTo(writerFunc(func(p []byte) (int, error) { sizes = append(sizes, len(p)); return len(p), nil }))
	if err != nil || n < 6<<20 {
		t.Errorf("%d octets, %v", n, err)
	}
	if largest := slices.Max(sizes); largest > 34<<10 {
		t.Errorf("a write of %d octets", largest)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestWriterFails(t *testing.T) {
	t.Parallel()
	m := simple()
	m.Attachments = []message.Attachment{{Open: opener(io.LimitReader(zeros{}, 1<<20))}}
	calls := 0
	_, err := m.WriteTo(writerFunc(func([]byte) (int, error) { calls++; return 0, io.ErrClosedPipe }))
	if err != io.ErrClosedPipe || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestSlowReader(t *testing.T) {
	t.Parallel()
	m := simple()
	m.Attachments = []message.Attachment{{Open: opener(iotest.OneByteReader(strings.NewReader(strings.Repeat("abc", 1000))))}}
	_, parts := parse(t, write(t, m))
	checkLeaf(t, parts[1], "mixed/", "application/octet-stream", strings.Repeat("abc", 1000))
}
