package oauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"
)

// oauth2Config is c as package oauth2 has it. The style is always said: that package
// would find it out by asking twice.
func (c *Config) oauth2Config() *oauth2.Config {
	return &oauth2.Config{ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: c.AuthURL, TokenURL: c.TokenURL, DeviceAuthURL: c.DeviceURL, AuthStyle: c.style()}}
}

// style: a client without a secret says its name in the body (RFC 6749 §3.2.1).
func (c *Config) style() oauth2.AuthStyle {
	if c.ClientAuth == AuthBasic && c.ClientSecret != "" {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

// requestTimeout bounds one request, where the context does not do so sooner.
const requestTimeout = 30 * time.Second

// with gives ctx the HTTP client for package oauth2.
func (c *Config) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.client(ctx))
}

// client follows no redirection: it would carry codes and secrets to whomever the
// answer names.
func (c *Config) client(ctx context.Context) *http.Client {
	own := http.Client{}
	if c.HTTP != nil {
		own = *c.HTTP
	}
	own.Transport = bound{ctx, own.Transport}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// bound ends requests with a context: package oauth2 makes some without one.
type bound struct {
	ctx context.Context
	to  http.RoundTripper
}

var errProxy = errors.New("the proxy in the environment (HTTPS_PROXY, HTTP_PROXY) is no URL like http://host:3128")

// RoundTrip sends the request.
func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	to := b.to
	if to == nil {
		to = http.DefaultTransport
		if _, err := http.ProxyFromEnvironment(r); err != nil {
			return nil, errProxy // the library's words have its password
		}
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), requestTimeout, errSlow)
	stop := context.AfterFunc(b.ctx, cancel)
	done := func() { stop(); cancel() }
	answer, err := to.RoundTrip(r.WithContext(ctx))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		done()
		return nil, err
	}
	answer.Body = &boundBody{answer.Body, done}
	return answer, nil
}

// renew gets the next access token, and with it perhaps another refresh token.
func (c *Config) renew(ctx context.Context, before Token) (Token, error) {
	const op = "renew the access token"
	now := time.Now()
	answer, err := c.answer(c.with(ctx), before)
	if err == nil {
		var t Token
		if t, err = c.fromAnswer(answer, before, now); err == nil {
			return t, nil
		}
	}
	e := c.failure(op, c.TokenURL, err, before.Access, before.Refresh)
	if e.Err != nil && ctx.Err() != nil {
		e.Err = context.Cause(ctx)
	}
	return Token{}, e
}

func (c *Config) answer(ctx context.Context, before Token) (*oauth2.Token, error) {
	switch c.Flow {
	case FlowClientCredentials:
		own := clientcredentials.Config{ClientID: c.ClientID, ClientSecret: c.ClientSecret, TokenURL: c.TokenURL, Scopes: c.Scopes, AuthStyle: c.style()}
		return own.Token(ctx)
	case FlowServiceAccount:
		return c.assert(ctx)
	}
	if before.Refresh == "" || !before.of(c) {
		return nil, &Error{Err: ErrLogin}
	}
	return c.oauth2Config().TokenSource(ctx, &oauth2.Token{RefreshToken: before.Refresh}).Token()
}

// assert asks with a signed assertion (RFC 7523 §2.1).
func (c *Config) assert(ctx context.Context) (*oauth2.Token, error) {
	key, err := parseKey(c.Key)
	if err != nil {
		return nil, err
	}
	own := jwt.Config{Email: key.ClientEmail, PrivateKey: []byte(key.PrivateKey), PrivateKeyID: key.PrivateKeyID,
		Subject: c.Subject, Scopes: c.Scopes, TokenURL: c.TokenURL, Expires: time.Hour}
	return own.TokenSource(ctx).Token()
}
