package smtptest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// errEnd ends a session; how is in session.ending.
var errEnd = errors.New("smtptest: session ended")

// session is the server's side of one connection. Its goroutine owns all fields
// but the atomic ones and those behind the mutex.
type session struct {
	server  *Server
	config  *Config
	words   *Replies
	number  int
	ledger  *ledger
	link    *link
	conn    net.Conn // link, or TLS above it
	secure  *tls.Conn
	in      input
	out     []byte // replies not written yet
	seen    [phaseCount]int
	verb    string // of the command that is carried out, as far as it is known
	arg     []byte // what the reply is about: an address, a Message-ID
	scratch []byte // for replies that are filled in
	id      int64  // of the message, where Replies.QueueID shapes it

	crowded  bool   // over the limit of connections
	hello    bool   // EHLO, HELO or LHLO was accepted
	client   string // what the client called itself
	extended bool   // it was EHLO or LHLO
	user     string
	authed   bool
	errors   int // refusals so far
	mails    int // MAIL commands accepted
	tx       transaction
	ending   ending
	halted   bool // stalled: never speak again
	watched  bool // a read has a deadline of its own

	idle  atomic.Bool   // waits for a command outside a transaction
	ended atomic.Bool   // the server is closing, or has closed
	gone  chan struct{} // closed when the connection is cut from outside

	mu    sync.Mutex
	fate  Closing // how it was cut
	isCut bool
}

func newSession(s *Server, conn net.Conn, number int) *session {
	l := &ledger{info: ConnectionInfo{Number: number, Opened: time.Now(), Client: conn.RemoteAddr().String()}}
	sess := &session{server: s, config: &s.config, words: &s.words, number: number, ledger: l, gone: make(chan struct{})}
	sess.link = newLink(conn, l, s.config.Latency)
	sess.conn = sess.link
	sess.in = input{source: sess.link, wait: sess.await}
	sess.newID()
	return sess
}

// run speaks until the session ends, then closes the connection.
func (s *session) run() {
	s.in.octets = make([]byte, inputSize)
	if len(s.config.Scripts) > 0 {
		s.play()
	} else if s.open() == nil {
		s.converse()
	}
	s.ended.Store(true)
	s.idle.Store(false)
	s.applyCut()
	if s.ending == endFIN {
		s.flush()
		if s.secure != nil && !s.halted {
			s.secure.CloseWrite()
		}
	}
	s.link.end(s.ending)
}

// converse carries out commands until the session ends.
func (s *session) converse() {
	for {
		err := s.next()
		if err == nil {
			continue
		}
		if s.config.Timeout > 0 && errors.Is(err, os.ErrDeadlineExceeded) && !s.wasCut() {
			s.reply(s.words.Timeout)
		}
		return
	}
}

// open does what comes before the first command.
func (s *session) open() error {
	if err := s.strike(PhaseConnect); err != nil {
		return err
	}
	if s.config.TLS == TLSImplicit {
		if err := s.handshake(); err != nil {
			return err
		}
	}
	if err := s.waitToGreet(); err != nil {
		return err
	}
	greeting := s.words.Greeting
	if s.crowded && !s.config.Quirks.CrowdedAtFinal {
		greeting = s.words.TooManyConnections
	}
	v := s.judge(PhaseGreeting, nil, greeting)
	if err := s.answer(v); err != nil || v.reply.refuses() {
		return errEnd
	}
	return nil
}

// waitToGreet waits for GreetingDelay; a client that talks meanwhile is early.
func (s *session) waitToGreet() error {
	if s.config.Quirks.EarlyTalker.Code == 0 || s.config.GreetingDelay <= 0 {
		return s.pause(s.config.GreetingDelay)
	}
	err := s.fillWithin(s.config.GreetingDelay)
	if errors.Is(err, os.ErrDeadlineExceeded) && !s.wasCut() {
		return nil
	}
	if err != nil {
		return err
	}
	s.reply(s.config.Quirks.EarlyTalker)
	return errEnd
}

