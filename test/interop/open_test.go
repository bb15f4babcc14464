package interop_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
)

// opened is what a reader sees of a message.
type opened struct {
	subject, text, html string
	attachment          []byte
}

func open(t *testing.T, octets []byte) (o opened) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(octets))
	if err != nil {
		t.Errorf("%v: %.300q", err, octets)
		return o
	}
	if o.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Error(err)
	}
	o.part(t, m.Header.Get, m.Body)
	return o
}

func (o *opened) part(t *testing.T, field func(string) string, body io.Reader) {
	t.Helper()
	kind, parameters, err := mime.ParseMediaType(field("Content-Type"))
	if err != nil {
		t.Error(err)
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, parameters["boundary"])
		for {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			o.part(t, p.Header.Get, p)
		}
	}
	content, err := io.ReadAll(decoded(field("Content-Transfer-Encoding"), body))
	if err != nil {
		t.Error(err)
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	switch {
	case strings.HasPrefix(field("Content-Disposition"), "attachment"):
		o.attachment = content
	case kind == "text/html":
		o.html = text
	default:
		o.text = text
	}
}

func decoded(encoding string, body io.Reader) io.Reader {
	switch strings.ToLower(encoding) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	}
	return body
}
