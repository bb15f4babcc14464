package smtp

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"time"
)

// Authenticate logs in, if Config.Auth is set and it was not done yet. On
// failure the connection is closed. Errors are of type [*Error]: ClassAuth if
// the credentials were refused for good.
func (c *Conn) Authenticate(ctx context.Context) error {
	if !c.needAuth {
		return nil
	}
	defer c.cutWith(ctx)()
	c.borrow()
	defer c.giveBack()
	if err := c.login(ctx); err != nil {
		c.cut(err)
		return err
	}
	return nil
}

// login tries mechanisms until one is accepted. Credentials that were refused
// are offered once more, as PLAIN, after a challenge-response mechanism: some
// servers store passwords in a form that suits only one of them. A token that was
// refused is replaced once: servers may end one before its time.
func (c *Conn) login(ctx context.Context) *Error {
	began := time.Now()
	names, err := c.loginPlan()
	if err != nil {
		return err
	}
	renewed := false
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		r, err, m := c.attempt(ctx, name)
		switch {
		case err != nil:
			return err
		case r.Code == 235:
			c.loggedIn(name, began)
			return c.unasked(PhaseAuth)
		case unsupported(r):
		case fallsBackToPlain(name) && r.Permanent():
			names = plainOnly(names)
		case !renewed && c.renews(m, r):
			renewed, names = true, []string{name}
		default:
			return c.loginRefused(r, m)
		}
		if len(names) == 0 {
			return c.loginRefused(r, m)
		}
	}
	return c.loginRefused(Reply{}, nil)
}

// renews reports whether there is to be another token in the place of a refused one.
func (c *Conn) renews(m Mechanism, r Reply) bool {
	refused, ok := m.(*oauthMechanism)
	return ok && r.Permanent() && c.config.Auth.TokenRefused != nil && c.config.Auth.TokenRefused(refused.token)
}

func (c *Conn) loggedIn(mechanism string, began time.Time) {
	c.needAuth = false
	c.info.Mechanism = mechanism
	c.info.AuthStarted, c.info.AuthTime = began, time.Since(began)
	c.memory.worked(mechanism)
}

// unsupported: the mechanism was refused, not the credentials.
func unsupported(r Reply) bool { return r.Code == 504 || r.Code == 502 || r.Code == 500 }

func plainOnly(names []string) []string {
	for _, name := range names {
		if name == "PLAIN" || name == "LOGIN" {
			return []string{name}
		}
	}
	return nil
}

func (c *Conn) loginRefused(r Reply, m Mechanism) *Error {
	if r.IsZero() {
		return &Error{Server: c.info.Server, Phase: PhaseAuth, Class: ClassAuth, Err: errors.New("no login mechanism was accepted")}
	}
	e := c.refused(PhaseAuth, r)
	e.Outcome, e.Err = NotSent, refusedBecause(m)
	if _, ok := m.(*oauthMechanism); ok && e.Hint == hintPassword {
		e.Hint = "the access token is of another account or without the right to send, or the mailbox permits no SMTP"
	}
	return e
}

// loginPlan checks that a login may take place here and chooses mechanisms.
func (c *Conn) loginPlan() ([]string, *Error) {
	if c.info.TLS == nil && !c.config.InsecureAuth && !c.loopback() {
		return nil, &Error{Server: c.info.Server, Phase: PhaseAuth, Class: ClassTLS,
			Err:  errors.New("the link is not encrypted: anyone on the way could read the password"),
			Hint: "use TLS, or permit it in words (InsecureAuth)"}
	}
	remembered, _ := c.memory.login()
	names, err := c.config.Auth.plan(c.caps.Auth, c.info.TLS, remembered)
	if err == nil {
		err = c.config.Auth.checkNUL()
	}
	if err != nil {
		return nil, &Error{Server: c.info.Server, Phase: PhaseAuth, Class: ClassAuth, Err: err}
	}
	return names, nil
}

// loopback: the link does not leave this machine. What is no socket at all is
// judged by the host's name. Behind a proxy on this machine the link goes on: the
// server must be on the proxy's machine, too.
func (c *Conn) loopback() bool {
	if c.info.Proxy != "" && !c.hostIsLoopback() {
		return false
	}
	switch a := c.link.RemoteAddr().(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return c.hostIsLoopback()
}

func (c *Conn) hostIsLoopback() bool {
	ip := net.ParseIP(c.config.Host)
	return c.config.Host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Conn) serverInfo() ServerInfo {
	return ServerInfo{Host: c.config.Host, Port: c.config.Port, TLS: c.info.TLS}
}

func (c *Conn) brokenLogin(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		c.cut(endOf(ctx))
	}
	if c.closeCause() != nil {
		return c.lost(PhaseAuth, err, 0)
	}
	e := &Error{Server: c.info.Server, Phase: PhaseAuth, Class: ClassAuthTemporary, Err: err}
	if told, ok := errors.AsType[interface {
		error
		Permanent() bool
	}](err); ok && told.Permanent() {
		e.Class = ClassAuth
	}
	return e
}

