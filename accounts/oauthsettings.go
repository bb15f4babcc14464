package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// OAuth is how an account gets access tokens; see [oauth.Config]. What is zero is
// the provider's. An account with any of it has no password: its secret, if there is
// one, is that of the client, or the key of a service account.
type OAuth struct {
	Flow     oauth.Flow
	Provider string // default: that of the account's preset
	ClientID string
	Tenant   string
	Scopes   []string

	AuthURL, TokenURL, DeviceURL, RevokeURL string

	ClientAuth   oauth.ClientAuth
	RedirectPort int    // on this machine, of FlowCode; default: a free one
	KeyFile      string // of FlowServiceAccount; default: the secret is the key
}

// isZero reports that nothing is said.
func (o *OAuth) isZero() bool {
	return o.Flow == "" && o.Provider == "" && o.ClientID == "" && o.Tenant == "" && len(o.Scopes) == 0 &&
		o.AuthURL == "" && o.TokenURL == "" && o.DeviceURL == "" && o.RevokeURL == "" && o.ClientAuth == "" && o.RedirectPort == 0 && o.KeyFile == ""
}

// UsesOAuth reports whether the account logs in with access tokens.
func (e *Entry) UsesOAuth() bool { return !e.OAuth.isZero() }

// OAuthConfig is how the account gets tokens, without secret and key.
func (e *Entry) OAuthConfig() oauth.Config {
	o := &e.OAuth
	c := oauth.Config{Provider: o.Provider, Flow: o.Flow, ClientID: o.ClientID, Tenant: o.Tenant, Scopes: slices.Clone(o.Scopes),
		AuthURL: o.AuthURL, TokenURL: o.TokenURL, DeviceURL: o.DeviceURL, RevokeURL: o.RevokeURL, ClientAuth: o.ClientAuth}
	if c.Flow == "" {
		c.Flow = oauth.FlowCode
	}
	if p, _ := e.preset(); p != nil && c.Provider == "" && c.TokenURL == "" {
		c.Provider = p.OAuthProvider
	}
	if c.Flow == oauth.FlowServiceAccount {
		c.Subject, _ = e.login()
	}
	return c
}

// needsSecret tells whether the account is of no use without a stored or named
// secret.
func (e *Entry) needsSecret() bool {
	if !e.UsesOAuth() {
		return e.logsIn()
	}
	switch e.OAuth.Flow {
	case oauth.FlowClientCredentials:
		return true
	case oauth.FlowServiceAccount:
		return e.OAuth.KeyFile == ""
	}
	return e.Secret.Kind != SecretStored
}

// checkOAuth finds what is wrong whatever the secret is. A client id may still be
// missing: a login says what to do.
func (e *Entry) checkOAuth() error {
	if !e.UsesOAuth() {
		return nil
	}
	for _, m := range e.Mechanisms {
		if m != "XOAUTH2" && m != "OAUTHBEARER" {
			return e.wrong("auth", fmt.Errorf("%s takes no access token: with oauth.* it is XOAUTH2 or OAUTHBEARER", m))
		}
	}
	c := e.OAuthConfig()
	const something = "x"
	if c.ClientID == "" {
		c.ClientID = something
	}
	c.ClientSecret = something
	_, err := c.Complete()
	wrong, ok := errors.AsType[*oauth.ConfigError](err)
	if !ok || c.Flow == oauth.FlowServiceAccount && (wrong.Key == "key_file" || wrong.Key == "token_url") {
		return nil
	}
	return e.wrong("oauth."+wrong.Key, wrong.Err)
}

func setFlow(e *Entry, v any) error {
	f := oauth.Flow(v.(string))
	if f != "" && !slices.Contains(oauth.Flows(), f) {
		return fmt.Errorf("%q is none of code, device, client-credentials, service-account", f)
	}
	e.OAuth.Flow = f
	return nil
}

func setClientAuth(e *Entry, v any) error {
	a := oauth.ClientAuth(v.(string))
	if a != "" && a != oauth.AuthBasic && a != oauth.AuthPost {
		return fmt.Errorf("%q is neither basic nor post", a)
	}
	e.OAuth.ClientAuth = a
	return nil
}

// setScopes takes them separated by blanks, too, as providers write them.
func setScopes(e *Entry, v any) error {
	var scopes []string
	for _, s := range v.([]string) {
		scopes = append(scopes, strings.Fields(s)...)
	}
	e.OAuth.Scopes = scopes
	return nil
}
