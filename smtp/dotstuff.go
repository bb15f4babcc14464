package smtp

// encoding is how content goes onto the wire.
type encoding struct {
	stuff          bool // DATA: double the dot a line begins with
	raw            bool // BINARYMIME: octets as they are; the other fields do not count
	allowEightBit  bool // the server offers 8BITMIME
	allowLongLines bool
}

// lineEncoder makes line ends CRLF and stuffs dots, keeping its place between
// pieces of any size.
type lineEncoder struct {
	stuff   bool
	dotted  bool  // the dot before the dot that comes next was written
	afterCR bool  // the last piece ended in CR, which was written as CRLF
	column  int   // octets of the current line so far
	lines   int   // complete lines so far
	dots    int64 // dots stuffed so far

	longLine int // number of the first line over maxLine, 0 none
}

// encode takes ns octets of src and writes nd octets to dst, stopping when
// either is used up; a line end is written whole or not at all. A dst of 4
// octets or more always makes progress.
func (e *lineEncoder) encode(dst, src []byte) (nd, ns int) {
	// Never look further than dst can take: a search that finds nothing would
	// be repeated by the next call.
	src = src[:min(len(src), len(dst))]
	lines := lineCutter{b: src, lf: -1}
	for ns < len(src) {
		if e.afterCR {
			e.afterCR = false
			if src[ns] == '\n' {
				ns++
				continue
			}
		}
		if e.stuff && e.column == 0 && src[ns] == '.' && !e.dotted {
			if nd == len(dst) {
				break
			}
			dst[nd] = '.'
			nd++
			e.dotted = true
			e.dots++
		}
		end, next := lines.cut(ns)
		n := copy(dst[nd:], src[ns:end])
		nd, ns, e.column = nd+n, ns+n, e.column+n
		if e.column > maxLine && e.longLine == 0 {
			e.longLine = e.lines + 1
		}
		if ns < end || next == end || len(dst)-nd < 2 {
			break
		}
		nd += e.endLine(dst[nd:])
		// A CR as the last octet of a piece may be the first half of a CRLF.
		e.afterCR = next == len(src) && src[next-1] == '\r'
		ns = next
	}
	return nd, ns
}

// endLine writes a line end.
func (e *lineEncoder) endLine(dst []byte) int {
	e.column, e.dotted = 0, false
	e.lines++
	return copy(dst, "\r\n")
}

// lineOf is the number of the line that src[i] is on, src being what comes next.
func (e *lineEncoder) lineOf(src []byte, i int) int {
	number := e.lines + 1
	if e.afterCR && len(src) > 0 && src[0] == '\n' {
		src, i = src[1:], i-1
	}
	cutter := lineCutter{b: src, lf: -1}
	for _, next := cutter.cut(0); next <= i; _, next = cutter.cut(next) {
		number++
	}
	return number
}
