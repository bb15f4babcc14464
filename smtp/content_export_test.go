package smtp

// ContentReader is what the engine reads a content with.
type ContentReader = contentReader

// Encoding mirrors encoding.
type Encoding struct{ Stuff, Raw, AllowEightBit, AllowLongLines bool }

// Traits mirrors what traits tells about content.
type Traits struct {
	Complete                         bool
	Size                             int64
	EightBit, HeaderEightBit, Binary bool
	EightBitLine, LongLine           int
}

func (c *Content) Traits() Traits {
	t := c.traits()
	return Traits{t.complete, t.size, t.eightBit, t.headerEightBit, t.binary, t.eightBitLine, t.longLine}
}

func (c *Content) OpenInto(r *ContentReader, e Encoding) error {
	return c.openInto(r, encoding{e.Stuff, e.Raw, e.AllowEightBit, e.AllowLongLines})
}

func (r *contentReader) Fill(dst []byte) (int, error) { return r.fill(dst) }
func (r *contentReader) Octets() int64                { return r.octets() }
func (r *contentReader) Remaining() int64             { return r.remaining() }
func (r *contentReader) InMemory() bool               { return r.inMemory() }
func (r *contentReader) Close() error                 { return r.close() }
