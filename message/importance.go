package message

import (
	"errors"
	"fmt"
)

// Importance is how much the sender thinks of a message. Readers show it; it
// changes nothing about the sending.
type Importance uint8

// The importances. The header says nothing about a normal message.
const (
	ImportanceNormal Importance = iota
	ImportanceHigh
	ImportanceLow
)

var errImportance = errors.New("none of normal, high and low")

// String is "normal", "high" or "low".
func (i Importance) String() string {
	switch i {
	case ImportanceNormal:
		return "normal"
	case ImportanceHigh:
		return "high"
	case ImportanceLow:
		return "low"
	}
	return fmt.Sprintf("Importance(%d)", uint8(i))
}

func (p *prepared) checkImportance() error {
	if p.Importance > ImportanceLow {
		return fieldError("Importance", p.Importance.String(), errImportance)
	}
	return nil
}

// append writes the fields that readers look at: Importance (RFC 2156 §5.3.4)
// and X-Priority. Not X-MSMail-Priority: spam filters distrust it from anyone
// but Outlook, which reads Importance.
func (i Importance) append(dst []byte) []byte {
	switch i {
	case ImportanceHigh:
		return append(dst, "Importance: high\r\nX-Priority: 1 (Highest)\r\n"...)
	case ImportanceLow:
		return append(dst, "Importance: low\r\nX-Priority: 5 (Lowest)\r\n"...)
	}
	return dst
}
