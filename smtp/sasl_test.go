package smtp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/kaizenmail/kaizen/smtp"
)

var anywhere = smtp.ServerInfo{Host: "mx.example", Port: 587}

func newMechanism(t *testing.T, a smtp.Auth, name string, state *tls.ConnectionState) smtp.Mechanism {
	t.Helper()
	info := anywhere
	info.TLS = state
	m, err := a.Mechanism(t.Context(), name, info)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func start(t *testing.T, m smtp.Mechanism, name string) []byte {
	t.Helper()
	got, initial, err := m.Start()
	if err != nil || got != name {
		t.Fatalf("Start: %s, %v; want %s", got, err, name)
	}
	return initial
}

// login plays the whole exchange and returns what the server made of it.
func login(t *testing.T, m smtp.Mechanism, name string, server sasl.Server) error {
	t.Helper()
	response := start(t, m, name)
	for range 5 {
		challenge, done, err := server.Next(response)
		if done || err != nil {
			return err
		}
		if response, err = m.Next(challenge); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the exchange does not end")
	return nil
}

func TestPasswordMechanismsAgainstGoSasl(t *testing.T) {
	t.Parallel()
	a := smtp.Auth{Identity: "boss", Username: "user@example.com", Password: "pa=ss wörd"}
	plain := sasl.NewPlainServer(func(identity, username, password string) error {
		return same("boss user@example.com pa=ss wörd", identity, username, password)
	})
	if err := login(t, newMechanism(t, a, "PLAIN", nil), "PLAIN", plain); err != nil {
		t.Error(err)
	}
	external := sasl.NewExternalServer(func(identity string) error { return same("boss", identity) })
	if err := login(t, newMechanism(t, a, "EXTERNAL", nil), "EXTERNAL", external); err != nil {
		t.Error(err)
	}
	nobody := sasl.NewExternalServer(func(identity string) error { return same("", identity) })
	if err := login(t, newMechanism(t, smtp.Auth{}, "EXTERNAL", nil), "EXTERNAL", nobody); err != nil {
		t.Error(err)
	}
}

func same(want string, got ...string) error {
	if joined := strings.Join(got, " "); joined != want {
		return errors.New("the server saw " + joined)
	}
	return nil
}

func TestPlainRepeatsOnce(t *testing.T) {
	t.Parallel()
	m := newMechanism(t, smtp.Auth{Username: "u", Password: "p"}, "PLAIN", nil)
	start(t, m, "PLAIN")
	if response, err := m.Next(nil); err != nil || string(response) != "\x00u\x00p" {
		t.Errorf("%q, %v", response, err)
	}
	if response, err := m.Next(nil); err == nil {
		t.Errorf("answered again: %q", response)
	}
}

func TestLoginIgnoresPrompts(t *testing.T) {
	t.Parallel()
	for _, prompts := range [][]string{{"Username:", "Password:"}, {"User Name\x00", "Password\x00"}, {"", ""}, {"Benutzer?", "Kennwort?"}} {
		m := newMechanism(t, smtp.Auth{Username: "user", Password: "pass"}, "LOGIN", nil)
		if initial := start(t, m, "LOGIN"); initial != nil {
			t.Fatalf("initial response %q", initial)
		}
		for i, want := range []string{"user", "pass"} {
			if got, err := m.Next([]byte(prompts[i])); err != nil || string(got) != want {
				t.Errorf("%q: %q, %v", prompts[i], got, err)
			}
		}
		if _, err := m.Next(nil); err == nil {
			t.Error("a third prompt was answered")
		}
	}
}

// The example of RFC 2195 §2.
func TestCramVector(t *testing.T) {
	t.Parallel()
	m := newMechanism(t, smtp.Auth{Username: "tim", Password: "tanstaaftanstaaf"}, "CRAM-MD5", nil)
	if initial := start(t, m, "CRAM-MD5"); initial != nil {
		t.Fatalf("initial response %q", initial)
	}
	got, err := m.Next([]byte("<1896.697170952@postoffice.reston.mci.net>"))
	if err != nil || string(got) != "tim b913a602c7eda7a495b4e6e7334d3890" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := m.Next(nil); err == nil {
		t.Error("a second challenge was answered")
	}
}

func TestBearerAgainstGoSasl(t *testing.T) {
	t.Parallel()
	a := smtp.Auth{Username: "user@example.com", Token: someToken}
	var seen sasl.OAuthBearerOptions
	server := sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError { seen = o; return nil })
	if err := login(t, newMechanism(t, a, "OAUTHBEARER", nil), "OAUTHBEARER", server); err != nil {
		t.Fatal(err)
	}
	if want := (sasl.OAuthBearerOptions{Username: a.Username, Token: "ya29.token", Host: "mx.example", Port: 587}); seen != want {
		t.Errorf("the server saw %+v", seen)
	}
	server = sasl.NewOAuthBearerServer(func(sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
		return &sasl.OAuthBearerError{Status: "invalid_token", Scope: "mail for ya29.token"}
	})
	m := newMechanism(t, a, "OAUTHBEARER", nil)
	if err := login(t, m, "OAUTHBEARER", server); err == nil {
		t.Error("accepted")
	}
	checkRefusal(t, m, "invalid_token")
}

func checkRefusal(t *testing.T, m smtp.Mechanism, word string) {
	t.Helper()
	err := smtp.RefusedBecause(m)
	if err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "ya29") {
		t.Errorf("refused because %v; want %q and no token", err, word)
	}
	if smtp.Finished(m) == nil {
		t.Error("a login that was refused within the exchange counts as accepted")
	}
}

