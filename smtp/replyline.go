package smtp

import "bytes"

// splitReplyLine takes "250-text", "250 text" or "250" apart.
func splitReplyLine(line []byte) (code int, text []byte, more, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return 0, nil, false, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	switch {
	case len(line) == 3:
		return code, nil, false, true
	case line[3] == ' ', line[3] == '-':
		return code, line[4:], line[3] == '-', true
	}
	return 0, nil, false, false
}

// cutEnhanced takes the enhanced code (RFC 2034) off the front of the text.
// Intermediate replies have none: a challenge must stay as it is.
func cutEnhanced(code int, text []byte) (EnhancedCode, []byte) {
	if code/100 == 3 || len(text) < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') {
		return EnhancedCode{}, text
	}
	var e EnhancedCode
	rest := text
	for i := range e {
		digits := 0
		for digits < len(rest) && digits < 3 && isDigit(rest[digits]) {
			e[i] = e[i]*10 + uint16(rest[digits]-'0')
			digits++
		}
		if digits == 0 || i == 0 && digits > 1 {
			return EnhancedCode{}, text
		}
		rest = rest[digits:]
		if i < 2 {
			if len(rest) == 0 || rest[0] != '.' {
				return EnhancedCode{}, text
			}
			rest = rest[1:]
		}
	}
	if len(rest) > 0 && rest[0] != ' ' {
		return EnhancedCode{}, text
	}
	return e, bytes.TrimLeft(rest, " ")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// clip shortens what is quoted in an error.
func clip(line []byte) string {
	if len(line) > 80 {
		return harmless(line[:80]) + "…"
	}
	return harmless(line)
}
