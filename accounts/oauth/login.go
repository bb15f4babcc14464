package oauth

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"
)

// LoginOptions say how a person is asked. The zero value is enough for flows
// without one.
type LoginOptions struct {
	// Show is told what the person has to do; required if Flow.Interactive.
	Show func(Prompt)
	// Open, if set, is given the address of FlowCode to open in a browser. That it
	// cannot is no error: the person has the address from Show.
	Open func(url string) error
	// Port on 127.0.0.1 where the browser comes back to, of FlowCode. Default: a free
	// one.
	Port int
	// Address, if set, is suggested to the person as the account to log in with.
	Address string
}

// Prompt is what a person has to do.
type Prompt struct {
	URL     string    // to open
	Code    string    // to type in there; empty with FlowCode
	Expires time.Time // of the code; zero: not told
}

// Login gets the first token. It waits for the person until ctx ends. Errors:
// [*ConfigError]; [*Error] if the authorization server, or the person, refuses.
func (c Config) Login(ctx context.Context, o LoginOptions) (Token, error) {
	c, err := c.Complete()
	if err != nil {
		return Token{}, err
	}
	if c.Flow.Interactive() && o.Show == nil {
		return Token{}, errors.New("oauth: LoginOptions.Show is missing: nobody would know what to do")
	}
	var t Token
	switch c.Flow {
	case FlowCode:
		t, err = c.loginByCode(ctx, o)
	case FlowDevice:
		t, err = c.loginByDevice(ctx, o)
	default:
		t, err = c.renew(ctx, Token{})
	}
	if err != nil {
		return Token{}, err
	}
	t.Login = t.Renewed
	return t, nil
}

// finish makes a Token of what a login brought.
func (c *Config) finish(ctx context.Context, answer *oauth2.Token, err error, secrets ...string) (Token, error) {
	const op = "log in"
	if err == nil {
		var t Token
		if t, err = c.fromAnswer(answer, Token{}, time.Now()); err == nil {
			return t, nil
		}
	}
	if ctx.Err() != nil {
		return Token{}, &Error{Op: op, Server: hostOf(c.TokenURL), Err: context.Cause(ctx)}
	}
	return Token{}, c.failure(op, c.TokenURL, err, secrets...)
}
