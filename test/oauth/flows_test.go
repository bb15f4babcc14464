package oauth_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// native is the settings of a program without a secret.
func (a *authority) native() oauth.Config {
	return oauth.Config{ClientID: "native", Scopes: []string{"openid", "email", "offline_access"}, AuthURL: a.url + "/auth",
		TokenURL: a.url + "/oauth/token", DeviceURL: a.url + "/device_authorization", RevokeURL: a.url + "/revoke"}
}

// serviceKey is the JSON file of a service account.
func (a *authority) serviceKey(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	must(t, err)
	key, err := json.Marshal(map[string]string{"type": "service_account", "client_email": robot, "private_key_id": "key1", "token_uri": a.url,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	must(t, err)
	return key
}

// login has a person log in.
func login(t *testing.T, c oauth.Config, do func(oauth.Prompt) error) (oauth.Token, error) {
	t.Helper()
	var person sync.WaitGroup
	defer person.Wait()
	return c.Login(t.Context(), oauth.LoginOptions{Address: mailbox, Show: func(p oauth.Prompt) {
		person.Go(func() {
			if err := do(p); err != nil {
				t.Error(err)
			}
		})
	}})
}

func byBrowser(p oauth.Prompt) error { return browse(p.URL) }

func TestEachFlow(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	device, credentials, web := a.native(), a.native(), a.native()
	device.Flow = oauth.FlowDevice
	credentials.Flow, credentials.ClientID, credentials.ClientSecret, credentials.Scopes = oauth.FlowClientCredentials, "sid1", serviceSecret, []string{"openid"}
	posted := credentials
	posted.ClientAuth = oauth.AuthPost
	web.ClientID, web.ClientSecret, web.Flow = "web", webSecret, oauth.FlowDevice
	account := oauth.Config{Flow: oauth.FlowServiceAccount, Key: a.serviceKey(t), Subject: robot, Scopes: []string{"openid"}}
	for name, test := range map[string]struct {
		config  oauth.Config
		person  func(oauth.Prompt) error
		user    string
		refresh bool
	}{
		"code":                       {a.native(), byBrowser, mailbox, true},
		"device":                     {device, func(p oauth.Prompt) error { return typeIn(p.URL, p.Code, "allowed") }, mailbox, true},
		"device, with a secret":      {web, func(p oauth.Prompt) error { return typeIn(p.URL, p.Code, "allowed") }, mailbox, true},
		"client credentials":         {credentials, nil, robot, false},
		"client credentials, posted": {posted, nil, robot, false},
		"service account":            {account, nil, robot, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := login(t, test.config, test.person)
			must(t, err)
			if !a.takes(test.user, token.Access) || (token.Refresh != "") != test.refresh || time.Until(token.Expires) > 5*time.Minute || time.Until(token.Expires) < 4*time.Minute {
				t.Errorf("%v, renews %v", token, token.Refresh != "")
			}
			token.Expires = time.Now()
			source, err := oauth.NewSource(test.config, oauth.SourceOptions{Token: token})
			must(t, err)
			next, err := source.Token(t.Context())
			if err != nil || next == token.Access || !a.takes(test.user, next) {
				t.Errorf("the next token: %v", err)
			}
			must(t, source.Close())
		})
	}
}

func TestPersonRefusesTheDevice(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	c := a.native()
	c.Flow = oauth.FlowDevice
	_, err := login(t, c, func(p oauth.Prompt) error { return typeIn(p.URL, p.Code, "denied") })
	var e *oauth.Error
	if !errors.As(err, &e) || !e.Permanent() || e.Code != "access_denied" {
		t.Errorf("%v", err)
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	c := a.native()
	c.Flow, c.ClientID, c.ClientSecret = oauth.FlowClientCredentials, "sid1", "planted-wrong-secret-93"
	_, err := c.Login(t.Context(), oauth.LoginOptions{})
	var e *oauth.Error
	if !errors.As(err, &e) || !e.Permanent() {
		t.Errorf("%v", err)
	}
	t.Log(err)
}

// The refresh token before is of no use once there is another.
func TestRotation(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	first, err := login(t, a.native(), byBrowser)
	must(t, err)
	expired := first
	expired.Expires = time.Now()
	for i, permanent := range []bool{false, true} {
		source, err := oauth.NewSource(a.native(), oauth.SourceOptions{Token: expired, Hint: "log in again"})
		must(t, err)
		_, err = source.Token(t.Context())
		var e *oauth.Error
		if errors.As(err, &e) != permanent || permanent && (!e.Permanent() || e.Code != "invalid_grant") {
			t.Errorf("%d: %v", i, err)
		}
		if !permanent && source.Current().Refresh == first.Refresh {
			t.Error("the refresh token is the same")
		}
		must(t, source.Close())
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	token, err := login(t, a.native(), byBrowser)
	must(t, err)
	done, err := a.native().Revoke(t.Context(), token)
	if !done || err != nil {
		t.Fatal(done, err)
	}
	token.Expires = time.Now()
	source, err := oauth.NewSource(a.native(), oauth.SourceOptions{Token: token})
	must(t, err)
	defer source.Close()
	if _, err := source.Token(t.Context()); err == nil {
		t.Error("renewed after it was revoked")
	}
}
