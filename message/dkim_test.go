package message_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

var (
	rsaKey = sync.OnceValue(func() message.DKIMKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		return must(message.NewDKIMKey(must(key, err)))
	})
	edKey = sync.OnceValue(func() message.DKIMKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(message.NewDKIMKey(must(key, err)))
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func both() []message.DKIM {
	return []message.DKIM{
		{Domain: "example.com", Selector: "r1", Key: rsaKey()},
		{Domain: "bücher.example", Selector: "e1.mail", Key: edKey()},
	}
}

// records is the DNS that the signatures of both are looked up in.
func records(name string) ([]string, error) {
	switch name {
	case "r1._domainkey.example.com":
		return []string{rsaKey().Record()}, nil
	case "e1.mail._domainkey.xn--bcher-kva.example":
		return []string{edKey().Record()}, nil
	}
	return nil, fmt.Errorf("no record at %s", name)
}

// checkSigned wants so many signatures, all good, and returns what they cover.
func checkSigned(t *testing.T, octets []byte, want int) []*dkim.Verification {
	t.Helper()
	found, err := dkim.VerifyWithOptions(bytes.NewReader(octets), &dkim.VerifyOptions{LookupTXT: records})
	if err != nil || len(found) != want {
		t.Fatalf("%d signatures, want %d: %v\n%.2000s", len(found), want, err, octets)
	}
	for _, v := range found {
		if v.Err != nil {
			t.Errorf("signature of %s: %v\n%.2000q", v.Domain, v.Err, octets)
		}
	}
	return found
}

// everything is a message with all that there is to sign.
func everything() *message.Message {
	m := simple()
	m.Cc, m.Bcc, m.ReplyTo = []string{"Zoë <cy@example.net>"}, []string{"secret@example.org"}, []string{"desk@example.com"}
	m.Subject, m.HTML, m.Calendar.Text = strings.Repeat("Größe ", 40), "<p>.\n.\n\n\n", invitation
	m.InReplyTo, m.Importance = "1@example.org", message.ImportanceHigh
	m.Unsubscribe = message.Unsubscribe{URL: "https://example.com/u", Mailto: "u@example.com", OneClick: true}
	m.Header = []message.Field{{Name: "X-Tag", Value: "one  two"}, {Name: "List-Id", Value: "<l.example.com>"}}
	m.Attachments = []message.Attachment{{Name: "a.bin", Data: []byte{0, 1, 2}}}
	return m
}

func TestSigned(t *testing.T) {
	t.Parallel()
	for _, canonicalization := range []string{"", "relaxed/simple", "simple/relaxed", "simple/simple"} {
		for name, m := range map[string]*message.Message{"simple": simple(), "everything": everything(), "large": simple(), "empty": {
			From: "ann@example.com", To: []string{"bob@example.org"}}} {
			if name == "large" {
				data := bytes.Repeat([]byte("0123456789"), 25_000)
				m.Attachments = []message.Attachment{message.AttachReaderAt("a", bytes.NewReader(data), int64(len(data)))}
			}
			m.DKIM = both()
			m.DKIM[0].Canonicalization, m.DKIM[1].Canonicalization = canonicalization, canonicalization
			m.DKIM[1].Fields = []string{"X-Tag", "Subject"}
			octets := write(t, m)
			found := checkSigned(t, octets, 2)
			if name == "everything" && !slices.Contains(found[1].HeaderKeys, "x-tag") {
				t.Errorf("X-Tag is not signed: %v", found[1].HeaderKeys)
			}
			if again := write(t, m); !bytes.Equal(octets, again) {
				t.Errorf("%s: two writings differ", name)
			}
		}
	}
}

// TestSignedFields: adding a field that is shown, or a Bcc, is another matter.
func TestSignedFields(t *testing.T) {
	t.Parallel()
	m := everything()
	m.DKIM = both()[:1]
	octets := write(t, m)
	fields := checkSigned(t, octets, 1)[0].HeaderKeys
	count := map[string]int{}
	for _, name := range fields {
		count[name]++
	}
	for name, want := range map[string]int{"from": 2, "to": 2, "cc": 2, "subject": 2, "date": 2, "reply-to": 2, "message-id": 2,
		"list-unsubscribe": 2, "list-unsubscribe-post": 2, "in-reply-to": 2, "references": 2, "content-type": 2, "mime-version": 2,
		"list-id": 2, "sender": 0, "bcc": 0, "x-tag": 0, "resent-to": 0} {
		if count[name] != want {
			t.Errorf("%s is signed %d times, want %d", name, count[name], want)
		}
	}
	if bytes.Contains(octets, []byte("secret@")) {
		t.Error("a Bcc shows")
	}
	for _, name := range []string{"From", "Subject", "To", "Content-Type", "List-Unsubscribe"} {
		forged := append([]byte(name+": eve@example.com\r\n"), octets...)
		found, err := dkim.VerifyWithOptions(bytes.NewReader(forged), &dkim.VerifyOptions{LookupTXT: records})
		if err != nil || len(found) != 1 || found[0].Err == nil {
			t.Errorf("a second %s goes unnoticed (%v)", name, err)
		}
	}
}

func TestRawSigned(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"as it should be":   "From: a@example.com\r\nTo: b@example.org\r\n\r\nHi\r\n",
		"LF":                "From: a@example.com\nTo:  b@example.org\nBcc: c@example.org\n d@example.org\nSubject: a\n\tb \n\nHi  you \n\n\n",
		"CR":                "From: a@example.com\n\nHi\rthere\r\r\n\r",
		"no last line end":  "From: a@example.com\n\nHi\r",
		"no body":           "From: a@example.com\nTo: b@example.org\n\n",
		"signed, resent":    "DKIM-Signature: v=1; d=other.example\nResent-To: x@y.example\nResent-To: z@y.example\nResent-Bcc: q@y.example\nFrom : a@example.com\n\nx",
		"8 bit":             "From: ü <a@example.com>\nSubject: Größe\n\nGröße\x00\xff\n",
		"long":              "From: a@example.com\n\n" + strings.Repeat("0123456789\n", 10_000),
		"long header":       "From: a@example.com\nX: " + strings.Repeat("x", 60_000) + "\n\nHi",
		"several of a kind": "From: a@example.com\nFrom: b@example.com\nReceived: 1\nReceived: 2\n\nHi",
	} {
		for _, canonicalization := range []string{"", "simple/simple"} {
			raw := &message.Raw{Data: []byte(data), DKIM: both()}
			raw.DKIM[0].Canonicalization, raw.DKIM[1].Canonicalization = canonicalization, canonicalization
			var first, second bytes.Buffer
			if _, err := raw.WriteTo(&first); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			checkOurs(t, onWire(first.Bytes()))
			if _, err := raw.WriteTo(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
				t.Errorf("%s: two writings differ (%v)", name, err)
			}
			if bytes.Contains(first.Bytes(), []byte("Bcc:")) {
				t.Errorf("%s: a Bcc shows", name)
			}
		}
	}
}

