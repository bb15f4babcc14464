package smtp

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
)

// Auth is how to log in (RFC 4954). It prints without its secrets.
type Auth struct {
	Username string
	Password string
	// Identity is the authorization identity (RFC 4616); empty is the user's own.
	Identity string
	// Token, if set, is asked for an OAuth 2 access token at each login; XOAUTH2
	// and OAUTHBEARER are used then. An error with a method Permanent() bool that
	// returns true is taken for a refusal: ClassAuth; any other is temporary.
	Token func(ctx context.Context) (string, error)
	// TokenRefused, if set, is told of a token that the server has refused, at most
	// once in a login. If it returns true, Token is asked again and what it gives is
	// tried on the same connection. It is called by many connections at once.
	TokenRefused func(token string) (again bool)
	// Grant tells apart logins of one Username whose tokens come from different
	// places, or of different consents: it is part of the Fingerprint, unlike what
	// Token captured. It is no secret and not sent.
	Grant string
	// Mechanisms to use, best first, and no others. Default: over TLS SCRAM with
	// channel binding, SCRAM, PLAIN, LOGIN, CRAM-MD5; without TLS SCRAM, CRAM-MD5,
	// PLAIN, LOGIN; with a Token XOAUTH2, OAUTHBEARER; with nothing but an Identity,
	// or nothing at all, EXTERNAL (the TLS client certificate tells who it is).
	Mechanisms []string
	// New, if set, makes the client side of a mechanism (any SASL library's
	// client fits) and replaces all of the above but Mechanisms.
	New func(mechanism string, server ServerInfo) (Mechanism, error)
}

// ServerInfo is what a mechanism may know about the connection.
type ServerInfo struct {
	Host string
	Port int
	TLS  *tls.ConnectionState // nil on an unencrypted link
}

// Mechanism is the client side of one SASL exchange (RFC 4422), as in
// github.com/emersion/go-sasl.
type Mechanism interface {
	// Start begins; a nil initial response means that the server speaks first.
	Start() (mechanism string, initial []byte, err error)
	// Next answers a challenge.
	Next(challenge []byte) (response []byte, err error)
}

const redacted = "<secret>"

// Format writes the login with its secrets replaced, whatever the verb. Package
// fmt does not call it for an unexported field: a type that keeps an Auth in one
// needs a Format of its own.
func (a Auth) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Username:%s Password:%s}", a.shownUser(), redacted)
}

// LogValue logs the user name alone.
func (a Auth) LogValue() slog.Value { return slog.StringValue(a.shownUser()) }

// MarshalJSON writes the user name alone.
func (a Auth) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Username string `json:"username"`
	}{a.shownUser()})
}

// shownUser is the user name, unless it is the secret itself: some providers take a
// token for both.
func (a *Auth) shownUser() string {
	if a.Username != "" && a.Username == a.Password {
		return redacted
	}
	return a.Username
}
