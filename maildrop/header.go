package maildrop

import (
	"bytes"
	"io"
	"mime"
	"strings"
	"unicode"

	"github.com/kaizenmail/kaizen/smtp"
)

// envelopeHeader shows the envelope before the message. Its addresses have been
// checked: none has a line end.
func envelopeHeader(e *smtp.Envelope) string {
	var b strings.Builder
	b.WriteString("Return-Path: <" + e.From + ">\r\n")
	for _, to := range e.To {
		b.WriteString("X-Envelope-To: <" + to.Address + ">\r\n")
	}
	return b.String()
}

// localWriter writes a content with CRLF line ends as text of this system, or as
// it is.
type localWriter struct {
	to   io.Writer
	crlf bool
}

// Write implements [io.Writer]. A content has no CR but in CRLF.
func (w *localWriter) Write(p []byte) (int, error) {
	text := p
	if !w.crlf && localLineEnds {
		text = bytes.ReplaceAll(p, []byte("\r"), nil)
	}
	if _, err := w.to.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// headline keeps the beginning of a message, in which the subject mostly stands.
type headline struct{ head []byte }

const headlineSize, slugSize = 8 << 10, 40

// Write implements [io.Writer].
func (h *headline) Write(p []byte) (int, error) {
	h.head = append(h.head, p[:min(len(p), headlineSize-len(h.head))]...)
	return len(p), nil
}

// slug is the subject as a part of a file's name: letters and digits of any
// script, and hyphens.
func (h *headline) slug() string {
	subject := h.subject()
	if decoded, err := new(mime.WordDecoder).DecodeHeader(subject); err == nil {
		subject = decoded
	}
	words := strings.FieldsFunc(strings.ToValidUTF8(subject, ""), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	runes := []rune(strings.ToLower(strings.Join(words, "-")))
	return strings.Trim(string(runes[:min(len(runes), slugSize)]), "-")
}

// subject is the unfolded value of the first Subject field.
func (h *headline) subject() string {
	header, _, _ := strings.Cut(string(h.head), "\r\n\r\n")
	lines := strings.Split(header, "\r\n")
	for i, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "subject") {
			continue
		}
		for _, more := range lines[i+1:] {
			if more == "" || more[0] != ' ' && more[0] != '\t' {
				break
			}
			value += more
		}
		return value
	}
	return ""
}