// checkOurs wants our two signatures to be good, whatever others there are.
func checkOurs(t *testing.T, octets []byte) {
	t.Helper()
	found, err := dkim.VerifyWithOptions(bytes.NewReader(octets), &dkim.VerifyOptions{LookupTXT: records})
	if err != nil || len(found) < 2 || found[0].Err != nil || found[1].Err != nil {
		t.Errorf("%d signatures, %v\n%.1000q", len(found), err, octets)
		for _, v := range found {
			t.Log(v.Domain, v.Err)
		}
	}
}

// onWire is what becomes of line ends.
func onWire(octets []byte) []byte {
	s := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(string(octets))
	if !strings.HasSuffix(s, "\r\n") {
		s += "\r\n"
	}
	return []byte(s)
}

// TestSignedArrives: signatures are good when the server has the message, with
// its dots stuffed and its line ends made CRLF.
func TestSignedArrives(t *testing.T) {
	t.Parallel()
	server := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, KeepMessages: true})
	defer server.Close()
	account := must(kaizen.ParseURL("smtp://" + server.Addr() + "?tls=none"))
	account.DialContext = server.DialContext
	m := everything()
	m.Text, m.DKIM = ".\n..\n.x\nfrom\n. \n", both()
	large := everything()
	large.DKIM, large.Attachments = both(), []message.Attachment{{Name: "a", Data: make([]byte, 260_000)}}
	raw := &message.Raw{Data: []byte("From: a@example.com\nTo: b@example.org\n\n.\n..\r.x\r\n \nend."), DKIM: both()}
	for _, each := range []kaizen.Message{m, large, raw} {
		if _, err := kaizen.DialAndSend(t.Context(), account, each); err != nil {
			t.Fatal(err)
		}
	}
	arrived := server.Messages()
	if len(arrived) != 3 {
		t.Fatalf("%d arrived", len(arrived))
	}
	for _, each := range arrived {
		checkSigned(t, each.Data, 2)
	}
	if !bytes.Equal(arrived[0].Data, write(t, m)) || !bytes.Equal(arrived[1].Data, write(t, large)) {
		t.Error("what is written after sending is not what arrived")
	}
}

