package smtp

import (
	"context"
	"errors"
	"strings"
	"time"
)

// open reads the greeting and says hello, with STARTTLS between two of them where
// the mode asks for it.
func (c *Conn) open(ctx context.Context) error {
	c.borrow()
	defer c.giveBack()
	if err := c.greeting(); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	if mode := c.tlsMode(); mode == TLSStartTLS || mode == TLSOpportunistic {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	if err := c.unasked(PhaseHello); err != nil {
		return err
	}
	c.info.Hello.Text = c.memory.meet(c.info.Hello.Text, c.caps.Limits, time.Now())
	c.needAuth = c.config.Auth != nil
	c.info.OpenTime = time.Since(c.info.Started)
	return nil
}

func (c *Conn) greeting() error {
	began := time.Now()
	c.info.RoundTrips++
	r, lost := c.reply(PhaseGreeting)
	if lost != nil {
		if lost.Class == ClassTimeout && c.info.TLS == nil {
			lost.Hint = "the server did not greet: the port may expect TLS from the first octet"
		}
		return lost
	}
	c.info.Greeting, c.info.GreetingTime = r, time.Since(began)
	if r.Code != 220 {
		return c.refused(PhaseGreeting, r)
	}
	return c.unasked(PhaseGreeting).orNil() // or it would be taken for the answer to EHLO
}

// hello says EHLO, or HELO to a server that knows no better (RFC 5321 §3.2); in
// LMTP there is LHLO alone.
func (c *Conn) hello() error {
	began := time.Now()
	line := c.greetingVerb() + " " + c.config.LocalName
	r, lost := c.command(PhaseHello, line, line)
	if lost != nil {
		return lost
	}
	switch {
	case r.Code == 250:
		c.caps = parseCapabilities(r.Text)
	case c.config.LMTP:
		return c.noLMTP(r)
	case r.Permanent():
		if r, lost = c.helo(); lost != nil {
			return lost
		}
	default:
		return c.refused(PhaseHello, r)
	}
	c.info.Hello = r
	c.info.HelloTime += time.Since(began)
	return nil
}

func (c *Conn) helo() (Reply, *Error) {
	c.caps = Capabilities{}
	line := "HELO " + c.config.LocalName
	r, lost := c.command(PhaseHello, line, line)
	if lost == nil && r.Code != 250 {
		lost = c.refused(PhaseHello, r)
		if synchronizationError(r) && strings.Contains(c.info.Greeting.Text, "LMTP") {
			lost.Hint = "the server speaks LMTP, not SMTP"
		}
	}
	return r, lost
}

// startTLS secures the link (RFC 3207). Whatever the server said before is
// forgotten; octets that wait behind its 220 were put there by somebody who
// wants them to be taken for the server's words under TLS.
func (c *Conn) startTLS(ctx context.Context) error {
	required := c.tlsMode() == TLSStartTLS
	if !c.caps.StartTLS {
		if required {
			return c.noTLS(Reply{}, "STARTTLS is required, but the server does not offer it")
		}
		return nil
	}
	r, lost := c.command(PhaseTLS, "STARTTLS", "STARTTLS")
	switch {
	case lost != nil:
		return lost
	case r.Code == 421:
		return c.refused(PhaseTLS, r)
	case r.Code != 220 && required:
		return c.noTLS(r, "STARTTLS was refused")
	case r.Code != 220:
		return nil
	case c.work.replies.buffered() > 0:
		return c.broken(PhaseTLS, r, "octets in the clear behind the answer to STARTTLS: somebody may be tampering with the connection")
	}
	ctx, cancel := withTimeout(ctx, c.config.Timeouts.Connect)
	defer cancel()
	if lost := c.handshake(ctx); lost != nil {
		return lost
	}
	c.caps = Capabilities{}
	return c.hello()
}

func (c *Conn) noTLS(r Reply, what string) error {
	e := &Error{Server: c.info.Server, Phase: PhaseTLS, Class: ClassTLS, Reply: r, Err: errors.New(what),
		Hint: "use port 465 with implicit TLS if there is one; only by explicit choice can mail go unencrypted"}
	if c.config.LMTP {
		e.Hint = "have the server offer STARTTLS; only by explicit choice can mail leave this machine unencrypted"
	}
	return e
}
