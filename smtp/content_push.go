package smtp

import (
	"errors"
	"io"
)

var errContentStopped = errors.New("smtp: the transaction ended before the content")

// pushReader reads what an io.WriterTo writes, without a buffer between: Write
// copies into the room that Read offers and waits when it is full.
//
// It is a goroutine and not iter.Pull because the goroutine that prepares a
// content is not the one that sends it: a coroutine crashes the process if one
// of them is locked to a thread and the other is not, or if WriteTo writes from
// a goroutine of its own.
type pushReader struct {
	from io.WriterTo
	room chan []byte // from Read to Write; closed by Close
	gave chan int    // from Write to Read; closed when WriteTo has returned
	err  error       // io.EOF or why it failed; set before gave is closed
	last int         // octets given since the last room; likewise

	panicked any
	ended    bool
}

// Read passes on a panic of WriteTo.
func (p *pushReader) Read(b []byte) (int, error) {
	if p.ended {
		return 0, p.err
	}
	if p.room == nil {
		p.room, p.gave = make(chan []byte), make(chan int)
		go p.run(&pushWriter{room: p.room, gave: p.gave})
	}
	p.room <- b
	if n, more := <-p.gave; more {
		return n, nil
	}
	p.ended = true
	if p.panicked != nil {
		p.err = panicError(p.panicked)
		panic(p.panicked)
	}
	return p.last, p.err
}

// Close makes Write fail and waits for WriteTo to return.
func (p *pushReader) Close() error {
	if p.room != nil && !p.ended {
		p.ended, p.err = true, errContentStopped
		close(p.room)
		<-p.gave
	}
	return nil
}

func (p *pushReader) run(w *pushWriter) {
	err := errors.New("WriteTo ended its goroutine")
	defer func() {
		p.panicked = recover()
		p.last = w.n
		if !w.stopped {
			p.err = err
		}
		w.dst, w.stopped = nil, true // the room is the reader's again
		close(p.gave)
	}()
	w.dst = <-w.room
	if _, err = p.from.WriteTo(w); err == nil {
		err = io.EOF
	}
}

// pushWriter is what WriteTo writes to.
type pushWriter struct {
	room    <-chan []byte
	gave    chan<- int
	dst     []byte
	n       int // octets in dst
	stopped bool
}

func (w *pushWriter) Write(b []byte) (n int, err error) {
	for !w.stopped {
		c := copy(w.dst[w.n:], b[n:])
		n, w.n = n+c, w.n+c
		if n == len(b) {
			return n, nil
		}
		w.gave <- w.n
		dst, open := <-w.room
		w.dst, w.n, w.stopped = dst, 0, !open
	}
	return n, errContentStopped
}
