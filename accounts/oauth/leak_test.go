package oauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// planted are the secrets that the tests of this package use.
var planted = []string{clientSecret, firstRefresh, firstAccess, code, "planted-device-code-93", "planted-access-token", "planted-refresh-token", "PRIVATE KEY"}

func noSecret(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range planted {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
			if strings.Contains(text, form) {
				t.Errorf("%s shows %.9s…", what, secret)
			}
		}
	}
}

// show looks for secrets in a value as it is printed, marshalled and logged.
func show(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		var b bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&b, verb+"\n", v)
			fmt.Fprintf(&b, verb+"\n", []any{v})
		}
		marshalled, _ := json.Marshal(v)
		b.Write(marshalled)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
		noSecret(t, fmt.Sprintf("%T", v), b.String())
		if err, ok := v.(error); ok && errors.Unwrap(err) != nil {
			show(t, errors.Unwrap(err))
		}
	}
}

func TestNothingSecretIsShown(t *testing.T) {
	t.Parallel()
	file, _ := key(t)
	a := &authority{answer: granting(3600)}
	c := config(a)
	c.Key = file
	s, err := oauth.NewSource(c, oauth.SourceOptions{Token: login()})
	must(t, err)
	token := login()
	complete, err := c.Complete()
	must(t, err)
	show(t, c, &c, complete, token, &token, s, struct{ V any }{token})
	must(t, s.Close())
}

// Servers repeat what they were told, in the words of the error or in a page that is
// none of theirs.
func TestNothingSecretInErrors(t *testing.T) {
	t.Parallel()
	echo := strings.Join([]string{firstRefresh, clientSecret, url.QueryEscape(firstRefresh), base64.StdEncoding.EncodeToString([]byte(firstRefresh)), firstRefresh[:14], "eyJhbGciOi.eyJpc3MiOi.c2ln"}, " ")
	kept := login()
	kept.Access, kept.Expires = "", kept.Renewed
	for name, answer := range map[string]func(url.Values) (int, any){
		"description": refusing(400, "invalid_grant", echo),
		"code":        refusing(400, echo, ""),
		"a page":      func(url.Values) (int, any) { return 500, echo },
		"not a token": func(url.Values) (int, any) { return 200, echo },
		"no token":    func(url.Values) (int, any) { return 200, map[string]any{"error": "", "refresh_token": firstRefresh} },
		"MAC token": func(url.Values) (int, any) {
			return 200, map[string]any{"access_token": firstAccess, "token_type": clientSecret}
		},
		"redirection": func(url.Values) (int, any) { return 307, redirection("https://evil.example/?" + firstRefresh) },
	} {
		a := &authority{answer: answer}
		for _, flow := range []oauth.Flow{oauth.FlowCode, oauth.FlowClientCredentials, oauth.FlowServiceAccount} {
			c := config(a)
			c.Flow = flow
			c.Key, _ = key(t)
			s, err := oauth.NewSource(c, oauth.SourceOptions{Token: kept})
			must(t, err)
			_, err = s.Token(t.Context())
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			show(t, err)
			must(t, s.Close())
		}
		if a.count() != 3 {
			t.Errorf("%s: %d requests", name, a.count())
		}
	}
	closed := config(&authority{})
	closed.HTTP = nil
	closed.TokenURL = "http://127.0.0.1:1/token"
	kept.TokenURL = closed.TokenURL
	s, err := oauth.NewSource(closed, oauth.SourceOptions{Token: kept})
	must(t, err)
	_, err = s.Token(context.Background())
	var e *oauth.Error
	if !errors.As(err, &e) || e.Permanent() || e.Err == nil {
		t.Errorf("%v", err)
	}
	show(t, err)
	must(t, s.Close())
}

func TestWhatAPersonNeedsIsShown(t *testing.T) {
	t.Parallel()
	const text = "AADSTS70008: The refresh token has expired.\r\nTrace ID: 0b6b6c4a-21c2-4f3b-9f0e-5a4a3e1e7c00 Correlation ID: 11111111-2222-3333-4444-555555555555"
	if got := oauth.Shown(text); !strings.Contains(got, "has expired. Trace ID: 0b6b6c4a-21c2-4f3b-9f0e-5a4a3e1e7c00") {
		t.Error(got)
	}
}

func FuzzShown(f *testing.F) {
	f.Add("a b", "secret9")
	f.Add("xx"+firstRefresh+"yy", firstRefresh)
	f.Fuzz(func(t *testing.T, text, secret string) {
		got := oauth.Shown(text, secret)
		if len(secret) >= 6 && !strings.Contains("<secret>", secret) && strings.Contains(text, secret) && strings.Contains(got, secret) && !strings.Contains(secret, "<secret>") {
			t.Errorf("%q shows %q", got, secret)
		}
		if strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%q", got)
		}
	})
}

