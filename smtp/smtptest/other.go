package smtptest

import "bytes"

// help is a reply to HELP of several lines.
var help = Reply{214, "2.0.0 Commands: EHLO HELO MAIL RCPT DATA BDAT\n2.0.0 RSET NOOP QUIT STARTTLS AUTH VRFY HELP"}

// other answers the commands that have no part in sending mail, and what is no
// command.
func (s *session) other(verb string, arg []byte) error {
	reply := s.words.Unrecognized
	switch verb {
	case "VRFY":
		reply = Reply{252, "2.1.5 Cannot verify"}
		if len(bytes.TrimSpace(arg)) == 0 {
			reply = badSyntax
		}
	case "EXPN", "TURN", "SEND", "SOML", "SAML", "ETRN":
		reply = s.words.NotImplemented
	case "HELP":
		reply = help
	case "XCLIENT", "XFORWARD":
		reply = s.attributes(verb, arg)
	}
	v := s.judge(PhaseOther, arg, reply)
	if v.holds() && verb == "XCLIENT" {
		s.restart()
	}
	return s.answer(v)
}

// attributes are what Postfix's XCLIENT and XFORWARD tell about another client;
// they are believed and forgotten.
func (s *session) attributes(verb string, arg []byte) Reply {
	switch {
	case !s.server.offer.keywords[verb]:
		return s.words.Unrecognized
	case s.tx.open:
		return s.words.BadSequence
	case len(bytes.TrimSpace(arg)) == 0:
		return badSyntax
	case verb == "XCLIENT":
		return s.words.Greeting
	}
	return ok
}

// restart goes back to where the session was after the greeting.
func (s *session) restart() {
	s.hello, s.extended, s.authed, s.user = false, false, false, ""
	s.tx.clear()
}
