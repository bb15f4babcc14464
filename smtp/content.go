package smtp

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
)

// headSize is how much of a streamed content is read before MAIL: enough for
// any sane header, and for all of most messages.
const headSize = 64 << 10

// Content is the octets of a message (RFC 5322): header, empty line, body.
// [Bytes], [Reader], [WriterTo], [ReplayableWriterTo] and [Open] make one.
//
// Line ends are made CRLF on the way out, whether they were CRLF, LF or CR, and
// a last line without one gets one; dots are stuffed where DATA needs it
// (RFC 5321 §4.5.2). So no content can end its own transaction. All other
// octets, NUL and 8-bit included, pass unchanged.
//
// Nothing is held in memory beyond the first 64 KB of a stream.
//
// A Content from Bytes may be sent by many transactions at once, one from Open
// too after its [Content.Prepare] has returned. The others belong to one
// transaction at a time.
type Content struct {
	start    func() (io.ReadCloser, error) // nil if the octets are in memory
	again    bool                          // start may be called more than once
	declared int64                         // what DeclareSize was told, -1 if nothing
	utf8     bool                          // RequireSMTPUTF8 was called

	prepared bool
	err      error  // why the content is lost
	found    traits // of data, or of the head
	data     []byte // all octets, if found.complete

	// head is the opened source with its first octets, for the first who reads.
	head atomic.Pointer[head]
}

// head is a source whose first octets were read.
type head struct {
	src   io.ReadCloser
	chunk *chunk
	n     int // octets in chunk
}

// chunk is a buffer of a stream, borrowed while the stream is open.
type chunk [headSize]byte

var chunks = sync.Pool{New: func() any { return new(chunk) }}

var errContentUsed = &contentError{what: "it was read or closed already and its source cannot be read again",
	hint: "make a new Content for each message, or one from Bytes or Open"}

// Bytes is a content in memory. It is looked at once, here; b must not be
// changed until every transaction with it has ended.
func Bytes(b []byte) *Content {
	c := &Content{declared: -1, prepared: true, data: b, found: scan(b)}
	c.found.complete = true
	return c
}

// Reader is the content that r gives until io.EOF. An io.Seeker is rewound to
// its present offset to read it again; any other r is read once, and a message
// over 64 KB can then not be repeated once a part of it was sent. r is not closed.
func Reader(r io.Reader) *Content {
	if s, ok := r.(io.Seeker); ok {
		if offset, err := s.Seek(0, io.SeekCurrent); err == nil {
			return Open(func() (io.ReadCloser, error) {
				_, err := s.Seek(offset, io.SeekStart)
				return io.NopCloser(r), err
			})
		}
	}
	return &Content{declared: -1, start: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }}
}

// WriterTo is the content that w writes. WriteTo runs in a goroutine of its own,
// once, no faster than the octets leave. If the transaction ends early its
// writer returns an error, upon which WriteTo must return.
func WriterTo(w io.WriterTo) *Content {
	return &Content{declared: -1, start: func() (io.ReadCloser, error) { return &pushReader{from: w}, nil }}
}

// ReplayableWriterTo is a WriterTo that writes the same octets each time
// WriteTo is called, so that the message can be repeated.
func ReplayableWriterTo(w io.WriterTo) *Content {
	c := WriterTo(w)
	c.again = true
	return c
}

// Open is the content that the opened reader gives. open is called again when
// the message has to be repeated, and must give the same octets each time. What
// it opened is closed; an error of Close fails the message.
func Open(open func() (io.ReadCloser, error)) *Content {
	return &Content{declared: -1, again: true, start: open}
}

// DeclareSize says how many octets a stream will give, with CRLF line ends, so
// that the server can refuse the message before it is sent (RFC 1870). It is a
// hint: the true size is used where it is known. It returns c.
func (c *Content) DeclareSize(octets int64) *Content {
	c.declared = max(octets, -1)
	return c
}

// RequireSMTPUTF8 says that the header cannot be written without SMTPUTF8 (RFC
// 6531): it has an address whose local part is not ASCII. A server without that
// extension is not sent the message. Otherwise a header that is not ASCII goes
// to any server with 8BITMIME, as old messages have such headers and most
// servers take them. It returns c.
func (c *Content) RequireSMTPUTF8() *Content {
	c.utf8 = true
	return c
}

// Size is the size of the content as SIZE counts it (RFC 1870 §5): with CRLF
// line ends, before dot-stuffing. It is known for content in memory, for
// streams of at most 64 KB after [Content.Prepare], and where it was declared.
func (c *Content) Size() (octets int64, known bool) {
	if c.found.complete {
		return c.found.size, true
	}
	return c.declared, c.declared >= 0
}

// Prepare opens a streamed content and reads its first 64 KB. A source that
// ends within them is closed, and the content is in memory from then on.
// Otherwise the source stays open until it is sent or [Content.Close] is called.
//
// It may be called again, but not by two goroutines at once. Errors are those of
// the source; a panic of the source passes through.
func (c *Content) Prepare() error {
	if c.prepared || c.err != nil {
		return c.err
	}
	if !c.again {
		c.err = errContentUsed // holds if the source panics
	}
	if err := c.readHead(); err != nil {
		err = sourceError(err)
		if !c.again {
			c.err = err
		}
		return err
	}
	c.prepared, c.err = true, nil
	return nil
}

// readHead reads up to headSize octets and keeps them: for good if that is all,
// else beside the open source.
func (c *Content) readHead() error {
	src, err := c.start()
	if err != nil {
		return err
	}
	h := &head{src: src, chunk: chunks.Get().(*chunk)}
	for h.n < headSize && err == nil {
		var n int
		n, err = readSome(src, h.chunk[h.n:])
		h.n += n
	}
	if err != nil {
		defer chunks.Put(h.chunk)
		if cerr := src.Close(); err == io.EOF && cerr != nil {
			err = cerr
		}
		if err != io.EOF {
			return err
		}
		c.data = bytes.Clone(h.chunk[:h.n])
		c.found = scan(c.data)
		c.found.complete = true
		return nil
	}
	c.found = scan(h.chunk[:h.n])
	c.found.size = -1
	c.head.Store(h)
	return nil
}

// Close releases the source that [Content.Prepare] opened, if it was not sent:
// the content of a stream over 64 KB is then lost, unless it can be read again.
func (c *Content) Close() error {
	if h := c.head.Swap(nil); h != nil {
		chunks.Put(h.chunk)
		return h.src.Close()
	}
	return nil
}

// traits tells what is known, after Prepare.
func (c *Content) traits() traits {
	t := c.found
	if !t.complete {
		t.size = c.declared
	}
	return t
}

// Replayable reports whether the next open gives the content from its start.
func (c *Content) Replayable() bool {
	switch {
	case c.found.complete, c.again:
		return true
	case c.prepared:
		return c.head.Load() != nil
	}
	return c.err == nil
}

// Reusable reports whether the content can be sent any number of times. One that
// cannot may still be [Content.Replayable] before it is sent.
func (c *Content) Reusable() bool { return c.found.complete || c.again }

// readSome reads until there is an octet or an error.
func readSome(r io.Reader, p []byte) (int, error) {
	const patience = 100
	for range patience {
		if n, err := r.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
