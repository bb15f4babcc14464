package message

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// encoding is how a text is transferred (RFC 2045 §6).
type encoding string

const (
	sevenBit        encoding = "7bit"
	quotedPrintable encoding = "quoted-printable"
	inBase64        encoding = "base64"
)

func (p *prepared) parseBody() error {
	if !utf8.ValidString(p.Text) {
		return fieldError("Text", "", errNotUTF8)
	}
	if !utf8.ValidString(p.HTML) {
		return fieldError("HTML", "", errNotUTF8)
	}
	p.text, p.html = unixLines(p.Text), unixLines(p.HTML)
	return nil
}

func unixLines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
}

func bodySize(text string) int {
	if text == "" {
		return 0
	}
	return len(text) + len(text)/8 + 128
}

// encodingFor chooses. 7bit is for lines that no server on the way has reason
// to touch: short, without spaces at the end, no "From " at the start, and
// nothing that could be taken for a boundary.
func encodingFor(text, boundary string) encoding {
	eightBit, quoted := 0, strings.Contains(text, boundary)
	for rest := text; rest != ""; {
		line, next, _ := strings.Cut(rest, "\n")
		rest = next
		if len(line) > foldAt || strings.HasPrefix(line, "From ") || endsInSpace(line) {
			quoted = true
		}
		for i := range len(line) {
			if octets[line[i]]&bodyOctet == 0 && line[i] != '=' {
				eightBit++
			}
		}
	}
	switch {
	case eightBit > len(text)/3:
		return inBase64
	case eightBit > 0 || quoted:
		return quotedPrintable
	}
	return sevenBit
}

func endsInSpace(line string) bool {
	return line != "" && (line[len(line)-1] == ' ' || line[len(line)-1] == '\t')
}

// writeText writes the fields and the body of a text part.
func (c *composer) writeText(subtype, text string) {
	c.writeEncoded("text/"+subtype+"; charset=utf-8", text)
}

// writeEncoded writes a part of lines, encoded where that is needed.
func (c *composer) writeEncoded(mediaType, text string) {
	encoding := encodingFor(text, c.boundary)
	if strings.HasPrefix(mediaType, "message/rfc822") {
		encoding = sevenBit // RFC 2046 §5.2.1
	}
	c.print("Content-Type: ", mediaType, "\r\nContent-Transfer-Encoding: ", string(encoding), "\r\n\r\n")
	if encoding == inBase64 {
		c.writeBase64([]byte(strings.ReplaceAll(text, "\n", crlf)))
		return
	}
	for c.err == nil {
		line, rest, more := strings.Cut(text, "\n")
		if encoding == quotedPrintable {
			c.buf = appendQuotedPrintable(c.buf, line)
		} else {
			c.buf = append(c.buf, line...)
		}
		if !more {
			return
		}
		c.buf = append(c.buf, crlf...)
		c.spill()
		text = rest
	}
}

// base64Line is how many octets make a line of 76 (RFC 2045 §6.8).
const base64Line = 57

// writeBase64 writes lines of base64. All but the last call of a part must hand
// over a multiple of base64Line.
func (c *composer) writeBase64(b []byte) {
	for len(b) > 0 && c.err == nil {
		n := min(len(b), base64Line)
		c.buf = base64.StdEncoding.AppendEncode(c.buf, b[:n])
		c.buf = append(c.buf, crlf...)
		c.spill()
		b = b[n:]
	}
}
