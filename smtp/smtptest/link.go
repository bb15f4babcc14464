package smtptest

import (
	"io"
	"net"
	"sync"
	"time"
)

// lingering is how long a connection that was closed towards the client still
// swallows what the client says. Without it, a TCP stack answers with a RST
// that may overtake the last reply.
const lingering = time.Second

// ending is how a connection is closed.
type ending uint8

const (
	endFIN ending = iota
	endRST
)

// link is the connection below TLS. It counts octets and adds latency.
type link struct {
	net.Conn
	ledger *ledger
	late   *delayLine // nil without latency
}

func newLink(conn net.Conn, l *ledger, latency time.Duration) *link {
	k := &link{Conn: conn, ledger: l}
	if latency > 0 {
		k.late = newDelayLine(conn, latency)
	}
	return k
}

func (k *link) Read(p []byte) (int, error) {
	n, err := k.Conn.Read(p)
	k.ledger.octetsIn.Add(int64(n))
	return n, err
}

func (k *link) Write(p []byte) (int, error) {
	k.ledger.octetsOut.Add(int64(len(p)))
	if k.late != nil {
		return k.late.write(p)
	}
	return k.Conn.Write(p)
}

// end closes the connection behind all that was written, and returns when the
// client has closed too, or after a second.
func (k *link) end(how ending) {
	if k.late != nil {
		k.late.finish() // what was written arrives first
	}
	if how == endRST {
		reset(k.Conn)
		return
	}
	if w, ok := k.Conn.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		k.Conn.SetReadDeadline(time.Now().Add(lingering))
		io.Copy(io.Discard, k.Conn)
	}
	k.Conn.Close()
}

func reset(conn net.Conn) {
	switch c := conn.(type) {
	case *PipeConn:
		c.Reset()
		return
	case *net.TCPConn:
		c.SetLinger(0) // makes Close send a RST
	}
	conn.Close()
}

// delayLine delivers each write after the same time; writes overlap on the way.
type delayLine struct {
	conn    net.Conn
	latency time.Duration
	wake    chan struct{} // something was queued
	done    chan struct{} // the goroutine has ended

	mu       sync.Mutex
	flights  []flight
	finished bool
	err      error
}

type flight struct {
	due    time.Time
	octets []byte
}

func newDelayLine(conn net.Conn, latency time.Duration) *delayLine {
	d := &delayLine{conn: conn, latency: latency, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go d.run()
	return d
}

func (d *delayLine) write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return 0, d.err
	}
	d.flights = append(d.flights, flight{time.Now().Add(d.latency), append([]byte(nil), p...)})
	d.signal()
	return len(p), nil
}

// finish waits until everything was delivered.
func (d *delayLine) finish() {
	d.mu.Lock()
	d.finished = true
	d.flights = append(d.flights, flight{due: time.Now().Add(d.latency)}) // the FIN travels too
	d.signal()
	d.mu.Unlock()
	<-d.done
}

func (d *delayLine) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *delayLine) run() {
	defer close(d.done)
	for {
		flights, finished := d.take()
		for _, f := range flights {
			time.Sleep(time.Until(f.due))
			if _, err := d.conn.Write(f.octets); err != nil {
				d.fail(err)
			}
		}
		if len(flights) > 0 {
			continue
		}
		if finished {
			return
		}
		<-d.wake
	}
}

func (d *delayLine) take() ([]flight, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	flights := d.flights
	d.flights = nil
	return flights, d.finished
}

func (d *delayLine) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}
