package smtptest

import "time"

var past = time.Unix(1, 0)

// cut makes the session end soon. It is called from other goroutines.
func (s *session) cut(how Closing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isCut {
		return
	}
	s.isCut, s.fate = true, how
	close(s.gone)
	s.link.SetReadDeadline(past)
}

// kill ends the session at once.
func (s *session) kill() {
	s.cut(CloseFIN)
	s.link.Conn.Close()
}

func (s *session) wasCut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isCut
}

// applyCut closes the way the one who cut wanted it.
func (s *session) applyCut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.isCut:
	case s.fate == CloseRST:
		s.ending = endRST
	case s.fate == CloseWith421:
		s.reply(Reply{421, "4.3.2 " + s.config.Name + " Service shutting down"})
	}
}

// setReadDeadline does not undo a cut.
func (s *session) setReadDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isCut {
		s.link.SetReadDeadline(t)
	}
}

// pause waits, unless the session is cut meanwhile.
func (s *session) pause(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.gone:
		return errEnd
	}
}
