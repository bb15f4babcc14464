package smtp

import (
	"errors"
	"os"
	"time"
)

// Alive reports, without a round trip, whether an idle connection seems usable:
// the server has neither closed it nor said anything unasked. One that is not
// is closed: a look at it may have taken what told so.
func (c *Conn) Alive() bool {
	if c.closed.Load() {
		return false
	}
	waiting, err := c.peek()
	switch {
	case err == nil && waiting == 0:
		return true
	case err == nil && !c.bare():
		err = c.onlyTickets()
	case err == nil:
		err = errUnasked
	}
	if err != nil {
		c.cut(err)
	}
	return err == nil
}

func (c *Conn) peek() (waiting int, err error) {
	if p, ok := c.link.Conn.(interface{ Peek() (int, error) }); ok {
		return p.Peek()
	}
	waiting, _, err = peekSocket(c.link.Conn)
	return waiting, err
}

// ticketPause is how long to wait for more once TLS has digested what waited.
const ticketPause = 2 * time.Millisecond

// onlyTickets reads what waits on a TLS connection: session tickets and key
// updates are no concern of ours, an alert or a 421 is the end. A read timeout
// does not harm crypto/tls.
func (c *Conn) onlyTickets() error {
	c.reader.conn.SetReadDeadline(time.Now().Add(ticketPause))
	var octet [1]byte
	_, err := c.reader.conn.Read(octet[:])
	switch {
	case err == nil:
		return errUnasked
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}
