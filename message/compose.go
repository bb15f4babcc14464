package message

import (
	"errors"
	"io"
)

const (
	writeSize  = 32 << 10 // octets written at once
	writeSlack = 1 << 10  // what may come between two looks at the buffer
)

var errTooLarge = errors.New("larger than what is kept in memory")

// composer collects octets and writes them on whenever its buffer is full.
type composer struct {
	w        io.Writer // nil: everything stays in buf, and full is the limit
	full     int
	buf      []byte
	written  int64
	err      error
	boundary string
	chunk    []byte // for reading attachments; made once
}

func (c *composer) print(parts ...string) {
	for _, s := range parts {
		c.buf = append(c.buf, s...)
	}
}

// spill is called often enough that the buffer grows little beyond full.
func (c *composer) spill() {
	if len(c.buf) < c.full || c.err != nil {
		return
	}
	if c.w == nil {
		c.err = errTooLarge
		return
	}
	c.flush()
}

func (c *composer) flush() {
	if c.err != nil || len(c.buf) == 0 {
		return
	}
	n, err := c.w.Write(c.buf)
	c.written += int64(n)
	if err == nil && n < len(c.buf) {
		err = io.ErrShortWrite
	}
	c.err = err
	c.buf = c.buf[:0]
}
