package kaizen

import (
	"bytes"
	"cmp"
	"mime"
	"strings"
	"unicode"

	"github.com/kaizenmail/kaizen/queue"
)

// describe notes of a message what people find it by.
func describe(j *queue.Job, p *Prepared) {
	head := p.Content.Head()
	j.Subject = readable(headerField(head, "Subject"))
	id := cmp.Or(p.MessageID, headerField(head, "Message-ID"))
	j.MessageID = fitting(strings.Trim(strings.TrimSpace(id), "<>"))
}

// readable decodes a field for people.
func readable(value string) string {
	decoded, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		decoded = value
	}
	return fitting(decoded)
}

// fitting makes text such that a queue keeps it: it is only for people to see.
func fitting(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > queue.MaxText {
		s = strings.ToValidUTF8(s[:queue.MaxText], "")
	}
	return strings.TrimSpace(s)
}

// headerField is the unfolded value of the first field of that name; "" if there is
// none.
func headerField(head []byte, name string) string {
	for len(head) > 0 {
		field, rest := cutField(head)
		if len(bytes.TrimRight(field, "\r\n")) == 0 {
			return ""
		}
		if n := len(name); len(field) > n && field[n] == ':' && strings.EqualFold(string(field[:n]), name) {
			return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(string(field[n+1:])))
		}
		head = rest
	}
	return ""
}

// cutField cuts off a field with all its lines.
func cutField(head []byte) (field, rest []byte) {
	end := 0
	for {
		n := bytes.IndexByte(head[end:], '\n')
		if n < 0 {
			return head, nil
		}
		end += n + 1
		if end == len(head) || head[end] != ' ' && head[end] != '\t' {
			return head[:end], head[end:]
		}
	}
}
