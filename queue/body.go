package queue

import (
	"bytes"
	"io"
)

// Body is the octets of a message on their way into a store. Submissions of one
// Put with the same *Body share what is stored of it.
type Body struct {
	octets []byte
	source io.Reader
}

// Octets is a body in memory. b must not be changed until Put has returned; with
// the durability Memory, never.
func Octets(b []byte) *Body { return &Body{octets: b} }

// Stream is a body that is read once, while it is put, and never held in memory
// as a whole. A submission with it must have the durability Disk.
func Stream(r io.Reader) *Body { return &Body{source: r} }

// Bytes are the octets of a body in memory; ok is false for a stream.
func (b *Body) Bytes() (octets []byte, ok bool) { return b.octets, b.source == nil }

// Reader gives the octets. That of a stream can be read once.
func (b *Body) Reader() io.Reader {
	if b.source != nil {
		return b.source
	}
	return bytes.NewReader(b.octets)
}

// Content is a stored body.
type Content struct {
	Size int64
	// Octets is all of it if it is small; else nil, and Open opens it, as often as
	// it is wanted, at the same time too.
	Octets []byte
	Open   func() (io.ReadCloser, error)
}

// Reader opens the body, small or not.
func (c *Content) Reader() (io.ReadCloser, error) {
	if c.Open != nil {
		return c.Open()
	}
	return io.NopCloser(bytes.NewReader(c.Octets)), nil
}
