package smtptest

import (
	"strconv"
	"strings"
)

// Reply is a server's answer. Text starts with the enhanced code, if there is
// one (it is left out where ENHANCEDSTATUSCODES was not offered), and has
// several lines if it contains "\n".
type Reply struct {
	Code int
	Text string
}

// String returns the reply on one line.
func (r Reply) String() string {
	return strconv.Itoa(r.Code) + " " + strings.ReplaceAll(r.Text, "\n", " ")
}

func (r Reply) refuses() bool { return r.Code >= 400 }

func (r Reply) or(other Reply) Reply {
	if r.Code == 0 {
		return other
	}
	return r
}

// appendReply formats a reply for the wire.
func appendReply(b []byte, r Reply) []byte {
	text := r.Text
	for {
		line, rest, more := strings.Cut(text, "\n")
		b = strconv.AppendInt(b, int64(r.Code), 10)
		if more {
			b = append(b, '-')
		} else {
			b = append(b, ' ')
		}
		b = append(b, line...)
		b = append(b, '\r', '\n')
		if !more {
			return b
		}
		text = rest
	}
}

// withoutEnhanced removes a leading enhanced code (RFC 3463).
func withoutEnhanced(text string) string {
	code, rest, ok := strings.Cut(text, " ")
	if !ok || strings.Count(code, ".") != 2 || strings.Trim(code, "0123456789.") != "" {
		return text
	}
	return rest
}

// parseReply reads "451 4.3.0 Try later".
func parseReply(text string) (Reply, bool) {
	code, rest, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(code)
	if err != nil || n < 200 || n > 599 || len(code) != 3 || strings.ContainsAny(rest, "\r\n") {
		return Reply{}, false
	}
	return Reply{n, rest}, true
}
