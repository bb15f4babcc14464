package smtp

import (
	"errors"
	"net"
	"os"
	"time"
)

// link is the connection below TLS. It lets a slow write go on as long as the
// peer takes anything at all: crypto/tls cannot be used again after a write
// timeout, so the patience must sit below it.
type link struct {
	net.Conn
	stall   time.Duration // without any progress; 0: no limit
	sent    int64
	refused error // the first write error; what can still be read may tell the reason
}

// looks is how often a stalled write looks whether there was any progress: what
// a Write took is known only when it returns.
const looks = 8

func (l *link) Write(p []byte) (int, error) {
	written := 0
	progress := time.Now()
	for {
		if l.stall > 0 {
			l.Conn.SetWriteDeadline(time.Now().Add(l.stall / looks))
		}
		n, err := l.Conn.Write(p[written:])
		written += n
		l.sent += int64(n)
		if n > 0 {
			progress = time.Now()
		}
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(progress) >= l.stall {
			if err != nil && l.refused == nil {
				l.refused = err
			}
			return written, err
		}
	}
}

// bare reports whether a Write of this many octets says how many of them left:
// not so through TLS, with the server or a proxy, which may have sent whole records
// before it failed.
func (c *Conn) bare() bool { return c.reader.conn == net.Conn(c.link) }

// speakOver makes conn what is read and written from now on.
func (c *Conn) speakOver(conn net.Conn) {
	c.reader.conn = conn
}

// patientReader gives each reply its time as a whole, however slowly its octets
// drip in.
type patientReader struct {
	conn    net.Conn
	timeout time.Duration // 0: no limit
	armed   bool
}

// expect starts the time of the next reply. The clock is asked only if the
// reply is not here yet.
func (r *patientReader) expect(timeout time.Duration) { r.timeout, r.armed = timeout, false }

func (r *patientReader) Read(p []byte) (int, error) {
	if !r.armed {
		var deadline time.Time
		if r.timeout > 0 {
			deadline = time.Now().Add(r.timeout)
		}
		r.conn.SetReadDeadline(deadline)
		r.armed = true
	}
	return r.conn.Read(p)
}
