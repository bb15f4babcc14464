package smtp

import (
	"errors"
	"sync"
)

// workspace is what a connection needs only while it is busy. An idle one holds
// none of it.
type workspace struct {
	in        []byte
	replies   replyReader
	out       []byte  // the flight being put together
	finals    []Reply // LMTP's verdicts on a content, as they come
	carry     []byte  // content read to see whether there is more
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
	w := workspaces.Get().(*workspace)
	// The texts seen last stay: servers say the same things again and again.
	w.replies = replyReader{src: &c.reader, seen: w.replies.seen}
	w.replies.attach(w.in)
	c.work = w
}

func (c *Conn) giveBack() {
	w := c.work
	c.work = nil
	if w.in = w.replies.detach(); w.in == nil { // octets nobody asked for: they go with it
		c.cut(errUnasked)
		return
	}
	w.replies.src = nil
	w.out, w.carry = w.out[:0], w.carry[:0]
	clear(w.finals)
	w.finals = w.finals[:0]
	w.exchanges = [2]exchange{}
	workspaces.Put(w)
}
