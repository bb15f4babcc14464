package smtptest

import (
	"bytes"
)

var (
	badSyntax = Reply{501, "5.5.4 Syntax error in the arguments"}
	ok        = Reply{250, "2.0.0 Ok"}

	unknownHello = Reply{500, "5.5.1 Command not recognized"}
)

// command carries out one command line.
func (s *session) command(line []byte) error {
	text, clean := bytes.CutSuffix(line, []byte("\r\n"))
	if !clean && s.config.Quirks.RefuseBareLF {
		s.reply(bareLF)
		return errEnd
	}
	if !clean || bytes.ContainsAny(text, "\r\x00") {
		return s.answer(verdict{reply: Reply{500, "5.5.2 Bare CR, bare LF or NUL in a command"}})
	}
	verb, arg, _ := bytes.Cut(text, []byte(" "))
	var room [9]byte // one more than the longest verb, so that none longer fits
	name := verbName(upper(room[:0], verb))
	s.verb, s.arg = name, nil
	s.recordCommand(name, text)
	if end, err := s.unsynchronised(name); end {
		return err
	}
	return s.dispatch(name, arg)
}

func (s *session) dispatch(verb string, arg []byte) error {
	switch verb {
	case "MAIL":
		return s.mail(arg)
	case "RCPT":
		return s.rcpt(arg)
	case "DATA":
		return s.data(arg)
	case "BDAT":
		return s.bdat(arg)
	case "RSET":
		return s.rset()
	case "EHLO", "HELO", "LHLO":
		return s.greet(verb, arg)
	case "NOOP":
		return s.answer(s.judge(PhaseNOOP, arg, s.words.Noop))
	case "QUIT":
		return s.quit()
	case "STARTTLS":
		return s.startTLS(arg)
	case "AUTH":
		return s.auth(arg)
	}
	return s.other(verb, arg)
}

// verbName is a string without an allocation for the verbs that come often.
func verbName(verb []byte) string {
	switch string(verb) {
	case "MAIL":
		return "MAIL"
	case "RCPT":
		return "RCPT"
	case "DATA":
		return "DATA"
	case "BDAT":
		return "BDAT"
	case "RSET":
		return "RSET"
	}
	return string(verb)
}

// upper appends b in upper case: no more of it than any verb has.
func upper(to, b []byte) []byte {
	for _, c := range b[:min(len(b), cap(to))] {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

func (s *session) recordCommand(verb string, text []byte) {
	if verb == "AUTH" {
		words := bytes.Fields(text)
		text = bytes.Join(words[:min(len(words), 2)], []byte(" "))
	}
	s.record('C', text)
}

// unsynchronised ends the session if something waits behind a command where
// the server does not stand for it.
func (s *session) unsynchronised(verb string) (bool, error) {
	q := &s.config.Quirks
	if s.in.waiting() == 0 {
		return false, nil
	}
	last := false
	switch verb {
	case "DATA", "EHLO", "HELO", "LHLO", "STARTTLS", "NOOP":
		last = q.StrictSync
	case "AUTH":
		last = q.AuthAlone
	}
	switch {
	case q.RejectPipelining:
		s.reply(s.words.Pipelining)
	case last:
		s.reply(Reply{554, "5.5.0 Error: SMTP protocol synchronization"})
	default:
		return false, nil
	}
	return true, errEnd
}

func (s *session) greet(verb string, arg []byte) error {
	reply := ok
	switch {
	case s.config.LMTP != (verb == "LHLO"):
		reply = unknownHello // RFC 2033 §4.1
	case verb == "EHLO" && s.config.NoEHLO:
		reply = Reply{502, "Command not recognized"}
	case len(bytes.TrimSpace(arg)) == 0 || bytes.ContainsAny(arg, " \t"):
		reply = badSyntax
	case verb != "HELO":
		s.client = string(arg)
		reply = s.ehlo()
	default:
		reply.Text = s.words.Hello
		s.client = string(arg)
	}
	v := s.judge(PhaseEHLO, arg, reply)
	if v.holds() {
		s.hello, s.extended = true, verb != "HELO"
		s.tx.clear()
		s.ledger.note(func(c *ConnectionInfo) { c.Hello = s.client })
	}
	return s.answer(v)
}

func (s *session) rset() error {
	reply := s.words.Rset
	if s.config.Quirks.RefuseRSET {
		reply = s.words.NotImplemented
	}
	v := s.judge(PhaseRSET, nil, reply)
	if v.holds() {
		s.tx.clear()
	}
	return s.answer(v)
}

func (s *session) quit() error {
	v := s.judge(PhaseQUIT, nil, s.words.Quit)
	if err := s.answer(v); err != nil || v.holds() {
		return errEnd
	}
	return nil
}

func (s *session) startTLS(arg []byte) error {
	reply := s.words.StartTLS
	switch {
	case !s.offersStartTLS():
		reply = s.words.NotImplemented
	case len(arg) > 0:
		reply = badSyntax
	case s.in.waiting() > 0:
		s.reply(Reply{554, "5.5.0 Something came behind STARTTLS"})
		return errEnd
	}
	v := s.judge(PhaseSTARTTLS, nil, reply)
	err := s.answer(v)
	if err != nil || !v.holds() {
		return err
	}
	if err := s.await(); err != nil {
		return err
	}
	s.hello, s.extended = false, false // RFC 3207 §4.2
	s.tx.clear()
	return s.handshake()
}
