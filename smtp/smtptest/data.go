package smtptest

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// data carries out DATA (RFC 5321 §4.1.1.4).
func (s *session) data(arg []byte) error {
	v := s.judge(PhaseDATA, nil, s.checkData(arg))
	if v.reply.refuses() {
		return s.refuseContent(v)
	}
	err := s.answer(v)
	if err != nil || !v.holds() || v.reply.Code != 354 {
		return err
	}
	if err := s.tx.content.begin(s); err != nil {
		return err
	}
	if err := s.in.untilDot(s.tx.content.add); err != nil {
		return err
	}
	if s.config.Quirks.RejectPipelining && s.in.waiting() > 0 {
		s.reply(s.words.Pipelining)
		return errEnd
	}
	return s.final()
}

func (s *session) checkData(arg []byte) Reply {
	switch {
	case len(arg) > 0:
		return badSyntax
	case !s.tx.open || s.tx.chunked || s.tx.broken:
		return s.words.BadSequence
	case s.tx.binary:
		return Reply{503, "5.5.1 BINARYMIME needs BDAT"}
	case len(s.tx.to) == 0 && !s.config.Quirks.DataAlways:
		return s.words.NoRecipients
	}
	if s.sessionLimitReached() {
		return s.config.Limits.MessagesReply.or(Reply{452, "4.7.0 Too many messages on this connection"})
	}
	return s.words.Data
}

func (s *session) sessionLimitReached() bool {
	most := s.config.Limits.MessagesPerConnection
	return s.config.Quirks.LimitAtData && most > 0 && s.mails > most
}

// refuseContent answers no to DATA or BDAT, which ends the transaction.
func (s *session) refuseContent(v verdict) error {
	if s.tx.open {
		s.ledger.rejected.Add(1)
		s.tx.broken = s.config.Quirks.StickyTransaction
		if !s.config.Quirks.StickyTransaction {
			s.tx.clear()
		}
	}
	return s.answer(v)
}

// bdat carries out BDAT (RFC 3030 §2).
func (s *session) bdat(arg []byte) error {
	size, last, reply := s.checkBDAT(arg)
	if reply.refuses() {
		return s.refuseBDAT(size, last, verdict{reply: reply})
	}
	if !s.tx.chunked {
		if err := s.tx.content.begin(s); err != nil {
			return err
		}
		s.tx.chunked = true
	}
	if err := s.in.octetsOf(size, s.tx.content.add); err != nil {
		return err
	}
	if last {
		return s.final()
	}
	if s.tx.content.overflow {
		reply = s.words.TooLarge
	}
	v := s.judge(PhaseDATA, arg, reply)
	s.tx.broken = s.tx.broken || !v.holds()
	return s.answer(v)
}

func (s *session) checkBDAT(arg []byte) (size int64, last bool, r Reply) {
	number, rest, more := strings.Cut(string(arg), " ")
	size, err := strconv.ParseInt(number, 10, 64)
	last = more && strings.EqualFold(rest, "LAST")
	switch {
	case !s.server.offer.keywords["CHUNKING"]:
		return 0, false, s.words.NotImplemented
	case err != nil || size < 0 || more && !last:
		return 0, false, badSyntax
	case !s.tx.open || s.tx.broken:
		return size, last, s.words.BadSequence
	case len(s.tx.to) == 0:
		return size, last, s.words.NoRecipients
	case s.sessionLimitReached():
		return size, last, s.config.Limits.MessagesReply.or(Reply{452, "4.7.0 Too many messages on this connection"})
	}
	return size, last, ok
}

// refuseBDAT swallows the octets of a refused chunk, unless the server is one
// of those that do not. The transaction is broken until RSET.
func (s *session) refuseBDAT(size int64, last bool, v verdict) error {
	if !s.config.Quirks.UnswallowedBDAT {
		if err := s.in.octetsOf(size, func([]byte) error { return nil }); err != nil {
			return err
		}
	}
	if s.tx.open && last {
		s.ledger.rejected.Add(1)
	}
	s.tx.broken = s.tx.open
	if n := len(s.tx.to); n > 0 && last && s.config.LMTP { // RFC 2033 §4.3
		return s.answerEach(forEach(make([]verdict, n), v.reply))
	}
	return s.answer(v)
}

// final gives the verdict on a message that was read.
func (s *session) final() error {
	if s.config.LMTP {
		return s.finalForEach()
	}
	now := time.Now()
	id := findMessageID(s.tx.content.head)
	reply, counted := s.checkFinal(now)
	v := s.judge(PhaseFinal, id, reply)
	if counted && !v.holds() {
		s.server.giveBack(true, now, len(s.tx.to))
	}
	if !v.holds() {
		s.ledger.rejected.Add(1)
		return s.endTransaction(v)
	}
	if err := s.accept(string(id), now); err != nil {
		s.ledger.rejected.Add(1)
		v = verdict{reply: cannotStore}
		return s.endTransaction(v)
	}
	if v.fault == nil {
		v.fault = s.strikes(PhaseAfterFinal)
		if v.fault != nil && v.fault.Action == Answer {
			v.reply = v.fault.Reply
		}
	}
	return s.endTransaction(v)
}

