package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts/oauth"
	"github.com/kaizenmail/kaizen/smtp"
)

// echoing is an authorization server that repeats what it is told, with an answer
// of its own around it.
type echoing struct {
	status int
	kind   string // of the content
	body   string // %s stands for what is repeated
}

// RoundTrip repeats a request.
func (e echoing) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	user, password, _ := r.BasicAuth()
	form, _ := url.ParseQuery(string(body))
	var said []string
	for _, secret := range []string{form.Get("refresh_token"), form.Get("client_secret"), password, user, r.Header.Get("Authorization")} {
		said = append(said, secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
			"you said "+secret[:min(len(secret), 16)])
	}
	text := strings.ReplaceAll(e.body, "%s", strings.Join(append(said, string(body)), " "))
	return &http.Response{StatusCode: e.status, Header: http.Header{"Content-Type": {e.kind}, "Location": {"https://elsewhere.example/?" + string(body)}},
		Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func tokens(over http.RoundTripper, auth oauth.ClientAuth) (oauth.Config, oauth.Token) {
	const tokenURL = "https://login.example/token"
	return oauth.Config{ClientID: "client", ClientSecret: secrets["an OAuth client secret"], AuthURL: "https://login.example/auth", TokenURL: tokenURL,
			RevokeURL: "https://login.example/revoke", ClientAuth: auth, HTTP: &http.Client{Transport: over}},
		oauth.Token{Access: secrets["an OAuth token"], Refresh: secrets["an OAuth refresh token"], Expires: time.Now(), Renewed: time.Now(), Login: time.Now(),
			ClientID: "client", TokenURL: tokenURL}
}

// An authorization server repeats secrets in each part of its answer, and the mail
// server what it gets.
func TestOAuthTellsNoSecrets(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]echoing{
		"a description":    {400, "application/json", `{"error": "invalid_grant", "error_description": "%s"}`},
		"a code":           {400, "application/json", `{"error": "%s"}`},
		"a form":           {401, "application/x-www-form-urlencoded", "error=invalid_client&error_description=%s"},
		"a page":           {403, "text/html", "<p>%s</p>"},
		"text":             {500, "text/plain", "%s"},
		"what is no token": {200, "application/json", `{"token": "%s"}`},
		"broken JSON":      {200, "application/json", `{"access_token": "%s`},
		"a kind of token":  {200, "application/json", `{"access_token": "x", "token_type": "%s"}`},
		"a redirection":    {302, "text/html", "%s"},
		"a blank in it":    {200, "application/json", `{"access_token": "%s", "token_type": "Bearer"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, auth := range []oauth.ClientAuth{oauth.AuthBasic, oauth.AuthPost} {
				s := newStage(t)
				config, token := tokens(answer, auth)
				source, err := oauth.NewSource(config, oauth.SourceOptions{Token: token, Hint: "log in again", Trouble: func(err error) { s.show("trouble", err) }})
				if err != nil {
					t.Fatal(err)
				}
				_, err = source.Token(t.Context())
				s.show("the source", err, source, config, token)
				revoked, err := config.Revoke(t.Context(), token)
				s.show("revoking", revoked, err)
				e := newEcho(t, atLogin, "XOAUTH2")
				a := kaizen.Account{TLS: smtp.TLSNone, Auth: &smtp.Auth{Username: "ann", Token: source.Token, TokenRefused: source.Refused, Grant: "1"}, Limits: kaizen.Limits{Rates: kaizen.NoRate(), Connections: 1}}
				host, port, err := net.SplitHostPort(e.addr())
				if err != nil {
					t.Fatal(err)
				}
				a.Host = host
				if _, err := fmt.Sscan(port, &a.Port); err != nil {
					t.Fatal(err)
				}
				client := kaizen.New(kaizen.Config{})
				err = client.Verify(t.Context(), a)
				s.show("verifying", err, a, a.Auth)
				if err == nil || errors.Is(err, kaizen.ErrTLS) {
					t.Error(err)
				}
				if err := errors.Join(client.Close(), source.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Tokens that are good, to a mail server that repeats them.
func TestGoodTokensAreNotTold(t *testing.T) {
	t.Parallel()
	answer := fmt.Sprintf(`{"access_token": %q, "refresh_token": %q, "token_type": "Bearer", "expires_in": 3600}`, secrets["an OAuth token"], secrets["an OAuth refresh token"])
	config, token := tokens(echoing{200, "application/json", answer}, oauth.AuthBasic)
	source, err := oauth.NewSource(config, oauth.SourceOptions{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	e := newEcho(t, atLogin, "XOAUTH2")
	host, port, err := net.SplitHostPort(e.addr())
	if err != nil {
		t.Fatal(err)
	}
	a := kaizen.Account{Host: host, TLS: smtp.TLSNone, Auth: &smtp.Auth{Username: "ann", Token: source.Token, TokenRefused: source.Refused, Grant: "1"},
		Limits: kaizen.Limits{Rates: kaizen.NoRate(), Connections: 1}}
	if _, err := fmt.Sscan(port, &a.Port); err != nil {
		t.Fatal(err)
	}
	newStage(t).exercise(string(atLogin), a)
	if !e.knows(secrets["an OAuth token"]) {
		t.Error("the server was not told the token")
	}
}
