package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// Error is what an authorization server answered instead of a token, or why none
// answered. It holds no token, code or secret.
type Error struct {
	Op          string // what was tried: "renew the access token"
	Server      string // host of the endpoint
	Status      int    // of HTTP; 0: there was no answer
	Code        string // RFC 6749 §5.2: "invalid_grant"
	Description string // the server's words, with what looks like a secret left out
	Hint        string // what to do, where that is known
	Err         error  // why there was no answer, or none that could be used
}

// Error says all of that.
func (e *Error) Error() string {
	text := e.Op
	if e.Server != "" {
		text += " at " + e.Server
	}
	switch {
	case e.Code != "":
		text += ": " + e.Code
	case e.Err != nil:
		text += ": " + e.Err.Error()
	case e.Status != 0:
		text += fmt.Sprintf(": HTTP status %d", e.Status)
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrLogin is the cause where a person must log in (again).
var ErrLogin = errors.New("a login is needed")

// passing are codes that say nothing about the settings or the consent; those in the
// second line are Google's.
var passing = []string{"temporarily_unavailable", "server_error", "slow_down", "authorization_pending", codeUnknown,
	"internal_failure", "rate_limit_exceeded"}

// codeUnknown stands for what does not look like a code: it is of somebody in
// between, as a firewall.
const codeUnknown = "an error of no known kind"

// final are the statuses of an authorization server's own verdict: RFC 6749 §5.2, and
// what servers make of it.
var final = []int{http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden}

// Permanent reports that asking again is of no use before somebody has done
// something: consented again, or changed the settings.
func (e *Error) Permanent() bool {
	if errors.Is(e.Err, ErrLogin) {
		return true
	}
	return e.Code != "" && !slices.Contains(passing, e.Code) && slices.Contains(final, e.Status)
}

// OfClient reports that the client itself was refused, so that another consent is of
// no use: its id or secret is wrong or has ended, or it may not do what it asks for.
func (e *Error) OfClient() bool {
	return slices.Contains([]string{"invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type"}, e.Code)
}

// Advice is the Hint, for those who look for what to do in errors of any kind.
func (e *Error) Advice() string { return e.Hint }

// Temporary is the opposite.
func (e *Error) Temporary() bool { return !e.Permanent() }

// failure makes an Error of what package oauth2 or the network says. That quotes
// whole responses, so words are passed on only without what is secret.
func (c *Config) failure(op, endpoint string, err error, secrets ...string) *Error {
	e := &Error{Op: op, Server: hostOf(endpoint), Err: errNoAnswer}
	own, isOwn := errors.AsType[*Error](err)
	said, isSaid := errors.AsType[*oauth2.RetrieveError](err)
	network, isNetwork := errors.AsType[*url.Error](err)
	s := c.scrubber(secrets...)
	switch {
	case isOwn:
		e = own
		e.Op = op
	case isSaid:
		e.Err, e.Status = nil, said.Response.StatusCode
		if e.Code, e.Description = said.ErrorCode, said.ErrorDescription; e.Code == "" {
			e.Code, e.Description = codeIn(said.Body)
		}
	case isNetwork:
		e.Err = s.error(network.Err)
	case errors.Is(err, errBroken):
		e.Err = errBroken
	}
	e.Code, e.Description = codeShown(e.Code), s.shown(e.Description)
	return e
}

var (
	errNoAnswer = errors.New("the answer is not that of an authorization server")
	errBroken   = errors.New("the answer broke off")
)

func codeIn(body []byte) (code, description string) {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &said) != nil {
		return "", ""
	}
	return said.Error, said.Description
}

// codeShown lets codes pass that look like one.
func codeShown(code string) string {
	const longest = 64
	if len(code) > longest || strings.ContainsFunc(code, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		return codeUnknown
	}
	return code
}

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}
