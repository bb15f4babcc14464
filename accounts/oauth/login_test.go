package oauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

const code = "planted-code-93-once"

// visit opens an address as a browser would, and returns the page.
func visit(t *testing.T, address string) (int, string) {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, string(page)
}

// byCode logs in; the browser comes back with the query that answer makes of the
// state.
func byCode(t *testing.T, c oauth.Config, back func(address url.Values)) (oauth.Token, error) {
	t.Helper()
	var browsing sync.WaitGroup
	defer browsing.Wait()
	return c.Login(t.Context(), oauth.LoginOptions{Address: "ann@example.com", Show: func(p oauth.Prompt) {
		u, err := url.Parse(p.URL)
		if err != nil {
			t.Error(err)
			return
		}
		browsing.Go(func() { back(u.Query()) })
	}})
}

func TestLoginByCode(t *testing.T) {
	t.Parallel()
	a := &authority{answer: granting(3600)}
	var asked url.Values
	got, err := byCode(t, config(a), func(q url.Values) {
		asked = q
		back := q.Get("redirect_uri")
		for _, query := range []string{"", "?state=other&code=" + code, "?code=" + code, "?state=" + q.Get("state"), "?state=" + q.Get("state") + "&code=a&code=b"} {
			if status, _ := visit(t, back+"/"+query); status != 400 {
				t.Errorf("%q: %d", query, status)
			}
		}
		if status, _ := visit(t, back+"/favicon.ico"); status != 404 {
			t.Errorf("favicon: %d", status)
		}
		if status, page := visit(t, back+"/?state="+q.Get("state")+"&code="+code); status != 200 || strings.Contains(page, code) {
			t.Errorf("%d %s", status, page)
		}
	})
	must(t, err)
	form := a.requests[0]
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	if base64.RawURLEncoding.EncodeToString(challenge[:]) != asked.Get("code_challenge") || asked.Get("code_challenge_method") != "S256" {
		t.Error("the verifier does not fit the challenge")
	}
	if form.Get("code") != code || form.Get("redirect_uri") != asked.Get("redirect_uri") || asked.Get("login_hint") != "ann@example.com" || asked.Get("client_id") != "client" {
		t.Errorf("%v, %v", asked, form)
	}
	if got.Access != numbered("access", 1) || got.Refresh != numbered("refresh", 1) || got.Login.IsZero() || len(got.Scopes) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestPersonSaysNo(t *testing.T) {
	t.Parallel()
	a := &authority{answer: granting(3600)}
	_, err := byCode(t, config(a), func(q url.Values) {
		visit(t, q.Get("redirect_uri")+"/?error=access_denied&error_description=The+user+said+no&state="+q.Get("state"))
	})
	var e *oauth.Error
	if !errors.As(err, &e) || e.Code != "access_denied" || !e.Permanent() || !strings.Contains(err.Error(), "The user said no") || a.count() != 0 {
		t.Errorf("%v, %d requests", err, a.count())
	}
}

func TestLoginIsGivenUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := config(&authority{}).Login(ctx, oauth.LoginOptions{Show: func(oauth.Prompt) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestProvidersAddresses(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]string{
		"google":    "https://accounts.google.com/o/oauth2/v2/auth access_type=offline prompt=consent scope=https://mail.google.com/ http://127.0.0.1:",
		"microsoft": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize scope=https://outlook.office.com/SMTP.Send offline_access http://localhost:",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		_, _ = oauth.Config{Provider: provider, ClientID: "client"}.Login(ctx, oauth.LoginOptions{Show: func(p oauth.Prompt) {
			defer cancel()
			u, err := url.Parse(p.URL)
			if err != nil {
				t.Error(err)
				return
			}
			q := u.Query()
			shown := u.Scheme + "://" + u.Host + u.Path + " access_type=" + q.Get("access_type") + " prompt=" + q.Get("prompt") + " scope=" + q.Get("scope") + " " + q.Get("redirect_uri")
			shown = strings.ReplaceAll(strings.ReplaceAll(shown, " access_type= ", " "), " prompt= ", " ")
			shown = strings.Replace(shown, " prompt= scope", " scope", 1)
			if !strings.HasPrefix(shown, want) {
				t.Errorf("%s, want %s", shown, want)
			}
		}})
	}
}