// TestSignatureLasts: it tells the time, and is the same later as long as the
// message is; a changed message is signed anew.
func TestSignatureLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{10, 260_000} {
			m := simple()
			m.Attachments, m.DKIM = []message.Attachment{{Name: "a", Data: make([]byte, size)}}, both()
			raw := &message.Raw{Data: write(t, m), DKIM: both()[:1]}
			first := write(t, m)
			var rawFirst, rawAgain bytes.Buffer
			must(raw.WriteTo(&rawFirst))
			time.Sleep(time.Hour)
			if !bytes.Equal(write(t, m), first) {
				t.Error("two writings differ")
			}
			must(raw.WriteTo(&rawAgain))
			if !bytes.Equal(rawFirst.Bytes(), rawAgain.Bytes()) {
				t.Error("two writings of a raw message differ")
			}
			m.Subject = "changed"
			checkSigned(t, write(t, m), 2)
			m.DKIM = m.DKIM[1:]
			checkSigned(t, write(t, m), 1)
		}
	})
}

// TestSignedInParallel: whoever is first signs for all.
func TestSignedInParallel(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 260_000} {
		m := simple()
		m.Attachments, m.DKIM = []message.Attachment{{Name: "a", Data: make([]byte, size)}}, both()
		written := make([][]byte, 4)
		var group sync.WaitGroup
		for i := range written {
			group.Go(func() { written[i] = write(t, m) })
		}
		group.Wait()
		for _, octets := range written {
			if !bytes.Equal(octets, written[0]) {
				t.Fatal("two writings differ")
			}
		}
		checkSigned(t, written[0], 2)
	}
}

// TestSignedAttachmentChanges: a message that would arrive with a broken
// signature is not sent to its end.
func TestSignedAttachmentChanges(t *testing.T) {
	t.Parallel()
	opened := 0
	growing := func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(strings.NewReader(strings.Repeat("line\n", opened))), nil
	}
	m := simple()
	m.DKIM = both()[:1]
	m.Attachments = []message.Attachment{{Name: "log", Open: growing}, {Name: "pad", Data: make([]byte, 260_000)}}
	_, err := m.WriteTo(io.Discard)
	var refusal *message.Error
	if !errors.As(err, &refusal) || refusal.Field != "DKIM" || !strings.Contains(err.Error(), "changed") {
		t.Errorf("after %d openings: %v", opened, err)
	}
	server := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
	defer server.Close()
	account := must(kaizen.ParseURL("smtp://" + server.Addr() + "?tls=none"))
	account.DialContext = server.DialContext
	if _, err := kaizen.DialAndSend(t.Context(), account, m); !errors.As(err, &refusal) || server.Stats().Accepted != 0 {
		t.Errorf("%d accepted, %v", server.Stats().Accepted, err)
	}
}

