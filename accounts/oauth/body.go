package oauth

import "io"

// boundBody lets go of the request's context when it was read.
type boundBody struct {
	io.ReadCloser
	done func()
}

// Read lets go at the end: package oauth2 does not close all that it reads.
func (b *boundBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.done()
	}
	return n, err
}

// Close closes the body.
func (b *boundBody) Close() error {
	b.done()
	return b.ReadCloser.Close()
}
