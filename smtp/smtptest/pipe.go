package smtptest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const defaultBuffer = 64 << 10

// PipeConn is one end of a connection in memory. It behaves as a TCP socket
// does: writes are buffered, deadlines are honoured, the other end reads what
// was written before a close or a reset, and the first write to an end that was
// closed is lost without an error. Waiting on it is durable for testing/synctest
// if it was made in the bubble. It is safe for concurrent use.
type PipeConn struct {
	in, out       *stream
	local, remote net.Addr
}

// Pipe returns the two ends of a connection in memory that holds 64 KB each way.
func Pipe() (client, server *PipeConn) { return PipeOf(defaultBuffer) }

// PipeOf returns the two ends of a connection that holds so many octets each
// way before a write waits; a negative number means any.
func PipeOf(octets int) (client, server *PipeConn) {
	up, down := newStream(octets), newStream(octets)
	c, s := memoryAddr("client"), memoryAddr("server")
	return &PipeConn{down, up, c, s}, &PipeConn{up, down, s, c}
}

type memoryAddr string

func (memoryAddr) Network() string  { return Memory }
func (a memoryAddr) String() string { return string(a) }

// LocalAddr returns the name of this end.
func (c *PipeConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the name of the other end.
func (c *PipeConn) RemoteAddr() net.Addr { return c.remote }

// Read reads what the other end has written.
func (c *PipeConn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.wrap("read", err)
}

// Write hands octets to the other end.
func (c *PipeConn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.wrap("write", err)
}

// Peek never waits. It tells how many octets can be read at once; when there
// are none, the error is that of a Read now: io.EOF once the other end has
// closed, nil while it is silent.
func (c *PipeConn) Peek() (waiting int, err error) { return c.in.peek() }

// CloseWrite sends a FIN: the other end reads io.EOF after what was written.
func (c *PipeConn) CloseWrite() error {
	c.out.finish()
	return nil
}

// Close closes both ways. The other end reads what was written, then io.EOF.
func (c *PipeConn) Close() error {
	c.out.finish()
	c.in.abandon()
	return nil
}

// Reset closes with a RST: the other end reads what was written, then
// syscall.ECONNRESET.
func (c *PipeConn) Reset() error {
	c.out.reset()
	c.out.finish()
	c.in.reset()
	c.in.abandon()
	return nil
}

// SetDeadline sets both deadlines.
func (c *PipeConn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

// SetReadDeadline ends reads with os.ErrDeadlineExceeded; zero means never.
func (c *PipeConn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

// SetWriteDeadline ends writes with os.ErrDeadlineExceeded; zero means never.
func (c *PipeConn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}

// gone reports whether the other end has closed or reset.
func (c *PipeConn) gone() bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.finished || c.in.broken
}

func (c *PipeConn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: Memory, Source: c.local, Addr: c.remote, Err: err}
}

// stream is one direction of a pipe.
type stream struct {
	mu        sync.Mutex
	change    sync.Cond
	octets    []byte
	start     int // of what was not read yet
	limit     int
	finished  bool // the writer has closed
	abandoned bool // the reader has closed
	broken    bool // reset
	lost      bool // something was written after the reader had closed
	reading   deadline
	writing   deadline
}

func newStream(limit int) *stream {
	s := &stream{limit: limit}
	s.change.L = &s.mu
	return s
}

func (s *stream) waiting() int { return len(s.octets) - s.start }

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if n, err := s.take(p); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		s.change.Wait()
	}
}

func (s *stream) take(p []byte) (int, error) {
	switch {
	case s.abandoned:
		return 0, net.ErrClosed
	case s.reading.passed:
		return 0, os.ErrDeadlineExceeded
	case s.waiting() == 0:
		return 0, s.end()
	}
	n := copy(p, s.octets[s.start:])
	s.start += n
	if s.start == len(s.octets) {
		s.octets, s.start = s.octets[:0], 0
	}
	s.change.Broadcast()
	return n, nil
}

// end is what a reader gets when there is nothing more to read now.
func (s *stream) end() error {
	switch {
	case s.broken:
		return os.NewSyscallError("read", syscall.ECONNRESET)
	case s.finished:
		return io.EOF
	}
	return nil
}

func (s *stream) peek() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abandoned {
		return 0, net.ErrClosed
	}
	if n := s.waiting(); n > 0 {
		return n, nil
	}
	return 0, s.end()
}

func (s *stream) write(p []byte) (done int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		n, err := s.put(p[done:])
		done += n
		if err != nil || done == len(p) {
			return done, err
		}
		s.change.Wait()
	}
}

func (s *stream) put(p []byte) (int, error) {
	switch {
	case s.finished:
		return 0, net.ErrClosed
	case s.writing.passed:
		return 0, os.ErrDeadlineExceeded
	case s.broken:
		return 0, os.NewSyscallError("write", syscall.ECONNRESET)
	case s.abandoned && s.lost:
		return 0, os.NewSyscallError("write", syscall.EPIPE)
	case s.abandoned:
		s.lost = true
		return len(p), nil
	}
	if s.limit >= 0 {
		p = p[:min(len(p), max(s.limit-s.waiting(), 0))]
	}
	if len(p) > 0 {
		s.compact()
		s.octets = append(s.octets, p...)
		s.change.Broadcast()
	}
	return len(p), nil
}

// compact keeps the buffer from growing by what was read already.
func (s *stream) compact() {
	if s.start > len(s.octets)/2 {
		s.octets = s.octets[:copy(s.octets, s.octets[s.start:])]
		s.start = 0
	}
}

func (s *stream) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = true
	s.change.Broadcast()
	s.writing.stop()
}

func (s *stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned = true
	s.change.Broadcast()
	s.reading.stop()
}

func (s *stream) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
	s.change.Broadcast()
}

func (s *stream) setReadDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading.set(s, t)
}

func (s *stream) setWriteDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing.set(s, t)
}

// deadline of one direction; its stream's mutex guards it.
type deadline struct {
	timer  *time.Timer
	passed bool
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) set(s *stream, t time.Time) {
	d.stop()
	wait := time.Until(t)
	d.passed = !t.IsZero() && wait <= 0
	if d.passed {
		s.change.Broadcast()
	}
	if t.IsZero() || d.passed {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.timer == timer { // else a later deadline took its place
			d.passed = true
			s.change.Broadcast()
		}
	})
	d.timer = timer
}
