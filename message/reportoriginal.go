package message

import (
	"bytes"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/smtp"
)

const (
	// maxReturned is how much of a message is returned at most, in octets.
	maxReturned = 64 << 10
	// maxThread is how many Message-IDs of its thread are repeated.
	maxThread  = 20
	maxSubject = 200 // octets
)

// original is what a report takes from the message.
type original struct {
	subject    string
	id         string // empty if it has none that can be repeated
	references []string
	header     string // with LF line ends; empty if it is not there
	whole      string // likewise, all of the message if it is to be returned
}

// read never fails: who is to be told that a message was not delivered is told
// so, even if the message is damaged.
func (o *Original) read() original {
	found := original{subject: o.Subject, id: o.MessageID}
	octets, whole := o.beginning()
	header, fields := cutHeader(octets)
	if value := headerValue(fields, "Subject"); value != "" && o.Subject == "" {
		if decoded, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
			value = decoded
		}
		found.subject = value
	}
	found.subject = oneLine(found.subject, maxSubject)
	if found.id == "" {
		found.id = headerValue(fields, "Message-ID")
	}
	if checkMessageID(found.id) != nil {
		found.id = ""
	}
	found.references = thread(headerValue(fields, "References"), found.id)
	found.header = header
	if o.Return == smtp.ReturnFull && whole && isPlainMessage(octets) {
		found.whole = unixLines(string(octets))
	}
	return found
}

// part is what is returned of the message, in a report with this boundary.
func (o *original) part(boundary string) (mediaType, text string) {
	switch {
	case o.whole != "" && !strings.Contains(o.whole, boundary):
		return "message/rfc822", o.whole
	case !isASCII(o.header) && utf8.ValidString(o.header):
		return "message/global-headers", o.header // RFC 6533 §5
	}
	return "text/rfc822-headers", o.header
}

// beginning reads what may be returned; whole says that it is all.
func (o *Original) beginning() (octets []byte, whole bool) {
	if o.Open == nil {
		return nil, false
	}
	source, err := o.Open()
	if err != nil {
		return nil, false
	}
	defer source.Close()
	octets, err = io.ReadAll(io.LimitReader(source, maxReturned+1))
	if len(octets) > maxReturned {
		return octets[:maxReturned], false
	}
	return octets, err == nil
}

// cutHeader returns the header, with LF line ends, and its fields, unfolded. Of
// a header that is cut off, the last field is left out.
func cutHeader(octets []byte) (header string, fields []string) {
	rest := string(octets)
	var lines []string
	for rest != "" {
		line, next, ended := strings.Cut(rest, "\n")
		if line = strings.TrimSuffix(line, "\r"); line == "" || !ended && len(octets) == maxReturned {
			break
		}
		rest, lines = next, append(lines, line)
		if n := len(fields); n > 0 && (line[0] == ' ' || line[0] == '\t') {
			fields[n-1] += line
		} else {
			fields = append(fields, line)
		}
	}
	if len(lines) == 0 {
		return "", nil
	}
	return strings.Join(lines, "\n") + "\n", fields
}

// headerValue is the value of the first field of the name.
func headerValue(fields []string, name string) string {
	for _, field := range fields {
		if found, value, colon := strings.Cut(field, ":"); colon && strings.EqualFold(strings.TrimRight(found, " \t"), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// thread is the References of an answer (RFC 5322 §3.6.4): those of the message and
// its own ID; of many, the first and the last ones.
func thread(references, id string) (ids []string) {
	if id == "" {
		return nil
	}
	for _, reference := range strings.Fields(references) {
		if checkMessageID(reference) == nil {
			ids = append(ids, reference)
		}
	}
	if len(ids) >= maxThread {
		ids = append(ids[:1:1], ids[len(ids)-maxThread+2:]...)
	}
	return append(ids, id)
}

// isPlainMessage reports whether a message can be a part of another as it is: one
// of the type message/rfc822 must not be encoded (RFC 2046 §5.2.1).
func isPlainMessage(octets []byte) bool {
	if len(octets) == 0 {
		return false
	}
	for line := range bytes.SplitSeq(octets, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) > maxUnbroken || bytes.ContainsAny(line, "\r\x00") || !isASCII(string(line)) {
			return false
		}
	}
	return true
}
