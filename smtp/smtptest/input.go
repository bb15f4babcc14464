package smtptest

import (
	"bytes"
	"errors"
	"io"
)

const (
	inputSize = 64 << 10
	maxLine   = 12288 // octets; RFC 4954 §4 wants as much for AUTH
)

var errLongLine = errors.New("smtptest: line too long")

// input is what came from the client and was not consumed yet.
type input struct {
	source io.Reader
	octets []byte
	r, w   int
	// wait is called before each read that may block: replies leave then.
	wait func() error
}

func (in *input) waiting() int { return in.w - in.r }

// fill reads more; what is not consumed stays at the front.
func (in *input) fill() error {
	if in.r == in.w {
		in.r, in.w = 0, 0
	} else if in.w == len(in.octets) {
		in.w = copy(in.octets, in.octets[in.r:])
		in.r = 0
	}
	if err := in.wait(); err != nil {
		return err
	}
	n, err := in.source.Read(in.octets[in.w:])
	in.w += n
	if n > 0 {
		return nil
	}
	return err
}

// line returns the next line with its end. It is valid until the next call.
func (in *input) line() ([]byte, error) {
	scanned := 0
	for {
		if i := bytes.IndexByte(in.octets[in.r+scanned:in.w], '\n'); i >= 0 {
			if scanned+i > maxLine {
				return nil, errLongLine
			}
			line := in.octets[in.r : in.r+scanned+i+1]
			in.r += len(line)
			return line, nil
		}
		if scanned = in.waiting(); scanned > maxLine {
			return nil, errLongLine
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
}

var stuffed = []byte("\r\n.")

// untilDot consumes content up to and with CRLF.CRLF (RFC 5321 §4.1.1.4) and
// hands it on in pieces without the stuffed dots.
func (in *input) untilDot(piece func([]byte) error) error {
	atStart := true
	for {
		if atStart && in.waiting() > 0 && in.octets[in.r] == '.' {
			switch end, more := in.dotEnds(); {
			case more:
				if err := in.fill(); err != nil {
					return err
				}
				continue
			case end:
				in.r += 3
				return nil
			}
			in.r++
			atStart = false
		}
		rest := in.octets[in.r:in.w]
		i := bytes.Index(rest, stuffed)
		n := i + 2
		if i < 0 {
			n = len(rest) - lineEndTail(rest)
		}
		if err := piece(rest[:n]); err != nil {
			return err
		}
		in.r += n
		atStart = i >= 0 || atStart && len(rest) == 0
		if i < 0 {
			if err := in.fill(); err != nil {
				return err
			}
		}
	}
}

// dotEnds tells whether the dot at the start of a line is the end of the
// content, or whether that takes more octets to know.
func (in *input) dotEnds() (end, more bool) {
	rest := in.octets[in.r+1 : in.w]
	switch {
	case len(rest) == 0:
		return false, true
	case rest[0] != '\r':
		return false, false
	case len(rest) == 1:
		return false, true
	}
	return rest[1] == '\n', false
}

// lineEndTail is how many octets at the end may be the start of CRLF dot.
func lineEndTail(b []byte) int {
	switch {
	case bytes.HasSuffix(b, stuffed[:2]):
		return 2
	case bytes.HasSuffix(b, stuffed[:1]):
		return 1
	}
	return 0
}

// octetsOf consumes exactly n octets (RFC 3030 §2).
func (in *input) octetsOf(n int64, piece func([]byte) error) error {
	for n > 0 {
		if in.waiting() == 0 {
			if err := in.fill(); err != nil {
				return err
			}
		}
		part := in.octets[in.r:in.w]
		part = part[:min(int64(len(part)), n)]
		if err := piece(part); err != nil {
			return err
		}
		in.r += len(part)
		n -= int64(len(part))
	}
	return nil
}
