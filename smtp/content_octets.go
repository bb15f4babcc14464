package smtp

import (
	"bytes"
	"io"
)

// Octets are the octets of the content, as its source gives them, if all of them
// are in memory; see [Content.Prepare]. They must not be changed.
func (c *Content) Octets() (octets []byte, ok bool) { return c.data, c.found.complete }

// Reader gives the octets of the content, from the first, as its source does: line
// ends are as they are there. The content is then in use, as by a transaction. It
// fails as the source does.
func (c *Content) Reader() (io.ReadCloser, error) {
	if err := c.Prepare(); err != nil {
		return nil, err
	}
	if octets, ok := c.Octets(); ok {
		return io.NopCloser(bytes.NewReader(octets)), nil
	}
	r := new(octetReader)
	if err := c.openInto(&r.content, encoding{raw: true}); err != nil {
		return nil, err
	}
	return r, nil
}

// octetReader is a contentReader for those who want to read.
type octetReader struct {
	content contentReader
	rest    []byte
	buffer  [4 << 10]byte
	err     error
}

// Read reads; after the last octets comes io.EOF.
func (r *octetReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 && r.err == nil {
		if len(p) >= len(r.buffer) {
			return r.content.fill(p)
		}
		var n int
		n, r.err = r.content.fill(r.buffer[:])
		r.rest = r.buffer[:n]
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close releases the source.
func (r *octetReader) Close() error { return r.content.close() }

// Head are the first octets of the content, up to 64 KB, once [Content.Prepare] was
// called and until the content is sent or read. They must not be changed.
func (c *Content) Head() []byte {
	if c.found.complete {
		return c.data[:min(len(c.data), headSize)]
	}
	if h := c.head.Load(); h != nil {
		return h.chunk[:h.n]
	}
	return nil
}

// NeedsSMTPUTF8 reports whether [Content.RequireSMTPUTF8] was called.
func (c *Content) NeedsSMTPUTF8() bool { return c.utf8 }