func TestLoginByDevice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{}
		polls, grant := 0, granting(3600)
		a.answer = func(form url.Values) (int, any) {
			if form.Get("grant_type") == "" {
				return 200, map[string]any{"device_code": "planted-device-code-93", "user_code": "ABCD-EFGH", "verification_uri": "https://login.example/device", "expires_in": 900, "interval": 5}
			}
			switch polls++; polls {
			case 1:
				return 400, map[string]any{"error": "authorization_pending"}
			case 2:
				return 400, map[string]any{"error": "slow_down"}
			case 3:
				return 502, "no"
			}
			return grant(form)
		}
		c := config(a)
		c.Flow = oauth.FlowDevice
		var shown oauth.Prompt
		got, err := c.Login(t.Context(), oauth.LoginOptions{Show: func(p oauth.Prompt) { shown = p }})
		must(t, err)
		if shown.Code != "ABCD-EFGH" || shown.URL != "https://login.example/device" || time.Until(shown.Expires) > 15*time.Minute || got.Refresh == "" {
			t.Errorf("%+v %+v", shown, got)
		}
	})
}

func TestDeviceCodeEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: func(form url.Values) (int, any) {
			if form.Get("grant_type") == "" {
				return 200, map[string]any{"device_code": "planted-device-code-93", "user_code": "ABCD-EFGH", "verification_uri": "https://login.example/device", "expires_in": 60}
			}
			return 400, map[string]any{"error": "authorization_pending"}
		}}
		c := config(a)
		c.Flow = oauth.FlowDevice
		_, err := c.Login(t.Context(), oauth.LoginOptions{Show: func(oauth.Prompt) {}})
		if err == nil || !strings.Contains(err.Error(), "start again") {
			t.Errorf("%v", err)
		}
	})
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	a := &authority{answer: granting(3600)}
	c := config(a)
	c.Flow, c.ClientAuth = oauth.FlowClientCredentials, oauth.AuthPost
	got, err := c.Login(t.Context(), oauth.LoginOptions{})
	must(t, err)
	if f := a.requests[0]; f.Get("grant_type") != "client_credentials" || f.Get("client_secret") != clientSecret || f.Get("scope") != "mail" || got.Access == "" {
		t.Errorf("%v", f)
	}
}

