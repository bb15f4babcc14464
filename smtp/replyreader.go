package smtp

import (
	"bytes"
	"fmt"
	"io"
)

// Bounds on what a server may say at once. AUTH challenges have up to 12,288
// octets (RFC 4954 §4), EHLO replies of large servers some 40 lines.
const (
	maxReplyLine   = 16 << 10
	maxReplyOctets = 64 << 10
	maxReplyLines  = 512
)

// replyReader reads replies (RFC 5321 §4.2.1) from a connection. Its buffer is
// lent to it while the connection is busy; without one it makes its own.
type replyReader struct {
	src    io.Reader
	buf    []byte
	lent   []byte // what attach gave; buf may have outgrown it
	start  int    // unread octets are buf[start:end]
	end    int
	late   error // came together with octets, to be told after them
	broken error // the replies can no longer be told apart
	seen   recentTexts
}

// attach lends a buffer, ideally large enough for the replies of one flight.
func (r *replyReader) attach(buf []byte) {
	r.lent = buf
	r.start, r.end = 0, copy(buf, r.buf[r.start:r.end])
	r.buf = buf
}

// detach gives the lent buffer back. It returns nil, and changes nothing, if
// octets are still waiting in it or none was lent.
func (r *replyReader) detach() []byte {
	if r.buffered() > 0 || r.lent == nil {
		return nil
	}
	lent := r.lent
	r.buf, r.lent, r.start, r.end = nil, nil, 0, 0
	return lent
}

// buffered is the number of octets that were read but belong to no reply yet
// handed out.
func (r *replyReader) buffered() int { return r.end - r.start }

// next reads one reply. The error is io.EOF if the connection ended before its
// first octet, an [*Error] of [ClassProtocol] if what came is no reply, and
// otherwise the reader's own. After an error within a reply of several lines,
// or one of ClassProtocol, it stays.
func (r *replyReader) next() (Reply, error) {
	if r.broken != nil {
		return Reply{}, r.broken
	}
	line, err := r.line()
	if err != nil {
		return Reply{}, err
	}
	code, text, more, ok := splitReplyLine(line)
	if !ok {
		return Reply{}, r.fail("not an SMTP reply: %q", clip(line))
	}
	enhanced, text := cutEnhanced(code, text)
	if !more {
		return Reply{Code: code, Enhanced: enhanced, Text: r.seen.text(text)}, nil
	}
	return r.further(code, enhanced, text)
}

// further reads the second and later lines of a reply.
func (r *replyReader) further(code int, enhanced EnhancedCode, first []byte) (Reply, error) {
	text := append(make([]byte, 0, 256), first...)
	octets := len(first)
	for lines := 2; ; lines++ {
		line, err := r.line()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			r.broken = err
			return Reply{}, err
		}
		octets += len(line)
		if lines > maxReplyLines || octets > maxReplyOctets {
			return Reply{}, r.fail("reply of more than %d lines or %d octets", maxReplyLines, maxReplyOctets)
		}
		c, t, more, ok := splitReplyLine(line)
		if !ok || c != code {
			return Reply{}, r.fail("line %d of a %d reply is %q", lines, code, clip(line))
		}
		e, t := cutEnhanced(code, t)
		if enhanced.IsZero() {
			enhanced = e
		}
		text = append(append(text, '\n'), t...)
		if !more {
			return Reply{Code: code, Enhanced: enhanced, Text: harmless(text)}, nil
		}
	}
}

// line returns the next line without its line end, valid until the next call.
// A bare LF ends a line too: some servers mix them.
func (r *replyReader) line() ([]byte, error) {
	for searched := 0; ; {
		i := bytes.IndexByte(r.buf[r.start+searched:r.end], '\n')
		if i > maxReplyLine-searched || i < 0 && r.buffered() > maxReplyLine {
			return nil, r.fail("reply line of more than %d octets", maxReplyLine)
		}
		if i >= 0 {
			line := r.buf[r.start : r.start+searched+i]
			r.start += searched + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		searched = r.buffered()
		if err := r.fill(); err != nil {
			if err == io.EOF && searched > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// fill reads once, or until the reader gives at least one octet.
func (r *replyReader) fill() error {
	if err := r.late; err != nil {
		r.late = nil
		return err
	}
	r.makeRoom()
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			r.late = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func (r *replyReader) makeRoom() {
	if r.start > 0 && (r.start == r.end || r.end == len(r.buf)) {
		r.start, r.end = 0, copy(r.buf, r.buf[r.start:r.end])
	}
	if r.end == len(r.buf) {
		larger := make([]byte, max(4096, 2*len(r.buf)))
		copy(larger, r.buf[:r.end])
		r.buf = larger
	}
}

func (r *replyReader) fail(format string, args ...any) error {
	r.broken = &Error{Class: ClassProtocol, Err: fmt.Errorf(format, args...)}
	return r.broken
}
