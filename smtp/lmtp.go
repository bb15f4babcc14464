package smtp

import "net"

// greetingVerb is how the client says hello.
func (c *Conn) greetingVerb() string {
	if c.config.LMTP {
		return "LHLO"
	}
	return "EHLO"
}

// noLMTP is the error for a server that does not answer LHLO with 250. One that
// speaks SMTP takes it for no command (RFC 2033 §4.1 has both sides notice).
func (c *Conn) noLMTP(r Reply) *Error {
	e := c.refused(PhaseHello, r)
	if synchronizationError(r) {
		e.Class, e.Hint = ClassProtocol, "the server may speak SMTP, not LMTP: check protocol and port"
	}
	return e
}

// tlsMode is what TLSAuto means on this connection.
func (c *Conn) tlsMode() TLSMode {
	switch {
	case c.config.TLS != TLSAuto:
		return c.config.TLS
	case c.local():
		return TLSNone
	}
	return TLSStartTLS
}

// local: the server is on this machine, and not only the next hop to it, as a
// proxy may be.
func (c *Conn) local() bool {
	if _, unix := c.link.RemoteAddr().(*net.UnixAddr); unix && c.info.Proxy == "" {
		return true
	}
	return c.hostIsLoopback() && c.loopback()
}

// classify is Classify, but that an allowance in LMTP is that of a mailbox, not
// the account's.
func (c *Conn) classify(phase Phase, r Reply) Class {
	class := Classify(phase, r)
	if c.config.LMTP && class == ClassQuota && (phase == PhaseRcpt || phase == PhaseFinal) {
		return ClassRecipient
	}
	return class
}

// endless is the error for a server that asks for a content nobody is to get: in
// LMTP it must not, and it would have no reply (RFC 2033 §4.2). What the RCPTs
// were answered stands.
func (c *Conn) endless(x *exchange, r Reply) *Error {
	c.memory.stepDown(x.level)
	return c.broken(PhaseData, r, "DATA was accepted without a recipient")
}

// finalsKnown: an envelope may ride behind the content of x, as it is known how
// many replies come before those to the envelope. A server that gives one where
// LMTP wants several would have the others taken from what follows.
func (c *Conn) finalsKnown(x *exchange) bool {
	return !c.config.LMTP || x.accepted == 1
}
