package sink

import (
	"errors"
	"net"
	"sync"
	"time"
)

// delayed is a connection whose writes arrive late. They overtake nothing and
// wait side by side, as octets on a long line do, so that many flights can be
// under way at once. Its own greeting waits twice: connecting over a real line
// costs a round trip before the server can speak.
type delayed struct {
	net.Conn
	delay time.Duration
	line  chan parcel
	ended chan struct{}

	mu     sync.Mutex // no I/O while held
	first  bool
	closed bool
}

type parcel struct {
	due    time.Time
	octets []byte
}

var errLineFull = errors.New("sink: more writes in flight than any line holds")

// inFlight bounds how many writes wait on a line.
const inFlight = 4096

func newDelayed(nc net.Conn, delay time.Duration) *delayed {
	d := &delayed{Conn: nc, delay: delay, line: make(chan parcel, inFlight), ended: make(chan struct{}), first: true}
	go d.carry()
	return d
}

func (d *delayed) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, net.ErrClosed
	}
	delay := d.delay
	if d.first {
		delay, d.first = 2*d.delay, false
	}
	select {
	case d.line <- parcel{time.Now().Add(delay), append([]byte(nil), p...)}:
		return len(p), nil
	default:
		return 0, errLineFull
	}
}

// Close lets what is on the line arrive, then closes the connection.
func (d *delayed) Close() error {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.line)
	}
	d.mu.Unlock()
	<-d.ended
	return nil
}

func (d *delayed) carry() {
	defer close(d.ended)
	defer d.Conn.Close()
	for p := range d.line {
		time.Sleep(time.Until(p.due))
		if _, err := d.Conn.Write(p.octets); err != nil {
			d.abandon()
			return
		}
	}
}

func (d *delayed) abandon() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		close(d.line)
	}
}
