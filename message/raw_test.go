package message_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestRawIsSentAsItIs(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"":                                   "",
		"From: a@b\n":                        "From: a@b\n",
		"From: a@b":                          "From: a@b",
		"A: 1\nBcc: x@y,\n z@y\nB: 2\n\nt\n": "A: 1\nB: 2\n\nt\n",
		"bcc : x@y\r\nA: 1\r\n 2\r\n\r\nBcc: stays\r\n":  "A: 1\r\n 2\r\n\r\nBcc: stays\r\n",
		"Resent-Bcc: x@y\n\n.\n\xff":                     "\n.\n\xff",
		"A: " + strings.Repeat("x", 60_000) + "\n\nbody": "A: " + strings.Repeat("x", 60_000) + "\n\nbody",
	} {
		var b bytes.Buffer
		n, err := (&message.Raw{Data: []byte(given)}).WriteTo(&b)
		if err != nil || b.String() != want || n != int64(len(want)) {
			t.Errorf("%.80q became %.80q (%d), %v", given, b.String(), n, err)
		}
	}
}

func TestRawEnvelope(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]smtp.Envelope{
		"From: Ann <a@x.example>\nTo: b@x.example,\n c@x.example\ncc: b@X.example\nBcc: d@x.example\n": {
			From: "a@x.example", To: smtp.To("b@x.example", "c@x.example", "d@x.example")},
		"From: a@x.example, b@x.example\nSender: s@x.example\nTo: =?koi8-r?b?4eI=?= <r@x.example>\nCc:\n": {
			From: "s@x.example", To: smtp.To("r@x.example")},
		"Resent-From: f@x.example\nResent-To: r@x.example\nFrom: a@x.example\nTo: t@x.example\n": {
			From: "f@x.example", To: smtp.To("r@x.example")},
		"From: a@x.example\nTo: friends: b@x.example, \"c d\"@x.example;\n": {
			From: "a@x.example", To: smtp.To("b@x.example", `"c d"@x.example`)},
	} {
		raw := message.Raw{Data: []byte(header + "\nTo: body@x.example\n")}
		if e, err := raw.Envelope(); err != nil || !reflect.DeepEqual(e, want) {
			t.Errorf("%q: %+v, %v", header, e, err)
		}
	}
}

func TestRawDelivery(t *testing.T) {
	t.Parallel()
	raw := message.Raw{Data: []byte("To: b@x.example\n\n"), Delivery: message.Delivery{ReturnPath: "<>", Notify: smtp.NotifyNever}}
	e, err := raw.Envelope()
	if err != nil || e.From != "" || e.To[0].Notify != smtp.NotifyNever {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestRawFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.eml")
	if _, err := message.RawFile(path).Envelope(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("From: a@x.example\nTo: b@x.example\n\nHi\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	raw := message.RawFile(path)
	for range 2 {
		var b bytes.Buffer
		if _, err := raw.WriteTo(&b); err != nil || !strings.HasSuffix(b.String(), "\n\nHi\n") {
			t.Errorf("%q, %v", b.String(), err)
		}
	}
}

func TestRawRefused(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"no field":       "From: a@x.example\nhello\n\n",
		"leading space":  " From: a@x.example\n\n",
		"no sender":      "To: b@x.example\n\n",
		"no recipients":  "From: b@x.example\n\n",
		"bad recipient":  "From: b@x.example\nTo: b c\n\n",
		"long line":      "From: b@x.example\nX: " + strings.Repeat("x", 70_000) + "\n\n",
		"hidden Bcc":     "From: b@x.example\nSubject: a\rBcc: c@x.example\nTo: d@x.example\n\n",
		"hidden end":     "From: b@x.example\nTo: d@x.example\r\r\nBcc: c@x.example\n\n",
		"CR alone":       "From: b@x.example\rTo: d@x.example\rBcc: c@x.example\r\rHi\r",
		"endless header": "From: b@x.example\n" + strings.Repeat("X: 123456\n", 200_000),
	} {
		_, err := (&message.Raw{Data: []byte(data)}).Envelope()
		var refusal *message.Error
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
