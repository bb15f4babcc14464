package oauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

const (
	clientSecret = "GOCSPX-planted-client-secret-93"
	firstRefresh = "1//planted-refresh-token-zero-93"
	firstAccess  = "ya29.planted-access-token-zero-93"
)

// authority is an authorization server without a network, which also works in a
// bubble of synctest.
type authority struct {
	mu       sync.Mutex
	requests []url.Values
	answer   func(form url.Values) (status int, body any)
	gate     chan struct{} // if set, requests wait for it
}

// RoundTrip answers a request.
func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.requests = append(a.requests, r.PostForm)
	gate, answer := a.gate, a.answer
	a.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		}
	}
	w := httptest.NewRecorder()
	status, body := answer(r.PostForm)
	if where, ok := body.(redirection); ok {
		w.Header().Set("Location", string(where))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
	return w.Result(), nil
}

type redirection string

func (a *authority) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.requests)
}

func (a *authority) become(answer func(url.Values) (int, any)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// granting gives tokens that last so many seconds, numbered from 1, each with
// another refresh token.
func granting(seconds int) func(url.Values) (int, any) {
	n := 0
	return func(url.Values) (int, any) {
		n++
		return 200, map[string]any{"access_token": numbered("access", n), "refresh_token": numbered("refresh", n),
			"token_type": "Bearer", "expires_in": seconds, "scope": "mail offline"}
	}
}

func numbered(kind string, n int) string {
	return "planted-" + kind + "-token-93-" + string(rune('a'+n-1))
}

func refusing(status int, code, description string) func(url.Values) (int, any) {
	return func(url.Values) (int, any) {
		return status, map[string]any{"error": code, "error_description": description}
	}
}

func config(a *authority) oauth.Config {
	return oauth.Config{ClientID: "client", ClientSecret: clientSecret, AuthURL: "https://login.example/auth", TokenURL: "https://login.example/token",
		DeviceURL: "https://login.example/device", RevokeURL: "https://login.example/revoke", Scopes: []string{"mail"}, HTTP: &http.Client{Transport: a}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