func (s *session) handshake() error {
	if err := s.strike(PhaseTLS); err != nil {
		return err
	}
	secure := tls.Server(s.link, s.server.tls)
	if err := secure.Handshake(); err != nil {
		return err
	}
	s.secure, s.conn, s.in.source = secure, secure, secure
	s.ledger.note(func(c *ConnectionInfo) { c.TLS, c.Resumed = true, secure.ConnectionState().DidResume })
	return nil
}

// next reads a command and carries it out.
func (s *session) next() error {
	outside := s.hello && !s.tx.open
	if outside && s.in.waiting() == 0 {
		if err := s.rest(); err != nil {
			return err
		}
	}
	line, err := s.in.line()
	if errors.Is(err, errLongLine) {
		s.reply(Reply{500, "5.5.6 Line too long"})
		return errEnd
	}
	if err != nil {
		return err
	}
	if limit := s.config.Quirks.LineLimit; limit > 0 && len(line) > limit {
		s.reply(Reply{521, "5.5.6 Command line too long"})
		return errEnd
	}
	s.ledger.commands.Add(1)
	return s.command(line)
}

// rest waits outside a transaction, where a fault may be due.
func (s *session) rest() error {
	s.idle.Store(true)
	defer s.idle.Store(false)
	fault := s.strikes(PhaseIdle)
	if fault == nil {
		return s.in.fill()
	}
	err := s.fillWithin(fault.Quiet)
	if !errors.Is(err, os.ErrDeadlineExceeded) || s.wasCut() {
		return err
	}
	return s.misbehave(fault, fault.Reply)
}

// fillWithin reads more, or fails with os.ErrDeadlineExceeded.
func (s *session) fillWithin(d time.Duration) error {
	s.watched = true
	s.setReadDeadline(time.Now().Add(d))
	err := s.in.fill()
	s.setReadDeadline(time.Time{})
	s.watched = false
	return err
}

// await runs before each read that may block: everything said so far leaves.
func (s *session) await() error {
	if len(s.out) > 0 {
		s.ledger.roundTrips.Add(1)
	}
	if limit := s.config.Timeout; limit > 0 && !s.watched {
		s.setReadDeadline(time.Now().Add(limit))
	}
	return s.flush()
}

// flush writes the replies gathered.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	var err error
	if s.config.Quirks.SplitReplies {
		err = s.writeApart(s.out, 0)
	} else {
		s.ledger.flights.Add(1)
		_, err = s.conn.Write(s.out)
	}
	s.out = s.out[:0]
	return err
}

// writeApart writes each octet by itself.
func (s *session) writeApart(b []byte, pause time.Duration) error {
	for i := range b {
		s.ledger.flights.Add(1)
		if _, err := s.conn.Write(b[i : i+1]); err != nil {
			return err
		}
		if err := s.pause(pause); err != nil {
			return err
		}
	}
	return nil
}

// reply gathers a reply.
func (s *session) reply(r Reply) {
	if (!s.server.offer.enhanced || !s.extended) && !s.config.Quirks.EnhancedAnyway {
		r.Text = withoutEnhanced(r.Text)
	}
	if strings.IndexByte(r.Text, '{') >= 0 {
		r.Text = s.fillIn(r.Text)
	}
	if s.config.Quirks.MultilineReplies {
		r.Text = "first line\nsecond line\n" + r.Text
	}
	start := len(s.out)
	s.out = appendReply(s.out, r)
	s.record('S', s.out[start:])
}

// record notes what was said in the transcript.
func (s *session) record(who byte, lines []byte) {
	if !s.config.Transcripts {
		return
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	for line := range bytes.Lines(lines) {
		s.ledger.transcript = append(s.ledger.transcript, who, ':', ' ')
		s.ledger.transcript = append(s.ledger.transcript, bytes.TrimRight(line, "\r\n")...)
		s.ledger.transcript = append(s.ledger.transcript, '\n')
	}
}

// Transcript returns the dialogue on a connection (ConnectionInfo.Number), lines
// starting with "S: " or "C: ", secrets and contents left out. It is empty
// without Config.Transcripts.
func (s *Server) Transcript(connection int) string {
	var text string
	s.eachLedger(func(l *ledger) {
		if l.info.Number == connection {
			text = string(l.transcript)
		}
	})
	return text
}