// TestSigningFails: whatever fails, fails before the first octet.
func TestSigningFails(t *testing.T) {
	t.Parallel()
	attaching := func(list ...message.Attachment) *message.Message {
		return &message.Message{From: "a@b", To: []string{"c@d"}, DKIM: both(), Attachments: list}
	}
	raw := func(data string, by ...message.DKIM) *message.Raw { return &message.Raw{Data: []byte(data), DKIM: by} }
	for _, test := range []struct {
		want string
		m    kaizen.Message
	}{
		{"Attachments[0]", attaching(message.Attachment{Open: opener(iotest.ErrReader(io.ErrNoProgress))})},
		{"Attachments[1]", attaching(message.Attachment{Data: make([]byte, 260_000)}, message.Attachment{Open: opener(iotest.ErrReader(io.ErrNoProgress))})},
		{"Attachments[1]", attaching(message.Attachment{}, message.AttachReader("once", strings.NewReader("x")))},
		{"DKIM[0]", raw("To: a@b\n\n", both()...)},
		{"DKIM[0]", raw(strings.Repeat("To: a@b\n", 400)+"From: a@b\n\n", both()...)},
		{"Raw (line 2)", raw("From: a@b\nTo\n\n", both()...)},
		{"DKIM[1].Key", raw("From: a@b\n\n", both()[0], message.DKIM{Domain: "a.b", Selector: "s"})},
		{"DKIM[0].Domain", raw("From: a@b\n\n", message.DKIM{Domain: "a.b.", Selector: "s", Key: edKey()})},
		{"DKIM[0].Selector", raw("From: a@b\n\n", message.DKIM{Domain: "a.b", Selector: "a b", Key: edKey()})},
		{"DKIM[0].Canonicalization", raw("From: a@b\n\n", message.DKIM{Domain: "a.b", Selector: "s", Key: edKey(), Canonicalization: "relaxed"})},
		{"DKIM[0].Fields[1]", raw("From: a@b\n\n", message.DKIM{Domain: "a.b", Selector: "s", Key: edKey(), Fields: []string{"X-A", "X-B: "}})},
	} {
		var b bytes.Buffer
		_, err := test.m.WriteTo(&b)
		var refusal *message.Error
		if !errors.As(err, &refusal) || refusal.Field != test.want || b.Len() > 0 {
			t.Errorf("want an error about %s, got %v and %d octets", test.want, err, b.Len())
		}
	}
}

// FuzzRawSigned: whatever is signed is good when it has arrived.
func FuzzRawSigned(f *testing.F) {
	f.Add([]byte("From: a@b\nBcc: c@d,\n e@f\nSubject : \t x\n\ty\n\nHi \r\r\n\n \n"), true)
	f.Add([]byte("From: a@b\r\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, simple bool) {
		raw := &message.Raw{Data: data, DKIM: both()[1:]}
		if simple {
			raw.DKIM[0].Canonicalization = "simple/simple"
		}
		var b bytes.Buffer
		if _, err := raw.WriteTo(&b); err != nil {
			return
		}
		arrived := onWire(b.Bytes())
		if !bytes.Contains(arrived, []byte("\r\n\r\n")) {
			arrived = append(arrived, "\r\n"...)
		}
		found, err := dkim.VerifyWithOptions(bytes.NewReader(arrived), &dkim.VerifyOptions{LookupTXT: records, MaxVerifications: 1})
		if len(found) == 0 || found[0].Err != nil {
			t.Errorf("%q: %v, %+v", arrived, err, found)
		}
	})
}
