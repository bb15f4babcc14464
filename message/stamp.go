package message

import (
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

var (
	errMessageID = errors.New("not of the form <left@right> in printable ASCII")
	errYear      = errors.New("year not between 1900 and 9999")
)

// stamp fixes Date and Message-ID, so that every retry carries the same.
func (p *prepared) stamp() error {
	m := p.Message
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Date.IsZero() {
		m.Date = time.Now().Truncate(time.Second)
	}
	if m.MessageID == "" {
		m.MessageID = "<" + strings.ToLower(rand.Text()) + "@" + p.from.domain + ">"
	}
	if year := m.Date.Year(); year < 1900 || year > 9999 {
		return fieldError("Date", m.Date.String(), errYear)
	}
	if err := checkMessageID(m.MessageID); err != nil {
		return fieldError("MessageID", m.MessageID, err)
	}
	return nil
}

func checkMessageID(id string) error {
	id = bareID(id)
	if at := strings.IndexByte(id, '@'); at < 1 || at == len(id)-1 || len(id) > maxUnbroken || !isToken(id) {
		return errMessageID
	}
	return nil
}

// bareID takes the angle brackets off.
func bareID(id string) string {
	if strings.HasPrefix(id, "<") && strings.HasSuffix(id, ">") && len(id) > 1 {
		return id[1 : len(id)-1]
	}
	return id
}

// isToken reports whether s can stand between angle brackets.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '<' || c == '>' {
			return false
		}
	}
	return s != ""
}
