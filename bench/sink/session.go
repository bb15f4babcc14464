package sink

import (
	"bufio"
	"bytes"
	"io"
	"net"
)

// session is one connection. It reads ahead and replies late: replies leave
// when there is nothing left to read, so that a group is answered at once.
type session struct {
	sink    *Sink
	conn    net.Conn
	r       *bufio.Reader
	replies []byte
	warm    bool // among the replies are some that belong to a transaction

	greeted, mail, rcpt bool
}

const bufferSize = 64 << 10

func newSession(sink *Sink, nc net.Conn) *session {
	s := &session{sink: sink, conn: nc}
	s.r = bufio.NewReaderSize(flusher{s}, bufferSize)
	return s
}

// flusher sends the replies before anything may block on reading.
type flusher struct{ *session }

func (f flusher) Read(p []byte) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.conn.Read(p)
}

func (s *session) flush() error {
	if len(s.replies) == 0 {
		return nil
	}
	if s.warm {
		s.sink.flights.Add(1)
		s.warm = false
	}
	_, err := s.conn.Write(s.replies)
	s.replies = s.replies[:0]
	return err
}

func (s *session) run() error {
	s.reply("220 sink.example.org ESMTP\r\n")
	for {
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		quit, err := s.command(bytes.TrimRight(line, "\r\n"))
		if err != nil {
			return err
		}
		if quit {
			return s.flush()
		}
	}
}

func (s *session) reply(text string) { s.replies = append(s.replies, text...) }

func (s *session) ok() {
	s.warm = true
	s.reply("250 2.0.0 OK\r\n")
}

func (s *session) refuse(text string) {
	s.sink.refused.Add(1)
	s.reply(text)
}

func (s *session) command(line []byte) (quit bool, err error) {
	verb, _, _ := bytes.Cut(line, []byte(" "))
	switch string(bytes.ToUpper(verb)) {
	case "EHLO":
		s.greeted, s.mail, s.rcpt = true, false, false
		s.reply("250-sink.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 104857600\r\n250 ENHANCEDSTATUSCODES\r\n")
	case "HELO":
		s.greeted, s.mail, s.rcpt = true, false, false
		s.reply("250 sink.example.org\r\n")
	case "MAIL":
		if !s.greeted || s.mail {
			s.refuse("503 5.5.1 MAIL out of order\r\n")
			break
		}
		s.mail = true
		s.ok()
	case "RCPT":
		if !s.mail {
			s.refuse("503 5.5.1 RCPT before MAIL\r\n")
			break
		}
		s.rcpt = true
		s.ok()
	case "DATA":
		return false, s.data()
	case "RSET":
		s.mail, s.rcpt = false, false
		s.ok()
	case "NOOP":
		s.ok()
	case "QUIT":
		s.reply("221 2.0.0 Bye\r\n")
		return true, nil
	default:
		s.refuse("500 5.5.2 Unknown command\r\n")
	}
	return false, nil
}

func (s *session) data() error {
	if !s.rcpt {
		s.refuse("503 5.5.1 DATA before RCPT\r\n")
		return nil
	}
	s.warm = true
	s.reply("354 Go ahead\r\n")
	n, err := skipContent(s.r)
	if err != nil {
		return err
	}
	s.sink.octets.Add(n)
	s.sink.messages.Add(1)
	s.mail, s.rcpt = false, false
	s.ok()
	return nil
}

var terminator = []byte("\r\n.\r\n")

// skipContent reads up to and including the final dot.
func skipContent(r *bufio.Reader) (octets int64, err error) {
	// An empty content is a dot alone: the line end before it is DATA's.
	if start, err := r.Peek(3); err != nil {
		return 0, err
	} else if string(start) == ".\r\n" {
		_, err := r.Discard(3)
		return 3, err
	}
	for {
		buffered, _ := r.Peek(r.Buffered())
		if i := bytes.Index(buffered, terminator); i >= 0 {
			n, err := r.Discard(i + len(terminator))
			return octets + int64(n), err
		}
		// Keep what may be the beginning of the terminator.
		n, err := r.Discard(max(0, len(buffered)-len(terminator)+1))
		octets += int64(n)
		if err != nil {
			return octets, err
		}
		if _, err := r.Peek(r.Buffered() + 1); err != nil {
			return octets, noEOF(err)
		}
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
