package smtp

import (
	"fmt"
	"io"
)

// contentReader gives the octets of a content as they go onto the wire. It is
// one goroutine's; the zero value is what openInto fills and close leaves.
type contentReader struct {
	encoding encoding
	encoder  lineEncoder
	plain    bool   // octets are copied as they are
	rest     []byte // octets at hand that were not given yet
	given    int64  // octets given
	total    int64  // octets that will be given, -1 unknown

	src     io.ReadCloser // where more comes from; nil: rest is all
	chunk   *chunk        // what rest is a part of, while src is open
	content *Content      // whom the head came from, until it is touched
	head    *head
	err     error // what every further fill returns
}

// openInto makes r give the content from its start. It fails if the source
// cannot be opened, or if the content is known to need what e does not allow;
// then, and if r is closed before its first fill, the content was not touched.
func (c *Content) openInto(r *contentReader, e encoding) error {
	if err := c.Prepare(); err != nil {
		return err
	}
	if err := c.found.refusedBy(e); err != nil {
		return err
	}
	*r = contentReader{encoding: e, encoder: lineEncoder{stuff: e.stuff}, total: -1, plain: e.raw}
	if c.found.complete {
		r.openMemory(c.data, &c.found)
		return nil
	}
	if h := c.head.Swap(nil); h != nil {
		r.content, r.head = c, h
		r.src, r.chunk, r.rest = h.src, h.chunk, h.chunk[:h.n]
		return nil
	}
	if !c.again {
		return errContentUsed
	}
	src, err := c.start()
	if err != nil {
		return sourceError(err)
	}
	r.src, r.chunk = src, chunks.Get().(*chunk)
	return nil
}

// openMemory makes r give all of b, whose traits are t.
func (r *contentReader) openMemory(b []byte, t *traits) {
	r.rest = b
	if r.encoding.raw {
		r.total = t.rawSize
		return
	}
	r.total = t.size
	r.plain = t.canonical
	if r.encoding.stuff {
		r.total += t.dotLines
		r.plain = r.plain && t.dotLines == 0
	}
	if r.plain && !t.ended {
		r.encoder.column = 1 // a plain copy ends inside a line
	}
}

// refusedBy says what the content is known to need and e does not allow.
func (t *traits) refusedBy(e encoding) error {
	switch {
	case e.raw:
	case t.eightBit && !e.allowEightBit:
		return eightBitError(t.eightBitLine)
	case t.longLine > 0 && !e.allowLongLines:
		return longLineError(t.longLine)
	}
	return nil
}

// fill puts the next octets into dst, which has room for 16 or more, and returns
// how many: none only together with an error. It reads from the source at most
// until that gives something, so that what a slow source gave can be sent.
//
// At the end of the content, its last line closed by CRLF, the error is io.EOF,
// with the last octets or after them; the terminator is not part of them. Any
// other error means that the message must not be completed. A panic of the
// source is such an error.
func (r *contentReader) fill(dst []byte) (n int, err error) {
	r.content, r.head = nil, nil
	for n == 0 && r.err == nil {
		if len(r.rest) == 0 && r.src != nil {
			if r.err = r.load(); r.err != nil {
				break
			}
		}
		n = r.take(dst)
		if len(r.rest) == 0 && r.src == nil && r.err == nil {
			n += r.finish(dst[n:])
		}
	}
	r.given += int64(n)
	return n, r.err
}

// take gives what is at hand.
func (r *contentReader) take(dst []byte) int {
	if r.plain {
		n := copy(dst, r.rest)
		r.rest = r.rest[n:]
		return n
	}
	nd, ns := r.encoder.encode(dst, r.rest)
	r.rest = r.rest[ns:]
	if r.encoder.longLine > 0 && !r.encoding.allowLongLines {
		r.err = longLineError(r.encoder.longLine)
	}
	return nd
}

// finish closes the last line once everything was given.
func (r *contentReader) finish(dst []byte) int {
	if r.encoder.column == 0 {
		r.err = io.EOF
		return 0
	}
	if len(dst) < 2 {
		return 0
	}
	r.err = io.EOF
	return r.encoder.endLine(dst)
}

// load gets the next octets from the source; at its end it closes it.
func (r *contentReader) load() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sourceError(panicError(p))
		}
	}()
	n, err := readSome(r.src, r.chunk[:])
	r.rest = r.chunk[:n]
	if err == io.EOF {
		err = r.src.Close()
		r.src = nil
	}
	if err != nil {
		return sourceError(err)
	}
	if !r.encoding.allowEightBit && !r.encoding.raw {
		if i := firstEightBit(r.rest); i >= 0 {
			return eightBitError(r.encoder.lineOf(r.rest, i))
		}
	}
	return nil
}

// panicError is what a source panicked with.
func panicError(p any) error {
	if err, ok := p.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", p)
}

// octets is how much of the content was given, as SIZE counts it.
func (r *contentReader) octets() int64 { return r.given - r.encoder.dots }

// inMemory reports that fill needs no source: it neither waits nor fails.
func (r *contentReader) inMemory() bool { return r.src == nil }

// remaining is how many octets fill will still give; -1 if that is not known,
// which in memory means at most 128 KB.
func (r *contentReader) remaining() int64 {
	if r.total < 0 {
		return -1
	}
	return r.total - r.given
}

// close releases the source. If nothing was given yet, the content has it back.
func (r *contentReader) close() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sourceError(panicError(p))
		}
		*r = contentReader{err: io.ErrClosedPipe}
	}()
	if r.head != nil {
		r.content.head.Store(r.head)
		return nil
	}
	if r.chunk != nil {
		chunks.Put(r.chunk)
	}
	if r.src != nil {
		return r.src.Close()
	}
	return nil
}
