package smtp

import (
	"io"
	"strconv"
)

// chunks sends the content with BDAT (RFC 3030), one chunk outstanding.
func (c *Conn) chunks(x *exchange, next func(ahead bool) *Transaction) (ahead *exchange, err *Error) {
	w := c.work
	w.carry = w.carry[:0] // a refused message leaves its own behind
	for {
		w.out = append(w.out[:0], chunkRoom...)
		last, err := c.fillChunk(x)
		if err != nil {
			return nil, c.abandon(x, c.spoiled(err))
		}
		x.begin = c.headChunk(last)
		if last {
			c.endContent(x)
			return c.finish(x, next)
		}
		if err := c.sendChunk(x); err != nil || x.settled {
			return nil, err
		}
	}
}

// chunkRoom is kept free for the command before a chunk whose length is not
// known yet.
const chunkRoom = "BDAT 00000000 LAST\r\n"

// fillChunk fills a chunk and finds out whether it is the last: a chunk of zero
// octets is not understood everywhere, so the last one must be known as such.
func (c *Conn) fillChunk(x *exchange) (last bool, err error) {
	w := c.work
	w.out = append(w.out, w.carry...)
	w.carry = w.carry[:0]
	err = nil
	for err == nil && len(w.out) < cap(w.out)-groupRoom-enough {
		err = c.fill(x)
	}
	if err != nil {
		if err == io.EOF && len(w.out) == len(chunkRoom) && x.body.octets() == 0 {
			w.out = append(w.out, "\r\n"...) // an empty content
		}
		return err == io.EOF, ignoreEOF(err)
	}
	n, err := c.take(x, w.carry[:cap(w.carry)])
	w.carry = w.carry[:n]
	if err == io.EOF && n == 0 {
		return true, nil
	}
	if err == io.EOF {
		w.out = append(w.out, w.carry...)
		w.carry = w.carry[:0]
		return true, nil
	}
	return false, err
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// headChunk writes the BDAT command right before the chunk and returns where it
// begins.
func (c *Conn) headChunk(last bool) (begin int) {
	w := c.work
	var command [len(chunkRoom)]byte
	head := append(command[:0], "BDAT "...)
	head = strconv.AppendInt(head, int64(len(w.out)-len(chunkRoom)), 10)
	if last {
		head = append(head, " LAST"...)
	}
	head = append(head, "\r\n"...)
	begin = len(chunkRoom) - len(head)
	copy(w.out[begin:], head)
	c.traceLines(head)
	return begin
}

// sendChunk sends a chunk that is not the last and reads its reply.
func (c *Conn) sendChunk(x *exchange) *Error {
	w := c.work
	x.result.RoundTrips++
	c.info.RoundTrips++
	_, err := c.reader.conn.Write(w.out[x.begin:])
	w.out = w.out[:0]
	if err != nil {
		return c.interrupted(x, err)
	}
	x.progress()
	r, lost := c.reply(PhaseData)
	if lost != nil {
		c.settle(x, lost)
		return lost
	}
	if lost = c.readChunk(x, r); lost != nil {
		c.settle(x, lost)
		return lost
	}
	if x.failure == nil {
		return nil
	}
	c.settle(x, nil)
	return nil
}

// readChunk takes the reply to a chunk that is not the last.
func (c *Conn) readChunk(x *exchange, r Reply) *Error {
	switch {
	case r.Code >= 400:
		if err := c.noVerdict(x, PhaseBody, r); err != nil {
			return err
		}
	case !r.Positive():
		return c.astray(x, PhaseBody, r, "BDAT was not answered with a verdict")
	}
	return c.overheard(x, PhaseBody)
}