var signing = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// key is that of a service account.
func key(t *testing.T) ([]byte, *rsa.PrivateKey) {
	t.Helper()
	private, err := signing()
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	file, err := json.MarshalIndent(map[string]string{"type": "service_account", "client_email": "robot@project.example", "private_key_id": "id7",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://login.example/token"}, "", "  ")
	must(t, err)
	return file, private
}

func TestServiceAccount(t *testing.T) {
	t.Parallel()
	file, private := key(t)
	compact, err := oauth.CompactKey(file)
	must(t, err)
	if strings.Contains(string(compact), "\n") {
		t.Error("not on one line")
	}
	a := &authority{answer: granting(3600)}
	s, err := oauth.NewSource(oauth.Config{Flow: oauth.FlowServiceAccount, Key: compact, Subject: "ann@example.com", Scopes: []string{"mail"}, HTTP: &http.Client{Transport: a}}, oauth.SourceOptions{})
	must(t, err)
	if got, err := s.Token(t.Context()); got != numbered("access", 1) || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	must(t, s.Close())
	form := a.requests[0]
	if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		t.Errorf("%v", form.Get("grant_type"))
	}
	parts := strings.Split(form.Get("assertion"), ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	must(t, err)
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	must(t, rsa.VerifyPKCS1v15(&private.PublicKey, 5, sum[:], signature)) // 5 is crypto.SHA256
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var claims struct{ Iss, Sub, Aud, Scope string }
	must(t, json.Unmarshal(payload, &claims))
	if claims.Iss != "robot@project.example" || claims.Sub != "ann@example.com" || claims.Aud != "https://login.example/token" || claims.Scope != "mail" {
		t.Errorf("%+v", claims)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	a := &authority{answer: func(url.Values) (int, any) { return 200, nil }}
	done, err := config(a).Revoke(t.Context(), login())
	if !done || err != nil || a.requests[0].Get("token") != firstRefresh {
		t.Errorf("%v %v", done, err)
	}
	a.become(refusing(503, "", ""))
	if done, err := config(a).Revoke(t.Context(), login()); done || err == nil || strings.Contains(err.Error(), firstRefresh) {
		t.Errorf("%v %v", done, err)
	}
	c := config(a)
	c.RevokeURL = ""
	if done, err := c.Revoke(t.Context(), login()); done || err != nil {
		t.Errorf("%v %v", done, err)
	}
}

// What a broken server says about a device ends the login, not the program.
func TestDeviceAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]any{
		"null": nil, "a list": []int{1}, "a text": "yes", "nothing": map[string]any{},
		"no code":    map[string]any{"user_code": "A", "verification_uri": "https://login.example/d"},
		"no address": map[string]any{"device_code": "planted-device-code-93", "user_code": "A"},
	} {
		a := &authority{answer: func(url.Values) (int, any) { return 200, body }}
		c := config(a)
		c.Flow = oauth.FlowDevice
		_, err := c.Login(t.Context(), oauth.LoginOptions{Show: func(oauth.Prompt) { t.Errorf("%s is shown", name) }})
		var e *oauth.Error
		if !errors.As(err, &e) || e.Permanent() || a.count() != 1 {
			t.Errorf("%s: %v, %d requests", name, err, a.count())
		}
	}
}

func TestDeviceIsRefused(t *testing.T) {
	t.Parallel()
	a := &authority{answer: refusing(400, "unauthorized_client", "no devices here")}
	c := config(a)
	c.Flow = oauth.FlowDevice
	_, err := c.Login(t.Context(), oauth.LoginOptions{Show: func(oauth.Prompt) {}})
	var e *oauth.Error
	if !errors.As(err, &e) || e.Code != "unauthorized_client" || !strings.Contains(err.Error(), "no devices here") || !e.Permanent() {
		t.Errorf("%v", err)
	}
	if form := a.requests[0]; form.Get("client_id") != "client" || form.Get("scope") != "mail" || form.Has("client_secret") {
		t.Errorf("%v", form)
	}
}

// A network that fails while a person types is asked less and less often (RFC 8628
// §3.5), and what the server says in quotes is a number, too.
func TestDeviceWaitsLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		began := time.Now()
		a := &authority{}
		a.answer = func(form url.Values) (int, any) {
			if form.Get("grant_type") == "" {
				return 200, map[string]any{"device_code": "planted-device-code-93", "user_code": "A", "verification_url": "https://login.example/d", "expires_in": "900", "interval": "2"}
			}
			asked = append(asked, time.Since(began))
			if len(asked) < 4 {
				return 502, nil
			}
			return 400, map[string]any{"error": "expired_token"}
		}
		c := config(a)
		c.Flow = oauth.FlowDevice
		_, err := c.Login(t.Context(), oauth.LoginOptions{Show: func(p oauth.Prompt) {
			if got := time.Until(p.Expires); got != 15*time.Minute {
				t.Errorf("%v", got)
			}
		}})
		if err == nil || !strings.Contains(err.Error(), "start again") {
			t.Errorf("%v", err)
		}
		if want := []time.Duration{2 * time.Second, 6 * time.Second, 14 * time.Second, 30 * time.Second}; !slices.Equal(asked, want) {
			t.Errorf("%v, want %v", asked, want)
		}
	})
}

func TestRevokedAlready(t *testing.T) {
	t.Parallel()
	a := &authority{answer: refusing(400, "invalid_token", "Token expired or revoked")} // as Google
	if done, err := config(a).Revoke(t.Context(), login()); !done || err != nil {
		t.Errorf("%v %v", done, err)
	}
	a.become(refusing(401, "invalid_client", "who are you, "+clientSecret))
	if _, err := config(a).Revoke(t.Context(), login()); err == nil || !strings.Contains(err.Error(), "invalid_client: who are you, <secret>") {
		t.Errorf("%v", err)
	}
}

// Browsers may take "localhost" for ::1: nobody else must be waiting there.
func TestNobodyElseGetsTheCode(t *testing.T) {
	t.Parallel()
	stranger, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		// skip: only where there is IPv6
		t.Skip(err)
	}
	defer stranger.Close()
	c := config(&authority{answer: granting(3600)})
	c.Provider = "microsoft"
	_, err = c.Login(t.Context(), oauth.LoginOptions{Port: stranger.Addr().(*net.TCPAddr).Port, Show: func(oauth.Prompt) { t.Error("a person is sent there") }})
	if err == nil || !strings.Contains(err.Error(), "another program listens on [::1]:") {
		t.Errorf("%v", err)
	}
	must(t, stranger.Close())
	_, err = byCode(t, c, func(q url.Values) {
		back, err := url.Parse(q.Get("redirect_uri"))
		if err != nil || back.Hostname() != "localhost" {
			t.Errorf("%v %v", back, err)
			return
		}
		for _, host := range []string{"127.0.0.1", "[::1]"} { // the second one finds that all is said
			if answer, err := http.Get("http://" + host + ":" + back.Port() + "/?state=" + q.Get("state") + "&code=" + code); err == nil {
				answer.Body.Close()
				return
			}
		}
		t.Error("nobody listens")
	})
	must(t, err)
}
