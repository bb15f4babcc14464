package smtp

import (
	"errors"
	"io"
	"time"
)

// load is the content of a carriage. It holds the last octet back until the
// message may be delivered: whoever has all octets may act before it has seen
// their end.
type load struct {
	t      *Transaction
	result *Result
	body   contentReader
	turn   chan struct{} // held by whoever reads: the source may take its time
	closed bool          // no more is given

	chunk    *chunk
	at, end  int  // what of chunk was not given yet
	last     bool // nothing follows what is in chunk
	gone     bool // the point of no return was passed
	complete bool // everything was given
	failed   error
}

var errLoadClosed = errors.New("smtp: the content was read after its submission had ended")

func (l *load) init(t *Transaction, result *Result) {
	l.t, l.result, l.turn = t, result, make(chan struct{}, 1)
	l.chunk = chunks.Get().(*chunk)
}

// Read implements [io.Reader].
func (l *load) Read(p []byte) (int, error) {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.closed {
		return 0, errLoadClosed
	}
	if l.failed == nil && !l.complete && len(p) > 0 {
		l.failed = l.fill()
	}
	if l.failed == nil && l.last && len(p) >= l.end-l.at {
		l.failed = l.commit()
	}
	switch {
	case l.failed != nil:
		return 0, l.failed
	case l.complete:
		return 0, io.EOF
	}
	n := l.give(p)
	if n == 0 && l.complete { // an empty content
		return 0, io.EOF
	}
	return n, nil
}

// fill makes sure that there is an octet to give beside the one held back.
func (l *load) fill() error {
	for !l.last && l.end-l.at < 2 {
		l.end = copy(l.chunk[:], l.chunk[l.at:l.end])
		l.at = 0
		n, err := l.take(l.chunk[l.end:])
		l.end += n
		if err != nil && err != io.EOF {
			return err
		}
		l.last = err == io.EOF
	}
	return nil
}

// take reads content, unless the transaction was withdrawn.
func (l *load) take(room []byte) (int, error) {
	if l.body.inMemory() {
		l.t.touching.Lock()
		defer l.t.touching.Unlock()
	}
	if l.t.withdrawn() {
		return 0, l.withdrawn()
	}
	return l.body.fill(room)
}

func (l *load) withdrawn() error {
	return &Error{Server: l.result.Server, Phase: PhaseBody, Class: ClassCanceled, Err: errWithdrawn}
}

func (l *load) give(p []byte) int {
	there := l.chunk[l.at:l.end]
	if !l.last {
		there = there[:len(there)-1]
	}
	n := copy(p, there)
	l.at += n
	l.result.Octets += int64(n)
	if l.last && l.at == l.end {
		l.complete = true
		l.result.ContentTime = max(time.Since(l.result.Started), 1)
	}
	if l.t.Progress != nil && n > 0 {
		l.t.Progress(l.result.Octets)
	}
	return n
}

// commit passes the point of no return, once.
func (l *load) commit() error {
	if l.gone {
		return nil
	}
	if l.t.Commit != nil {
		if err := l.t.Commit(); err != nil {
			return &Error{Server: l.result.Server, Phase: PhaseBody, Class: ClassCanceled, Err: err}
		}
	}
	if !l.t.commit() {
		return l.withdrawn()
	}
	l.gone = true
	return nil
}

// stop gives no more; a Read that is going on is waited for.
func (l *load) stop() {
	l.turn <- struct{}{}
	l.closed = true
	<-l.turn
}

// close releases the source.
func (l *load) close() {
	if err := l.body.close(); err != nil && l.failed == nil && !l.complete {
		l.failed = err
	}
	chunks.Put(l.chunk)
	l.chunk = nil
}
