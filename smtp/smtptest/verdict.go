package smtptest

import (
	"io"
	"strings"
	"time"
)

// verdict is what the server answers at a phase, and the fault in it, if any.
type verdict struct {
	reply Reply
	fault *Fault
	about string // with LMTP, whose verdict it is
}

// holds reports whether the command has its effect.
func (v verdict) holds() bool {
	return !v.reply.refuses() && (v.fault == nil || !v.fault.Action.ends())
}

// judge starts from the ordinary reply, which Reject and a fault may replace.
func (s *session) judge(p Phase, arg []byte, ordinary Reply) verdict {
	s.arg = arg
	v := verdict{reply: ordinary}
	if s.config.Reject != nil && !ordinary.refuses() {
		if r := s.config.Reject(p, string(arg)); r != nil {
			v.reply = *r
		}
	}
	v.fault = s.strikes(p)
	if v.fault != nil && v.fault.Action == Answer {
		v.reply = v.fault.Reply
	}
	return v
}

func (s *session) strikes(p Phase) *Fault { return s.server.faults.strike(p, s.verb, &s.seen) }

// strike is for phases without a reply of their own.
func (s *session) strike(p Phase) error {
	fault := s.strikes(p)
	if fault == nil {
		return nil
	}
	return s.misbehave(fault, fault.Reply)
}

// answer replies. A 421 closes the connection (RFC 5321 §3.8).
func (s *session) answer(v verdict) error {
	if v.reply.refuses() {
		s.errors++
	}
	if v.fault != nil {
		if err := s.misbehave(v.fault, v.reply); err != nil {
			return err
		}
	} else {
		s.reply(v.reply)
	}
	if v.reply.Code == 421 {
		return errEnd
	}
	if limit := s.config.Quirks.ErrorLimit; limit > 0 && s.errors >= limit {
		s.reply(s.words.TooManyErrors)
		return errEnd
	}
	if len(s.out) >= inputSize {
		return s.flush()
	}
	return nil
}

// misbehave carries out a fault; a zero reply is none.
func (s *session) misbehave(f *Fault, r Reply) error {
	if f.After > 0 {
		if err := s.pauseReplies(f.After); err != nil {
			return err
		}
	}
	switch f.Action {
	case Drop, Reset, Close421, Stall:
		return s.endBy(f)
	case Delay, Drip:
		return s.slow(f, r)
	case Missing:
		return nil
	case Oversize:
		r = Reply{r.or(ok).Code, strings.Repeat("x", 100<<10)}
	}
	if r.Code != 0 {
		s.reply(r)
	}
	switch f.Action {
	case Vanish:
		return errEnd
	case Extra:
		s.reply(f.Reply.or(Reply{250, "2.0.0 One reply too many"}))
	}
	return nil
}

// endBy ends the session the way the fault says.
func (s *session) endBy(f *Fault) error {
	switch f.Action {
	case Reset:
		s.flush()
		s.ending = endRST
	case Close421:
		s.reply(f.Reply.or(Reply{421, "4.3.2 " + s.config.Name + " Service not available"}))
	case Stall:
		return s.stall()
	case Drop:
		s.flush()
		s.halted = true // no TLS close_notify either
	}
	return errEnd
}

// stall swallows what comes and says nothing until the connection ends.
func (s *session) stall() error {
	s.flush()
	s.halted = true
	io.Copy(io.Discard, s.conn)
	return errEnd
}

// stopReading lets the client's writes fill the link, until the server cuts it.
func (s *session) stopReading() error {
	s.flush()
	s.halted = true
	<-s.gone
	return errEnd
}

// slow replies later, or octet by octet.
func (s *session) slow(f *Fault, r Reply) error {
	if err := s.flush(); err != nil {
		return err
	}
	if f.Action == Delay {
		if err := s.pause(pauseOr(f.Pause, time.Second) * s.server.faults.pauses(f)); err != nil {
			return err
		}
	}
	if r.Code == 0 {
		return nil
	}
	s.reply(r)
	if f.Action == Delay {
		return nil
	}
	err := s.writeApart(s.out, pauseOr(f.Pause, 10*time.Millisecond))
	s.out = s.out[:0]
	return err
}

func pauseOr(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
