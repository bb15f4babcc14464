package smtp

import (
	"bytes"
	"encoding/binary"
)

// maxLine is the longest line without its CRLF (RFC 5321 §4.5.3.1.6).
const maxLine = 998

// traits is what is known of a content.
type traits struct {
	complete       bool  // all of it was looked at, else only the first 64 KB
	size           int64 // as SIZE counts it, exact if complete, else as declared; -1 unknown
	rawSize        int64 // octets as they are, if complete
	eightBit       bool  // an octet over 127 was seen
	headerEightBit bool  // in the header part: SMTPUTF8 is needed
	longLine       int   // number of the first line over 998 octets, 0 none
	binary         bool  // NUL was seen

	eightBitLine int   // number of the first line with an octet over 127, 0 none
	dotLines     int64 // lines that begin with a dot
	canonical    bool  // every line end is CRLF
	ended        bool  // the last line has a line end, or there is no line
}

// scan looks at b, which begins at the start of a content.
func scan(b []byte) traits {
	t := traits{size: int64(len(b)), rawSize: int64(len(b)), canonical: true, ended: true,
		binary: bytes.IndexByte(b, 0) >= 0}
	eight := firstEightBit(b)
	t.eightBit = eight >= 0
	header := len(b)
	lines := lineCutter{b: b, lf: -1}
	for pos, number := 0, 1; pos < len(b); number++ {
		end, next := lines.cut(pos)
		switch {
		case end == pos:
			header = min(header, pos)
		case b[pos] == '.':
			t.dotLines++
		}
		if end-pos > maxLine && t.longLine == 0 {
			t.longLine = number
		}
		if t.eightBit && t.eightBitLine == 0 && eight < next {
			t.eightBitLine = number
		}
		if next-end != 2 {
			t.canonical = t.canonical && next == end
			t.ended = next > end
			t.size += int64(2 - (next - end))
		}
		pos = next
	}
	t.headerEightBit = t.eightBit && eight < header
	return t
}

// lineCutter finds lines, however they end. lf is the next LF at or after the
// last position asked for: remembered, so that text whose lines end in CR is not
// searched to its end for each of them.
type lineCutter struct {
	b  []byte
	lf int // -1 before the first search
}

// cut says that the line at pos has its text in b[pos:end] and its line end in
// b[end:next], which is empty if b ends inside the line.
func (c *lineCutter) cut(pos int) (end, next int) {
	if c.lf < pos {
		if c.lf = bytes.IndexByte(c.b[pos:], '\n'); c.lf < 0 {
			c.lf = len(c.b)
		} else {
			c.lf += pos
		}
	}
	if cr := bytes.IndexByte(c.b[pos:c.lf], '\r'); cr >= 0 {
		end = pos + cr
		if end+1 == c.lf && c.lf < len(c.b) {
			return end, end + 2
		}
		return end, end + 1
	}
	return c.lf, min(c.lf+1, len(c.b))
}

// firstEightBit is the index of the first octet over 127, or -1.
func firstEightBit(b []byte) int {
	const high = 0x8080808080808080
	i := 0
	for ; i+32 <= len(b); i += 32 {
		w := b[i : i+32 : i+32]
		if (binary.LittleEndian.Uint64(w)|binary.LittleEndian.Uint64(w[8:])|
			binary.LittleEndian.Uint64(w[16:])|binary.LittleEndian.Uint64(w[24:]))&high != 0 {
			break
		}
	}
	for ; i < len(b); i++ {
		if b[i] > 127 {
			return i
		}
	}
	return -1
}
