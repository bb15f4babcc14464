package smtp

import (
	"errors"
	"sync"
)

// workspace is what a connection needs only while it is busy. An idle one holds
// none of it.
type workspace struct {
	in        []byte
	out       []byte // the flight being put together
	carry     []byte // content read to see whether there is more
	exchanges [2]exchange
	turn      int
}

const (
	inSize  = 8 << 10
	outSize = 64 << 10
	// groupRoom is kept free in out behind the last octets of a content, so that
	// the terminator and the next envelope fit into the same write.
	groupRoom = maxGroup + 2<<10
)

var workspaces = sync.Pool{New: func() any {
	return &workspace{in: make([]byte, inSize), out: make([]byte, 0, outSize), carry: make([]byte, 0, 16)}
}}

var errUnasked = errors.New("the server said more than it was asked")

func (c *Conn) borrow() {
	c.work = workspaces.Get().(*workspace)
	c.replies.attach(c.work.in)
}

func (c *Conn) giveBack() {
	w := c.work
	c.work = nil
	if w.in = c.replies.detach(); w.in == nil { // octets nobody asked for: they go with it
		c.cut(errUnasked)
		return
	}
	w.out, w.carry = w.out[:0], w.carry[:0]
	w.exchanges = [2]exchange{}
	workspaces.Put(w)
}
