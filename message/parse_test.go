package message_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

// leaf is a part without parts as the standard library reads it.
type leaf struct {
	path        string // the multipart types above it
	contentType string
	name        string
	header      textproto.MIMEHeader
	body        []byte
}

func write(t *testing.T, m *message.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := m.WriteTo(&b)
	if err != nil {
		t.Fatalf("WriteTo: %v", err)
	}
	if n != int64(b.Len()) {
		t.Errorf("WriteTo returned %d, wrote %d octets", n, b.Len())
	}
	checkLines(t, b.Bytes())
	return b.Bytes()
}

// checkLines checks what no message may do, whatever is in it.
func checkLines(t *testing.T, octets []byte) {
	t.Helper()
	if !bytes.HasSuffix(octets, []byte("\r\n")) {
		t.Errorf("the message does not end with a line")
	}
	for line := range bytes.SplitSeq(octets, []byte("\r\n")) {
		if len(line) > 998 {
			t.Errorf("line of %d octets: %.80q", len(line), line)
		}
		if bytes.ContainsAny(line, "\r\n\x00") {
			t.Errorf("bare CR, LF or NUL in line %.80q", line)
		}
	}
}

func parse(t *testing.T, octets []byte) (*mail.Message, []leaf) {
	t.Helper()
	parsed, err := mail.ReadMessage(bytes.NewReader(octets))
	if err != nil {
		t.Fatalf("read back: %v\n%s", err, octets)
	}
	return parsed, leaves(t, "", textproto.MIMEHeader(parsed.Header), parsed.Body)
}

func leaves(t *testing.T, path string, header textproto.MIMEHeader, body io.Reader) (all []leaf) {
	t.Helper()
	mediaType, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		t.Fatalf("Content-Type %q: %v", header.Get("Content-Type"), err)
	}
	if !strings.HasPrefix(mediaType, "multipart/") {
		return []leaf{{path, mediaType, fileName(t, header), header, decode(t, header, body)}}
	}
	parts := multipart.NewReader(body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", mediaType, err)
		}
		all = append(all, leaves(t, path+mediaType[len("multipart/"):]+"/", part.Header, part)...)
	}
}

func fileName(t *testing.T, header textproto.MIMEHeader) string {
	t.Helper()
	disposition := header.Get("Content-Disposition")
	if disposition == "" {
		return ""
	}
	_, parameters, err := mime.ParseMediaType(disposition)
	if err != nil {
		t.Fatalf("Content-Disposition %q: %v", disposition, err)
	}
	return parameters["filename"]
}

func decode(t *testing.T, header textproto.MIMEHeader, body io.Reader) []byte {
	t.Helper()
	switch header.Get("Content-Transfer-Encoding") {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return b
}

func decodeText(t *testing.T, s string) string {
	t.Helper()
	decoded, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		t.Fatalf("decode %q: %v", s, err)
	}
	return decoded
}
