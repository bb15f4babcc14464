package sqlite

import (
	"bytes"
	"fmt"
	"hash"
	"io"
	"os"
)

// checked reads a file, and fails instead of ending if it is not what it was.
type checked struct {
	f    *os.File
	h    hash.Hash
	want []byte
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.f.Read(p)
	c.h.Write(p[:n])
	if err == io.EOF && !bytes.Equal(c.h.Sum(nil), c.want) {
		err = fmt.Errorf("%s is damaged: %w", c.f.Name(), errSum)
	}
	return n, err
}

func (c *checked) Close() error { return c.f.Close() }