func FuzzCallback(f *testing.F) {
	f.Add("state=s&code=c", "s")
	f.Add("state=s&error=access_denied&error_description=no", "s")
	f.Add("state=s&state=t&code=c", "s")
	f.Add("%zz", "")
	f.Fuzz(func(t *testing.T, query, state string) {
		code, refusal, err := oauth.ParseCallback(query, state)
		if err == nil && ((code == "") == (refusal == "") || state == "") {
			t.Errorf("%q, %q", code, refusal)
		}
		values, _ := url.ParseQuery(query)
		if err == nil && values.Get("state") != state {
			t.Error("another's state was taken")
		}
	})
}

func FuzzServiceAccountKey(f *testing.F) {
	f.Add([]byte(`{"type":"service_account","client_email":"a@b","private_key":"x"}`))
	f.Add([]byte("\xef\xbb\xbf{}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		compact, err := oauth.CompactKey(file)
		if err == nil && (bytes.ContainsAny(compact, "\n\r") || !json.Valid(compact)) {
			t.Errorf("%q", compact)
		}
	})
}

// broken is a network that fails in the server's own words.
type broken string

func (b broken) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("malformed HTTP response %q", string(b))
}

func TestNothingSecretInErrorsOfTheNetwork(t *testing.T) {
	t.Parallel()
	kept := login()
	kept.Expires = kept.Renewed
	c := config(nil)
	c.HTTP = &http.Client{Transport: broken("you said " + firstRefresh + " and " + clientSecret)}
	s, err := oauth.NewSource(c, oauth.SourceOptions{Token: kept})
	must(t, err)
	_, err = s.Token(t.Context())
	if err == nil || !strings.Contains(err.Error(), `malformed HTTP response "you said <secret> and <secret>"`) {
		t.Errorf("%v", err)
	}
	show(t, err)
	must(t, s.Close())
}

// Secrets that are short, or have characters that are encoded.
func TestEncodedSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"planted/secret+93=", "a+/b+/c"} {
		a := &authority{answer: refusing(400, "invalid_client", "you: "+url.QueryEscape(secret)+" "+base64.StdEncoding.EncodeToString([]byte(secret))+" "+url.PathEscape(secret)+" "+
			base64.StdEncoding.EncodeToString([]byte("client:"+secret)))}
		c := config(a)
		c.Flow, c.ClientSecret = oauth.FlowClientCredentials, secret
		_, err := c.Login(t.Context(), oauth.LoginOptions{})
		if err == nil || strings.TrimLeft(strings.SplitN(err.Error(), "you: ", 2)[1], "<secrt> ") != "" {
			t.Errorf("%v", err)
		}
	}
}

// What a person has to compare with the settings is no secret, however long.
func TestSettingsAreShown(t *testing.T) {
	t.Parallel()
	const text = "The scope 'https://outlook.office.com/SMTP.Sendd' is not known to '12345-abcdefghijklmnopqrst.apps.example.com' (login.microsoftonline.com)."
	a := &authority{answer: refusing(400, "invalid_scope", text)}
	c := config(a)
	c.Flow, c.Provider, c.Tenant, c.TokenURL, c.AuthURL = oauth.FlowClientCredentials, "microsoft", "example.com", "", ""
	c.Scopes, c.ClientID = []string{"https://outlook.office.com/SMTP.Sendd"}, "12345-abcdefghijklmnopqrst.apps.example.com"
	_, err := c.Login(t.Context(), oauth.LoginOptions{})
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%v", err)
	}
}

// A page in between that has an "error" of its own says nothing about the login.
func TestWhatStopsAnAccount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status    int
		code      string
		permanent bool
	}{
		{400, "invalid_grant", true}, {401, "invalid_client", true}, {403, "access_denied", true}, {200, "invalid_grant", true}, {400, "interaction_required", true},
		{403, "Forbidden by the firewall", false}, {404, "invalid_request", false}, {429, "invalid_request", false}, {503, "invalid_client", false},
		{403, "rate_limit_exceeded", false}, {400, "internal_failure", false}, {400, "temporarily_unavailable", false}, {407, "access_denied", false}, {400, "", false},
	} {
		c := config(&authority{answer: refusing(test.status, test.code, "")})
		c.Flow = oauth.FlowClientCredentials
		_, err := c.Login(t.Context(), oauth.LoginOptions{})
		var e *oauth.Error
		if !errors.As(err, &e) || e.Permanent() != test.permanent {
			t.Errorf("%d %s: %v", test.status, test.code, err)
		}
	}
}