// attempt goes through one exchange (RFC 4954 §4) and returns the last reply,
// and the mechanism, which may know why it was refused.
func (c *Conn) attempt(ctx context.Context, name string) (r Reply, lost *Error, m Mechanism) {
	m, err := c.config.Auth.mechanism(ctx, name, c.serverInfo())
	if err != nil {
		return r, c.brokenLogin(ctx, err), m
	}
	c.hide(m)
	name, initial, err := m.Start()
	if err != nil {
		return r, c.brokenLogin(ctx, err), m
	}
	c.hideResponse(initial)
	line, pending := authLine(name, initial)
	r, lost = c.command(PhaseAuth, line, "AUTH "+name+shownSecret(len(line) > len("AUTH ")+len(name)))
	for lost == nil && r.Code == 334 {
		var response []byte
		if response, err = answer(m, name, r, &pending); err != nil {
			r, lost = c.giveUpLogin(err)
			return r, lost, m
		}
		c.hideResponse(response)
		r, lost = c.command(PhaseAuth, base64.StdEncoding.EncodeToString(response), redacted)
	}
	if lost == nil && r.Code == 235 {
		err = finished(m)
	}
	if lost == nil && err != nil {
		return r, &Error{Server: c.info.Server, Phase: PhaseAuth, Class: ClassAuth, Err: err}, m
	}
	return r, lost, m
}

func shownSecret(present bool) string {
	if present {
		return " " + redacted
	}
	return ""
}

// answer finds the response to a challenge. An initial response that did not
// fit into the command answers the first. LOGIN's prompts are of no account, and
// some servers write them in the clear.
func answer(m Mechanism, name string, r Reply, pending *[]byte) ([]byte, error) {
	if response := *pending; response != nil {
		*pending = nil
		return response, nil
	}
	challenge, err := base64.StdEncoding.DecodeString(r.Text)
	if err != nil && name != "LOGIN" {
		return nil, errors.New("the server's challenge is not base64")
	}
	return m.Next(challenge)
}

// finished asks a mechanism that verifies the server whether it is satisfied.
func finished(m Mechanism) error {
	if v, ok := m.(interface{ Verified() error }); ok {
		return v.Verified()
	}
	return nil
}

// giveUpLogin cancels the exchange (RFC 4954 §4): the server answers 501.
func (c *Conn) giveUpLogin(cause error) (Reply, *Error) {
	r, lost := c.command(PhaseAuth, "*", "*")
	if lost != nil {
		return r, lost
	}
	return r, &Error{Server: c.info.Server, Phase: PhaseAuth, Class: ClassAuth, Err: cause}
}

// authRidesAlong: the login can stand at the head of the first envelope's group
// (RFC 4954 §4: the exchange takes one round trip). Not before the server has
// answered EHLO cleanly, and not where that went wrong before.
func (c *Conn) authRidesAlong() bool {
	names, err := c.loginPlan()
	_, solo := c.memory.login()
	return err == nil && !solo && c.Level() > LevelLockStep && groupable(names[0])
}

// appendAuth puts the login into the flight.
func (c *Conn) appendAuth(ctx context.Context, x *exchange) *Error {
	names, lost := c.loginPlan()
	if lost != nil {
		return lost
	}
	m, err := c.config.Auth.mechanism(ctx, names[0], c.serverInfo())
	if err != nil {
		return c.brokenLogin(ctx, err)
	}
	name, initial, err := m.Start()
	if err != nil {
		return c.brokenLogin(ctx, err)
	}
	c.hideResponse(initial)
	line, pending := authLine(name, initial)
	if pending != nil { // too long for one line: it takes a round trip of its own
		return c.login(ctx)
	}
	c.work.out = append(append(c.work.out, line...), "\r\n"...)
	c.traceSent("AUTH " + name + " " + redacted)
	c.info.Mechanism = name
	x.authDue = true
	return nil
}

// readAuth reads the answer to a login that rode along. If it was refused
// nothing more is sent, even if the server would take the message.
func (c *Conn) readAuth(x *exchange) *Error {
	r, lost := c.reply(PhaseAuth)
	x.authDue = false
	mechanism := c.info.Mechanism
	c.info.Mechanism = ""
	switch {
	case lost != nil:
		c.memory.authAlone()
		return lost
	case r.Code == 235:
		c.loggedIn(mechanism, x.result.Started)
		return nil
	case r.Code == 334 || r.Positive() || unsupported(r) || synchronizationError(r):
		c.memory.authAlone()
		return c.broken(PhaseAuth, r, "the server does not take a login grouped with other commands")
	}
	return c.loginRefused(r, nil)
}
