package smtptest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"
)

// Auth says who may log in (RFC 4954), and how.
type Auth struct {
	// Users maps names to passwords; to access tokens for XOAUTH2 and OAUTHBEARER.
	Users map[string]string
	// Mechanisms offered; default PLAIN and LOGIN. Known: PLAIN, LOGIN, CRAM-MD5,
	// SCRAM-SHA-1, SCRAM-SHA-256 and both with -PLUS (offered over TLS only),
	// XOAUTH2, OAUTHBEARER, EXTERNAL.
	Mechanisms []string
	// AnySecret takes any name and secret by the mechanisms that show them: PLAIN,
	// LOGIN, XOAUTH2 and OAUTHBEARER.
	AnySecret bool
	// Token, if set, judges the access tokens of XOAUTH2 and OAUTHBEARER instead of
	// Users. It may wait. It is called from each connection's goroutine.
	Token func(user, token string) bool
	// Required refuses MAIL with 530 before a login.
	Required bool
	// BeforeTLS offers AUTH on an unencrypted link too where STARTTLS is offered.
	BeforeTLS bool
	// Verdict, if set, may refuse a login before its secret is looked at: 535 for
	// good, 454 for now. It may wait. It is called from each connection's goroutine.
	Verdict func(mechanism, user string) *Reply
	// Refused is the answer to a wrong secret; default 535 5.7.8.
	Refused Reply
}

// exchange is one login. Mechanisms call ask for each response of the client.
type exchange struct {
	session   *session
	mechanism string
	initial   []byte // the initial response; nil means that there was none
	user      string
}

var (
	errWrongSecret = errors.New("wrong secret")
	errCanceled    = errors.New("canceled by the client")
	errMalformed   = errors.New("malformed response")
)

var mechanisms = map[string]func(*exchange) error{
	"PLAIN": plain, "LOGIN": login, "CRAM-MD5": cramMD5, "EXTERNAL": external,
	"XOAUTH2": xoauth2, "OAUTHBEARER": oauthBearer,
	"SCRAM-SHA-1": scram, "SCRAM-SHA-1-PLUS": scram,
	"SCRAM-SHA-256": scram, "SCRAM-SHA-256-PLUS": scram,
}

// mechanisms are those offered in the session's present state.
func (s *session) mechanisms() []string {
	a := s.config.Auth
	if a == nil || s.offersStartTLS() && !a.BeforeTLS {
		return nil
	}
	list := a.Mechanisms
	if list == nil {
		list = []string{"PLAIN", "LOGIN"}
	}
	if s.secure != nil {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(m string) bool { return strings.HasSuffix(m, "-PLUS") })
}

func (s *session) auth(arg []byte) error {
	name, initial, hasInitial := strings.Cut(string(arg), " ")
	name = strings.ToUpper(name)
	offered := s.mechanisms()
	run := mechanisms[name]
	switch {
	case len(offered) == 0:
		return s.answer(verdict{reply: s.words.NotImplemented})
	case !s.extended || s.authed || s.tx.open:
		return s.answer(verdict{reply: s.words.BadSequence})
	case s.wantsTLS():
		return s.answer(verdict{reply: s.words.TLSRequired})
	case run == nil || !slices.Contains(offered, name):
		return s.answer(verdict{reply: Reply{504, "5.5.4 Mechanism not offered"}})
	}
	x := &exchange{session: s, mechanism: name}
	if hasInitial {
		var err error
		if x.initial, err = decode(initial); err != nil {
			return s.answer(verdict{reply: badSyntax})
		}
	}
	return s.conclude(x, run(x))
}

// conclude gives the verdict on a login.
func (s *session) conclude(x *exchange, err error) error {
	reply := s.words.LoggedIn
	switch {
	case err == nil:
	case errors.Is(err, errWrongSecret):
		reply = s.config.Auth.Refused.or(Reply{535, "5.7.8 Authentication credentials invalid"})
	case errors.Is(err, errCanceled):
		reply = Reply{501, "5.7.0 Authentication canceled"}
	case errors.Is(err, errMalformed):
		reply = Reply{501, "5.5.2 Cannot decode the response"}
	default:
		return err
	}
	if r, taken := s.server.logins.takeOne(time.Now()); !taken && reply.Code != 501 {
		reply = r
	}
	if verdict := s.config.Auth.Verdict; verdict != nil && reply.Code != 501 {
		if r := verdict(x.mechanism, x.user); r != nil {
			reply = *r
		}
	}
	if s.config.AuthDelay > 0 {
		if err := s.pauseReplies(s.config.AuthDelay); err != nil {
			return err
		}
	}
	v := s.judge(PhaseAUTH, []byte(x.mechanism), reply)
	if v.holds() {
		s.authed, s.user = true, x.user
		s.ledger.loginsAccepted.Add(1)
		s.ledger.note(func(c *ConnectionInfo) { c.Mechanism, c.User = x.mechanism, x.user })
	} else {
		s.ledger.loginsRefused.Add(1)
	}
	return s.answer(v)
}

// pauseReplies lets what was said leave, then waits.
func (s *session) pauseReplies(d time.Duration) error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.pause(d)
}

// first returns the initial response, asking for it if there was none.
func (x *exchange) first() ([]byte, error) {
	if x.initial != nil {
		return x.initial, nil
	}
	return x.ask(nil)
}

// ask sends a challenge and returns the response.
func (x *exchange) ask(challenge []byte) ([]byte, error) {
	s := x.session
	s.reply(Reply{334, base64.StdEncoding.EncodeToString(challenge)})
	line, err := s.in.line()
	if err != nil {
		return nil, err
	}
	s.record('C', []byte("<response>"))
	text := strings.TrimRight(string(line), "\r\n")
	if text == "*" {
		return nil, errCanceled
	}
	return decode(text)
}

// decode reads base64; "=" is an empty initial response (RFC 4954 §4).
func decode(text string) ([]byte, error) {
	if text == "=" {
		return []byte{}, nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errMalformed
	}
	return b, nil
}

// check compares a secret with the user's.
func (x *exchange) check(user, secret string) error {
	x.user = user
	if x.session.config.Auth.AnySecret {
		return nil
	}
	if want, known := x.session.config.Auth.Users[user]; !known || want != secret {
		return errWrongSecret
	}
	return nil
}

// plain is RFC 4616.
func plain(x *exchange) error {
	response, err := x.first()
	if err != nil {
		return err
	}
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 {
		return errMalformed
	}
	return x.check(string(parts[1]), string(parts[2]))
}

// login is draft-murchison-sasl-login. Servers differ in whether they take an
// initial response; this one does.
func login(x *exchange) error {
	user := x.initial
	var err error
	if user == nil {
		if user, err = x.ask([]byte("Username:")); err != nil {
			return err
		}
	}
	password, err := x.ask([]byte("Password:"))
	if err != nil {
		return err
	}
	return x.check(string(user), string(password))
}

// external is RFC 4422 appendix A: the client's certificate says who it is.
func external(x *exchange) error {
	response, err := x.first()
	if err != nil {
		return err
	}
	x.user = string(response)
	secure := x.session.secure
	if secure == nil || len(secure.ConnectionState().PeerCertificates) == 0 {
		return errWrongSecret
	}
	if x.user == "" {
		x.user = secure.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	return nil
}