func TestXOAuth2(t *testing.T) {
	t.Parallel()
	a := smtp.Auth{Username: "user@example.com", Token: someToken}
	for challenge, word := range map[string]string{
		`{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}`: "401",
		`{"status":"ya29.token"}`: "<secret>",
		"":                        "without a reason",
		"not JSON":                "without a reason",
	} {
		m := newMechanism(t, a, "XOAUTH2", nil)
		if initial := start(t, m, "XOAUTH2"); string(initial) != "user=user@example.com\x01auth=Bearer ya29.token\x01\x01" {
			t.Errorf("%q", initial)
		}
		if err := smtp.Finished(m); err != nil {
			t.Error(err)
		}
		if response, err := m.Next([]byte(challenge)); err != nil || response == nil || len(response) != 0 {
			t.Errorf("%q, %v", response, err)
		}
		checkRefusal(t, m, word)
		if _, err := m.Next([]byte(challenge)); err == nil {
			t.Error("a second challenge was answered")
		}
	}
}

func TestTokenIsAskedAtEachLogin(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	asked, down := 0, errors.New("the issuer is down")
	a := smtp.Auth{Token: func(ctx context.Context) (string, error) {
		asked++
		if ctx.Value(key{}) != "mine" {
			t.Error("another context")
		}
		return "t", nil
	}}
	for range 2 {
		if _, err := a.Mechanism(ctx, "XOAUTH2", anywhere); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	a.Token = func(context.Context) (string, error) { return "", down }
	if _, err := a.Mechanism(ctx, "XOAUTH2", anywhere); !errors.Is(err, down) {
		t.Error(err)
	}
}

func TestUnusableCredentials(t *testing.T) {
	t.Parallel()
	token := func(s string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, nil }
	}
	for name, a := range map[string]smtp.Auth{
		"PLAIN":         {Username: "u", Password: "hunter2\x00"},
		"XOAUTH2":       {Token: token("hunter2\n")},
		"OAUTHBEARER":   {Token: token("")},
		"CRAM-MD5":      {Username: "u\x00", Password: "hunter2"},
		"SCRAM-SHA-999": {Username: "u", Password: "hunter2"},
	} {
		_, err := a.Mechanism(t.Context(), name, anywhere)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (&smtp.Auth{}).Mechanism(t.Context(), "XOAUTH2", anywhere); err == nil {
		t.Error("no token but no error")
	}
}

func TestNewReplacesMechanisms(t *testing.T) {
	t.Parallel()
	a := smtp.Auth{Username: "ignored", New: func(name string, server smtp.ServerInfo) (smtp.Mechanism, error) {
		return sasl.NewPlainClient("", name, server.Host), nil
	}}
	if initial := start(t, newMechanism(t, a, "PLAIN", nil), "PLAIN"); string(initial) != "\x00PLAIN\x00mx.example" {
		t.Errorf("%q", initial)
	}
}
