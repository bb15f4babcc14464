package interop_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/test/corpus"
)

// letter is a message to send, in octets of its own: the field Copy tells it
// from all others of a run.
type letter struct {
	name   string
	copy   string
	to     string
	octets []byte         // as they leave: CRLF line ends
	source kaizen.Message // what composes them; nil: they are sent as they are
	utf8   bool           // its address needs SMTPUTF8
}

// prepared is the letter on its way to the library.
func (l *letter) prepared(t *testing.T) *kaizen.Prepared {
	p := &kaizen.Prepared{Content: smtp.Bytes(l.octets)}
	if l.source != nil {
		var err error
		if p, err = kaizen.Prepare(l.source); err != nil {
			t.Errorf("%s: %v", l.name, err)
		}
	}
	p.Envelope = kaizen.Envelope{From: sender, To: []kaizen.Recipient{{Address: l.to}}}
	return p
}

// needsUTF8: a composed header that is not ASCII needs SMTPUTF8, too. In a raw
// message it may be an old one, which servers take.
func (l *letter) needsUTF8() bool {
	header, _, _ := bytes.Cut(l.octets, []byte("\r\n\r\n"))
	return l.utf8 || l.source != nil && bytes.ContainsFunc(header, func(r rune) bool { return r >= utf8.RuneSelf })
}

// letters are the corpus and what is hard for a connection, over and over until
// there are n. The large ones come once.
func letters(t *testing.T, n int) []*letter {
	t.Helper()
	all := append(large(t), hard(t)...)
	for len(all) < n {
		all = append(all, composed(t)...)
		all = append(all, hard(t)...)
	}
	return number(all[:n])
}

var copyField = regexp.MustCompile(`(?m)^Copy: (\S+)\r?$`)

// number gives each letter its own Copy.
func number(all []*letter) []*letter {
	run := strings.ToLower(rand.Text())
	for i, l := range all {
		l.copy = fmt.Sprintf("%s-%d", run, i)
		if l.to == "" {
			l.to = fmt.Sprintf("bob+%d@%s", i, domain)
		}
		if m, is := l.source.(*message.Message); is {
			m.Header = append(m.Header, message.Field{Name: "Copy", Value: l.copy})
			var out bytes.Buffer
			// A message that cannot be composed is told of when it is sent.
			_, _ = m.WriteTo(&out)
			l.octets = out.Bytes()
		} else {
			l.octets = append([]byte("Copy: "+l.copy+"\r\n"), l.octets...)
		}
	}
	return all
}

// composed is the corpus of package message.
func composed(t *testing.T) (all []*letter) {
	t.Helper()
	for _, c := range corpus.Cases() {
		all = append(all, &letter{name: c.Name, source: c.Message})
	}
	return all
}

// large is what takes many writes.
func large(t *testing.T) []*letter {
	t.Helper()
	attachment := make([]byte, 5<<20)
	must(t, fill(attachment))
	m := &message.Message{From: sender, To: []string{"bob@" + domain}, Subject: "5 MB",
		Text: "Good morning, Zürich.\n", HTML: "<p>Good morning, Zürich.</p>\n",
		Attachments: []message.Attachment{message.AttachReaderAt("random.bin", bytes.NewReader(attachment), int64(len(attachment)))}}
	return []*letter{
		{name: "text, HTML and 5 MB attachment", source: m},
		raw("4 MB of lines that begin with dots", dotted(attachment[:3<<20])),
	}
}

func fill(b []byte) error { _, err := rand.Read(b); return err }

// dotted writes lines of many lengths, most with dots in front.
func dotted(random []byte) string {
	var out strings.Builder
	text := base64.StdEncoding.EncodeToString(random)
	for i := 0; len(text) > 0; i++ {
		n := min(len(text), 1+i%97)
		out.WriteString(strings.Repeat(".", i%4) + text[:n] + "\r\n")
		text = text[n:]
	}
	return out.String()
}

// hard is raw octets that go wrong easily on the wire.
func hard(t *testing.T) []*letter {
	t.Helper()
	abroad := raw("address beyond ASCII", "Grüße\r\n")
	abroad.to, abroad.utf8 = "bob+zürich@"+domain, true
	return []*letter{
		raw("dots", ".dot\r\n..dots\r\n\r\n.\r\nend\r\n"),
		raw("nothing but a dot", ".\r\n"),
		raw("lines of 998 octets", strings.Repeat("x", 998)+"\r\n."+strings.Repeat("y", 996)+"\r\nz\r\n"),
		raw("8-bit octets", everyOctet()),
		raw("no body", ""),
		raw("empty lines at the end", "text\r\n\r\n\r\n"),
		raw("what looks like commands", "QUIT\r\nRSET\r\n250 ok\r\nFrom here\r\n>From there\r\n"),
		abroad,
		{name: "header alone", octets: []byte("Subject: header alone\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <alone@example.com>\r\nFrom: " + sender + "\r\n")},
	}
}

// raw is a message with this body. Date and Message-ID are there, or servers add
// them.
func raw(name, body string) *letter {
	return &letter{name: name, octets: []byte("From: " + sender + "\r\nTo: bob@" + domain + "\r\nMessage-ID: <raw@example.com>\r\n" +
		"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nSubject: " + name + "\r\n\r\n" + body)}
}

func everyOctet() string {
	var out strings.Builder
	for b := 1; b < 256; b++ {
		if b != '\r' && b != '\n' {
			out.WriteByte(byte(b))
		}
	}
	return out.String() + "\r\n"
}
