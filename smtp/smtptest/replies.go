package smtptest

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Replies are the server's own words where it does not say no by a fault,
// Config.Reject or a limit with a reply of its own. What is zero has the
// ordinary words of this package.
//
// In every reply, those of faults included, these are filled in: {name} of the
// server, {hello}, what the client calls itself, {client}, its address, {id},
// the queue id, {verb}, the command, {arg}, what it was about (an address, a
// Message-ID), {date} and {time}, in seconds.
type Replies struct {
	// Hello is the first line of the reply to EHLO, and the reply to HELO; default {name}.
	Hello string
	// QueueID is the form of {id}: its run of # is a number in as many digits or
	// more, another for each message of the server. Default: C, the number of the
	// connection, M, the number of the message on it.
	QueueID string

	Greeting           Reply // 220
	TooManyConnections Reply // 421 4.7.0, instead of the greeting
	StartTLS           Reply // 220 2.0.0
	TLSRequired        Reply // 530 5.7.0, see Config.RequireTLS
	LoggedIn           Reply // 235 2.7.0; for the contrary see Auth.Refused
	AuthRequired       Reply // 530 5.7.0, see Auth.Required
	Mail               Reply // 250 2.1.0
	Rcpt               Reply // 250 2.1.5
	UnknownRecipient   Reply // 550 5.1.1, see Config.UnknownRecipients
	TooManyRecipients  Reply // 452 4.5.3
	NoRecipients       Reply // 554 5.5.1, to DATA; 503 5.5.1 with LMTP
	Data               Reply // 354
	Accepted           Reply // 250 2.0.0, with {id}
	TooLarge           Reply // 552 5.3.4, to MAIL or at the end
	Rset               Reply // 250 2.0.0
	Noop               Reply // 250 2.0.0
	Quit               Reply // 221 2.0.0
	Timeout            Reply // 421 4.4.2, see Config.Timeout
	TooManyErrors      Reply // 421 4.7.0, see Quirks.ErrorLimit
	BadSequence        Reply // 503 5.5.1
	Unrecognized       Reply // 502 5.5.2
	NotImplemented     Reply // 502 5.5.1
	Pipelining         Reply // 500 5.5.1, see Quirks.RejectPipelining
}

// words are the replies with what LMTP says otherwise.
func (c *Config) words() Replies {
	r := c.Replies
	if c.LMTP {
		r.Greeting = r.Greeting.or(Reply{220, "{name} LMTP smtptest"})
		r.NoRecipients = r.NoRecipients.or(Reply{503, "5.5.1 No valid recipients"}) // RFC 2033 §4.2
	}
	return r.withDefaults()
}

func (r Replies) withDefaults() Replies {
	if r.Hello == "" {
		r.Hello = "{name}"
	}
	r.Greeting = r.Greeting.or(Reply{220, "{name} ESMTP smtptest"})
	r.TooManyConnections = r.TooManyConnections.or(Reply{421, "4.7.0 {name} Too many connections"})
	r.StartTLS = r.StartTLS.or(Reply{220, "2.0.0 Ready to start TLS"})
	r.TLSRequired = r.TLSRequired.or(Reply{530, "5.7.0 Must issue a STARTTLS command first"})
	r.LoggedIn = r.LoggedIn.or(Reply{235, "2.7.0 Authentication successful"})
	r.AuthRequired = r.AuthRequired.or(Reply{530, "5.7.0 Authentication required"})
	r.Mail = r.Mail.or(Reply{250, "2.1.0 Sender ok"})
	r.Rcpt = r.Rcpt.or(Reply{250, "2.1.5 Recipient ok"})
	r.UnknownRecipient = r.UnknownRecipient.or(Reply{550, "5.1.1 <{arg}>: No such user"})
	r.TooManyRecipients = r.TooManyRecipients.or(Reply{452, "4.5.3 Too many recipients"})
	r.NoRecipients = r.NoRecipients.or(Reply{554, "5.5.1 No valid recipients"})
	r.Data = r.Data.or(Reply{354, "End with CRLF.CRLF"})
	r.Accepted = r.Accepted.or(Reply{250, "2.0.0 Ok: queued as {id}"})
	r.TooLarge = r.TooLarge.or(Reply{552, "5.3.4 Message too big"})
	r.Rset = r.Rset.or(ok)
	r.Noop = r.Noop.or(ok)
	r.Quit = r.Quit.or(Reply{221, "2.0.0 Bye"})
	r.Timeout = r.Timeout.or(Reply{421, "4.4.2 {name} Timeout"})
	r.TooManyErrors = r.TooManyErrors.or(Reply{421, "4.7.0 Too many errors"})
	r.BadSequence = r.BadSequence.or(Reply{503, "5.5.1 Bad sequence of commands"})
	r.Unrecognized = r.Unrecognized.or(Reply{502, "5.5.2 Command not recognized"})
	r.NotImplemented = r.NotImplemented.or(Reply{502, "5.5.1 Command not implemented"})
	r.Pipelining = r.Pipelining.or(Reply{500, "5.5.1 Invalid command: Pipelining not supported"})
	return r
}

// fillIn replaces {words} that mean something; others stay.
func (s *session) fillIn(text string) string {
	b := s.scratch[:0]
	for {
		before, rest, found := strings.Cut(text, "{")
		b = append(b, before...)
		if !found {
			s.scratch = b
			return string(b)
		}
		word, after, closed := strings.Cut(rest, "}")
		known := false
		if closed {
			b, known = s.appendWord(b, word)
		}
		if known {
			text = after
		} else {
			b = append(b, '{')
			text = rest
		}
	}
}

func (s *session) appendWord(b []byte, name string) (_ []byte, known bool) {
	switch name {
	case "id":
		return s.appendQueueID(b), true
	case "name":
		return append(b, s.config.Name...), true
	case "hello":
		return append(b, s.client...), true
	case "client":
		return append(b, s.clientAddress()...), true
	case "verb":
		return append(b, s.verb...), true
	case "arg":
		return append(b, s.arg...), true
	case "time":
		return strconv.AppendInt(b, time.Now().Unix(), 10), true
	case "date":
		return time.Now().AppendFormat(b, time.RFC1123Z), true
	}
	return b, false
}

func (s *session) clientAddress() string {
	if host, _, err := net.SplitHostPort(s.link.RemoteAddr().String()); err == nil {
		return host
	}
	return "127.0.0.1" // in memory
}

// newID is called for each connection and each message.
func (s *session) newID() {
	if s.words.QueueID != "" {
		s.id = s.server.ids.Add(1)
	}
}

func (s *session) appendQueueID(b []byte) []byte {
	form := s.words.QueueID
	if form == "" {
		b = strconv.AppendInt(append(b, 'C'), int64(s.number), 10)
		return strconv.AppendInt(append(b, 'M'), int64(s.mails), 10)
	}
	before, rest, _ := strings.Cut(form, "#")
	after := strings.TrimLeft(rest, "#")
	if width := len(form) - len(before) - len(after); width > 0 {
		return fmt.Appendf(b, "%s%0*d%s", before, width, s.id, after)
	}
	return append(b, form...)
}
