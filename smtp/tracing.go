package smtp

import "strconv"

func (c *Conn) traceSent(line string) {
	if t := c.config.Trace; t != nil && t.Sent != nil {
		t.Sent(line)
	}
}

// traceLines shows the command lines in b.
func (c *Conn) traceLines(b []byte) {
	if t := c.config.Trace; t == nil || t.Sent == nil {
		return
	}
	for len(b) > 0 {
		n := 0
		for n < len(b)-1 && !(b[n] == '\r' && b[n+1] == '\n') {
			n++
		}
		c.config.Trace.Sent(string(b[:n]))
		b = b[min(n+2, len(b)):]
	}
}

func (c *Conn) traceContent(octets int64) {
	if t := c.config.Trace; t != nil && t.Sent != nil {
		t.Sent("<" + strconv.FormatInt(octets, 10) + " octets>")
	}
}

func (c *Conn) traceReceived(r Reply) {
	if t := c.config.Trace; t != nil && t.Received != nil {
		t.Received(r)
	}
}

func (c *Conn) traceClosed(err error) {
	if t := c.config.Trace; t != nil && t.Closed != nil {
		t.Closed(err)
	}
}