var cannotStore = Reply{451, "4.3.0 Cannot store the message"}

func (s *session) endTransaction(v verdict) error {
	s.leaveTransaction(v.reply.refuses())
	return s.answer(v)
}

func (s *session) leaveTransaction(refused bool) {
	if refused && s.config.Quirks.StickyTransaction {
		s.tx.content.clear()
	} else {
		s.tx.clear()
	}
}

// checkFinal also tells whether the message was counted against the rate.
func (s *session) checkFinal(now time.Time) (r Reply, counted bool) {
	switch {
	case len(s.tx.to) == 0:
		return s.words.NoRecipients, false
	case s.tx.broken:
		return s.words.BadSequence, false
	case s.tx.content.overflow:
		return s.words.TooLarge, false
	case s.crowded && s.config.Quirks.CrowdedAtFinal && s.server.crowded(s):
		return s.words.TooManyConnections, false
	}
	if r, taken := s.server.take(true, now, len(s.tx.to)); !taken {
		return r, false
	}
	return s.words.Accepted, true
}

// content is what was read of a message.
type content struct {
	session  *session
	octets   int64
	head     []byte // the header part, up to 64 KB of it
	headDone bool
	keep     bool
	data     []byte // all of it, if it is kept
	overflow bool
	last     byte   // octet, where bare LFs are looked for
	fault    *Fault // in the body, still to come
}

func (c *content) clear() {
	*c = content{head: c.head[:0]}
}

func (c *content) begin(s *session) error {
	c.clear()
	c.session = s
	c.keep = s.config.KeepMessages || s.config.Save != nil || s.server.maildir != nil
	c.fault = s.strikes(PhaseBody)
	if f := c.fault; f != nil && f.Octets == 0 && (f.Action == Delay || f.After > 0) {
		return c.strike() // before anything was read
	}
	return nil
}

// strike carries out the fault in the body.
func (c *content) strike() error {
	fault := c.fault
	c.fault = nil
	if fault.Action == Stall {
		return c.session.stopReading()
	}
	return c.session.misbehave(fault, fault.Reply)
}

// add takes the next octets.
func (c *content) add(b []byte) error {
	if c.session.config.Quirks.RefuseBareLF && c.hasBareLF(b) {
		c.session.reply(bareLF)
		return errEnd
	}
	c.octets += int64(len(b))
	if most := c.session.config.Limits.MaxSize; most > 0 && c.octets > most {
		c.overflow, c.data = true, nil
	}
	if !c.headDone {
		c.addHead(b)
	}
	if c.keep && !c.overflow {
		c.data = append(c.data, b...)
	}
	if c.fault != nil && c.octets >= c.fault.Octets {
		return c.strike()
	}
	return nil
}

var bareLF = Reply{521, "5.5.2 {name} Error: bare <LF> received"}

// hasBareLF looks for a LF without CR, also where octets come in pieces.
func (c *content) hasBareLF(b []byte) bool {
	for i, octet := range b {
		if octet == '\n' && c.last != '\r' {
			return true
		}
		c.last = b[i]
	}
	return false
}

var headEnd = []byte("\r\n\r\n")

func (c *content) addHead(b []byte) {
	b = b[:min(len(b), inputSize-len(c.head))]
	from := max(len(c.head)-len(headEnd)+1, 0)
	if i := bytes.Index(b, headEnd); i >= 0 {
		b = b[:i+len(headEnd)]
	}
	c.head = append(c.head, b...)
	c.headDone = len(c.head) == inputSize || bytes.Contains(c.head[from:], headEnd)
}

// accept keeps and counts the message.
func (s *session) accept(id string, now time.Time) error {
	var message *Message
	number := s.server.messages.Add(1)
	if s.tx.content.keep {
		message = s.message(id, now)
		message.Number = number
		if err := s.server.maildir.store(message); err != nil {
			return err
		}
		if s.config.Save != nil {
			s.config.Save(message)
		}
		if !s.config.KeepMessages {
			message = nil
		}
	}
	s.ledger.accepted.Add(1)
	if !s.config.CountOnly || message != nil {
		s.ledger.take(id, s.tx.to, message)
	}
	return nil
}

func (s *session) message(id string, now time.Time) *Message {
	m := &Message{
		Connection: s.number, ID: id, User: s.user, From: s.tx.from,
		Params: parseParams(s.tx.params), Data: s.tx.content.data,
		Chunked: s.tx.chunked, Received: now,
	}
	for i, address := range s.tx.to {
		m.To = append(m.To, Recipient{address, parseParams(s.tx.rcpts[i])})
	}
	return m
}

// countMail counts a MAIL command and returns when it was read.
func (s *session) countMail() time.Time {
	now := time.Now()
	s.ledger.mails.Add(1)
	if !s.config.CountOnly {
		s.ledger.mailRead(now)
	}
	return now
}
