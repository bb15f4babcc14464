package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Token is what a login has brought, and each renewal since. It prints, logs and
// marshals without its secrets; a [Keep] reads the fields.
type Token struct {
	Access  string    // for the mail server
	Refresh string    // for the authorization server; empty where there is none
	Expires time.Time // of Access; zero: not told
	Scopes  []string  // as granted

	// Login is when a person consented, and Renewed when Access was got.
	Login, Renewed time.Time

	// ClientID and TokenURL are whose it is: with other settings it is of no use.
	ClientID, TokenURL string
}

// IsZero reports whether there is none.
func (t Token) IsZero() bool { return t.Access == "" && t.Refresh == "" }

// Of reports whether there is a token, and it belongs to the settings, which must be
// complete.
func (t Token) Of(c Config) bool { return !t.IsZero() && t.of(&c) }

func (t *Token) of(c *Config) bool { return t.ClientID == c.ClientID && t.TokenURL == c.TokenURL }

// usable reports whether a server may still take the access token.
func (t *Token) usable(now time.Time) bool {
	return t.Access != "" && (t.Expires.IsZero() || now.Add(leastLeft).Before(t.Expires))
}

// leastLeft is what a token must have left: it is used a moment later, by a clock
// of somebody else's.
const leastLeft = 10 * time.Second

// early reports whether the token is to be renewed, though it can be used.
func (t *Token) early(now time.Time) bool {
	if t.Expires.IsZero() {
		return false
	}
	const most = 5 * time.Minute
	ahead := min(most, t.Expires.Sub(t.Renewed)/10)
	return !now.Before(t.Expires.Add(-max(ahead, leastLeft)))
}

// fromAnswer takes what the authorization server gave. What it did not say is as
// before (RFC 6749 §5.1, §6).
func (c *Config) fromAnswer(answer *oauth2.Token, before Token, now time.Time) (Token, error) {
	if answer.AccessToken == "" {
		return Token{}, &Error{Server: hostOf(c.TokenURL), Err: errors.New("there is no access token in the answer")}
	}
	if kind := answer.Type(); !strings.EqualFold(kind, "Bearer") {
		return Token{}, &Error{Server: hostOf(c.TokenURL), Err: errors.New("it gave a token of a kind that mail servers do not take, not of kind Bearer")}
	}
	// The monotonic clock stands still while a machine sleeps; tokens end all the same.
	t := Token{Access: answer.AccessToken, Refresh: answer.RefreshToken, Expires: answer.Expiry.Round(0), Scopes: before.Scopes,
		Login: before.Login, Renewed: now.Round(0), ClientID: c.ClientID, TokenURL: c.TokenURL}
	if !t.Expires.After(t.Renewed) {
		t.Expires = time.Time{} // no life at all is none that was told
	}
	if t.Refresh == "" {
		t.Refresh = before.Refresh
	}
	if granted, _ := answer.Extra("scope").(string); granted != "" {
		t.Scopes = strings.Fields(granted)
	}
	if len(t.Scopes) == 0 {
		t.Scopes = c.Scopes
	}
	return t, nil
}

// shownToken is what may be seen of a Token.
type shownToken struct {
	Expires time.Time `json:"expires,omitzero"`
	Login   time.Time `json:"login,omitzero"`
	Renewed time.Time `json:"renewed,omitzero"`
	Renews  bool      `json:"renews"`
	Scopes  []string  `json:"scopes,omitempty"`
}

// Format tells when the token ends, whatever the verb.
func (t Token) Format(f fmt.State, _ rune) {
	switch {
	case t.IsZero():
		fmt.Fprint(f, "no token")
	case t.Expires.IsZero():
		fmt.Fprint(f, "token")
	default:
		fmt.Fprintf(f, "token until %s", t.Expires.UTC().Format(time.RFC3339))
	}
}

// LogValue logs when the token ends.
func (t Token) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// MarshalJSON writes the times and scopes. It is not for keeping the token.
func (t Token) MarshalJSON() ([]byte, error) {
	return json.Marshal(shownToken{t.Expires, t.Login, t.Renewed, t.Refresh != "", t.Scopes})
}
