package message

import "strings"

// maxQuoted leaves room for the "=" of a soft line break in the 76 octets that
// a line may have (RFC 2045 §6.7).
const maxQuoted = 75

// appendQuotedPrintable encodes one line without its end.
//
// It exists beside mime/quotedprintable because it appends runs of octets where
// that writes octet by octet, several times slower.
func appendQuotedPrintable(dst []byte, line string) []byte {
	col := 0
	for i := 0; i < len(line); {
		if col > 0 || isSafeStart(line[i:]) {
			run := quotedRun(line[i:], maxQuoted-col)
			dst = append(dst, line[i:i+run]...)
			col += run
			if i += run; i == len(line) {
				break
			}
		}
		escape := octets[line[i]]&bodyOctet == 0 || col == 0 || isLastSpace(line, i)
		if col == maxQuoted || (escape && col+3 > maxQuoted) {
			dst = append(dst, "=\r\n"...)
			col = 0
			continue
		}
		dst = appendHex(dst, '=', line[i])
		col += 3
		i++
	}
	return dst
}

// quotedRun is how many octets can be written as they are.
func quotedRun(s string, room int) int {
	n := 0
	for n < len(s) && n < room && octets[s[n]]&bodyOctet != 0 {
		n++
	}
	if n == len(s) && endsInSpace(s) {
		n--
	}
	return n
}

func isLastSpace(line string, i int) bool { return i == len(line)-1 && endsInSpace(line) }

// isSafeStart reports whether a line may begin so. A dot may be lost or doubled
// by a careless server, and "From " becomes ">From " in a mailbox file.
func isSafeStart(s string) bool { return s[0] != '.' && !strings.HasPrefix(s, "From ") }
