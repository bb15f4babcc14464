package smtptest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a running server. Its methods are safe for concurrent use. A server
// on the memory network that is used in a testing/synctest bubble is made there.
type Server struct {
	config   Config
	offer    offer
	tls      *tls.Config // nil without TLS
	listener net.Listener
	faults   *faults
	words    Replies
	limits   []*allowance // of messages
	logins   *allowance
	ids      atomic.Int64  // for Replies.QueueID
	slots    chan struct{} // connections that may be open; nil without QueueConnections
	closing  chan struct{}
	maildir  *maildir // nil without
	messages atomic.Int64
	running  sync.WaitGroup // the accept loop and the sessions

	mu       sync.Mutex
	closed   bool
	sessions map[*session]struct{}
	ledgers  []*ledger
	folded   Stats // of ledgers not kept
	count    int   // connections ever
	peak     int
	errs     []error // where the client left a script
}

// NewServer starts a server. It panics if it cannot listen.
func NewServer(config Config) *Server {
	s, err := Listen(config)
	if err != nil {
		panic(err.Error())
	}
	return s
}

// Listen starts a server.
func Listen(config Config) (*Server, error) {
	s := &Server{
		config:   config,
		faults:   newFaults(config.Faults, config.Seed),
		sessions: map[*session]struct{}{},
		limits:   messageAllowances(config.Limits),
		logins:   newAllowance(config.Limits.Logins, tooManyLogins),
		closing:  make(chan struct{}),
	}
	if most := config.Limits.Connections; config.Quirks.QueueConnections && most > 0 {
		s.slots = make(chan struct{}, most)
	}
	if s.config.Name == "" {
		s.config.Name = "mx.example.com"
	}
	s.words = s.config.words()
	s.offer = newOffer(s.config)
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("smtptest: %w", err)
	}
	s.running.Go(s.accept)
	return s, nil
}

func (s *Server) prepare() (err error) {
	if s.tls, err = serverTLS(s.config); err != nil {
		return err
	}
	if s.config.Maildir != "" {
		if s.maildir, err = openMaildir(s.config.Maildir); err != nil {
			return err
		}
	}
	s.listener, err = listen(s.config)
	return err
}

// Addr returns host:port, or the path of a UNIX socket.
func (s *Server) Addr() string { return s.listener.Addr().String() }

func (s *Server) accept() {
	for s.acquire() {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(5 * time.Millisecond) // out of descriptors: others may close some
			s.release()
			continue
		}
		if tcp, isTCP := conn.(*net.TCPConn); isTCP && s.config.Buffer > 0 {
			tcp.SetReadBuffer(s.config.Buffer)
		}
		s.admit(conn)
	}
}

// acquire waits until one more connection may be open; false: the server closes.
func (s *Server) acquire() bool {
	if s.slots == nil {
		return true
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-s.closing:
		return false
	}
}

func (s *Server) release() {
	if s.slots != nil {
		<-s.slots
	}
}

// admit counts a connection and starts its session.
func (s *Server) admit(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return
	}
	s.count++
	sess := newSession(s, conn, s.count)
	s.sessions[sess] = struct{}{}
	open := s.openNow()
	sess.crowded = s.config.Limits.Connections > 0 && open > s.config.Limits.Connections
	s.peak = max(s.peak, open)
	s.ledgers = append(s.ledgers, sess.ledger)
	s.running.Go(func() {
		sess.run()
		s.forget(sess)
	})
}

// openNow counts connections that neither side has closed. In memory the
// client's close counts at once; over TCP, when it was read.
func (s *Server) openNow() int {
	open := 0
	for sess := range s.sessions {
		pipe, inMemory := sess.link.Conn.(*PipeConn)
		if !sess.ended.Load() && !(inMemory && pipe.gone()) {
			open++
		}
	}
	return open
}

// crowded reports whether enough older connections are open to fill the limit.
func (s *Server) crowded(sess *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	older := 0
	for other := range s.sessions {
		if other.number < sess.number && !other.ended.Load() {
			older++
		}
	}
	return older >= s.config.Limits.Connections
}

func (s *Server) forget(sess *session) {
	now := time.Now()
	sess.ledger.note(func(c *ConnectionInfo) { c.Closed = now })
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sess)
	s.release()
	if s.config.CountOnly {
		s.fold(sess.ledger)
	}
}

func (s *Server) fold(l *ledger) {
	s.folded.add(l.stats())
	for i := range s.ledgers {
		if s.ledgers[i] == l {
			last := len(s.ledgers) - 1
			s.ledgers[i] = s.ledgers[last]
			s.ledgers = s.ledgers[:last]
			return
		}
	}
}

// Err returns where clients left their scripts, joined; nil if nowhere.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.errs...)
}

func (s *Server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// Closing is how [Server.CloseConnections] closes.
type Closing uint8

// The ways to close.
const (
	CloseFIN     Closing = iota // without a word
	CloseRST                    // with a reset
	CloseWith421                // reply 421, then FIN
)

// CloseConnections closes every connection.
func (s *Server) CloseConnections(how Closing) {
	for _, sess := range s.open(func(*session) bool { return true }) {
		sess.cut(how)
	}
}

// DropIdle closes the connections on which the server waits for a command
// outside a transaction.
func (s *Server) DropIdle(how Closing) {
	for _, sess := range s.open(func(sess *session) bool { return sess.idle.Load() }) {
		sess.cut(how)
	}
}

func (s *Server) open(which func(*session) bool) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*session
	for sess := range s.sessions {
		if which(sess) {
			all = append(all, sess)
		}
	}
	return all
}

// Close stops listening, cuts every connection and returns when all has ended;
// after 5 seconds it logs what it waits for. It may be called again.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		close(s.closing)
	}
	s.closed = true
	s.mu.Unlock()
	err := s.listener.Close()
	for _, sess := range s.open(func(*session) bool { return true }) {
		sess.kill()
	}
	slow := time.AfterFunc(5*time.Second, s.logOpen)
	s.running.Wait()
	slow.Stop()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) logOpen() {
	for _, sess := range s.open(func(*session) bool { return true }) {
		log.Printf("smtptest: Close has waited 5 s for connection %d from %v", sess.number, sess.link.RemoteAddr())
	}
}
