package accounts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// authority gives out tokens, each with another refresh token. The device flow has
// nobody wait: the person is quick.
type authority struct {
	mu      sync.Mutex
	seconds int // that tokens last
	forms   []url.Values
}

// RoundTrip answers a request.
func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	var answer map[string]any
	switch r.URL.Path {
	case "/device":
		answer = map[string]any{"device_code": secret + "-device", "user_code": "ABCD", "verification_uri": "https://login.example/d", "expires_in": 900, "interval": 1}
	case "/token":
		a.forms = append(a.forms, r.PostForm)
		n := len(a.forms)
		answer = map[string]any{"access_token": fmt.Sprintf("%s-access-%d", secret, n), "refresh_token": fmt.Sprintf("%s-refresh-%d", secret, n), "token_type": "Bearer", "expires_in": a.seconds}
	}
	_ = json.NewEncoder(w).Encode(answer)
	return w.Result(), nil
}

func (a *authority) asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.forms)
}

func (a *authority) last(seconds int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seconds = seconds
}

func (a *authority) options(o *accounts.Options) { o.HTTP = &http.Client{Transport: a} }

// tokenEntry is an account with OAuth.
func tokenEntry() accounts.Entry {
	return accounts.Entry{Name: "work", Host: "mx.example.com", Address: "ann@example.com", OAuth: accounts.OAuth{Flow: oauth.FlowDevice, ClientID: "client",
		Scopes: []string{"mail"}, TokenURL: "https://login.example/token", DeviceURL: "https://login.example/device", RevokeURL: "https://login.example/revoke"}}
}

// loggedIn is a store with an account that is logged in; its token has ended.
func loggedIn(t *testing.T, dir string, change ...func(*accounts.Options)) (*accounts.Store, *authority) {
	t.Helper()
	a := &authority{seconds: 1}
	s := open(t, dir, append(change, a.options)...)
	must(t, s.Put(t.Context(), tokenEntry()))
	logIn(t, s)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, a
}

func logIn(t *testing.T, s *accounts.Store) oauth.Token {
	t.Helper()
	token, err := s.Login(t.Context(), "work", oauth.LoginOptions{Show: func(oauth.Prompt) {}})
	must(t, err)
	return token
}

func TestOAuthSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kaizen.toml"), `
[accounts.work]
provider = "office365"
address = "ann@example.com"
oauth.client_id = "client"
oauth.tenant = "example.com"
[accounts.other]
host = "mx"
address = "ann@example.com"
[accounts.other.oauth]
flow = "device"
client_id = "client"
scopes = ["a b", "c"]
token_url = "https://login.example/token"
device_url = "https://login.example/device"
redirect_port = 8123
client_auth = "post"
`)
	s := open(t, dir)
	e, err := s.Entry("work")
	must(t, err)
	c, err := e.OAuthConfig().Complete()
	must(t, err)
	if c.Provider != "microsoft" || c.Flow != oauth.FlowCode || c.TokenURL != "https://login.microsoftonline.com/example.com/oauth2/v2.0/token" {
		t.Errorf("%+v", c)
	}
	shown := fmt.Sprint(e.Settings())
	for _, part := range []string{"{oauth.flow code default}", "{oauth.provider microsoft preset office365}", "{oauth.scopes https://outlook.office.com/SMTP.Send, offline_access default}"} {
		if !strings.Contains(shown, part) {
			t.Errorf("no %s in %s", part, shown)
		}
	}
	if strings.Contains(shown, "password") {
		t.Errorf("a password in %s", shown)
	}
	other, err := s.Entry("other")
	must(t, err)
	if a, err := other.Account(); err != nil || a.Username != "ann@example.com" || len(other.OAuth.Scopes) != 3 || other.OAuth.RedirectPort != 8123 {
		t.Errorf("%v %+v", err, other.OAuth)
	}
	other.Name = "copy"
	must(t, s.Put(t.Context(), other))
	again, err := s.Entry("copy")
	must(t, err)
	if fmt.Sprint(again.OAuth) != fmt.Sprint(other.OAuth) {
		t.Errorf("%+v", again.OAuth)
	}
}

func TestOAuthSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	for text, part := range map[string]string{
		"provider = 'gmail'\noauth.flow = 'device'":                                                          "work.oauth.flow: Google permits no mail",
		"provider = 'gmail'\noauth.flow = 'magic'":                                                           "oauth.flow: \"magic\" is none of",
		"provider = 'gmail'\noauth.client_id = 'x'\nauth = ['PLAIN']":                                        "work.auth: PLAIN takes no access token",
		"provider = 'gmail'\noauth.client_secret = '" + secret + "'":                                         "a password must not stand in this file",
		"provider = 'gmail'\noauth.clientid = 'x'":                                                           "did you mean \"client_id\"?",
		"provider = 'gmail'\noauth = 'x'":                                                                    "unknown key",
		"provider = 'gmail'\noauth.client_auth = 'jwt'":                                                      "neither basic nor post",
		"host = 'mx'\naddress = 'a@b.example'\noauth.client_id = 'x'":                                        "work.oauth.auth_url: missing",
		"provider = 'gmail'\noauth.auth_url = 'https://a.example'\noauth.token_url = 'http://example.com/t'": "must begin with https",
		"provider = 'office365'\noauth.flow = 'client-credentials'":                                          "work.oauth.tenant: missing",
		"host = 'mx'\naddress = 'a@b.example'\noauth.redirect_port = 70000\nport=1":                          "70000 is not a number",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "accounts.d", "work.toml"), "address = 'ann@example.com'\n"+strings.Replace(text, "address = 'a@b.example'\n", "", 1)+"\n")
		e, err := open(t, dir).Entry("work")
		if err == nil {
			_, err = e.Account()
		}
		var wrong *accounts.FileError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), secret) {
			t.Errorf("%v, want %s", err, part)
		}
	}
}

func TestOneSourceHoweverOftenResolved(t *testing.T) {
	t.Parallel()
	s, a := loggedIn(t, t.TempDir())
	a.last(3600)
	before := a.asked()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			if i%10 == 0 {
				e := tokenEntry()
				e.Connections = i + 1
				must(t, s.Put(t.Context(), e))
				s.Forget("work")
			}
			account := resolve(t, s, "work")
			if token, err := account.Auth.Token(t.Context()); err != nil || token != fmt.Sprintf("%s-access-%d", secret, before+1) {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if a.asked() != before+1 {
		t.Errorf("%d requests", a.asked()-before)
	}
}

// Connections are kept over renewals, and not over a new login or other settings.
func TestFingerprintGoesByTheLogin(t *testing.T) {
	t.Parallel()
	s, a := loggedIn(t, t.TempDir())
	first := resolve(t, s, "work").Auth.Fingerprint()
	_, err := resolve(t, s, "work").Auth.Token(t.Context())
	must(t, err)
	if resolve(t, s, "work").Auth.Fingerprint() != first {
		t.Error("another one after a renewal")
	}
	if other := resolve(t, open(t, s.Dir(), a.options), "work").Auth; other.Fingerprint() != first {
		t.Error("another one in another process")
	}
	logIn(t, s)
	second := resolve(t, s, "work").Auth.Fingerprint()
	if second == first {
		t.Error("the same after a login")
	}
	e := tokenEntry()
	e.OAuth.Scopes = []string{"more"}
	must(t, s.Put(t.Context(), e))
	if resolve(t, s, "work").Auth.Fingerprint() == second {
		t.Error("the same with other scopes")
	}
}

func TestTokensGoWithTheAccount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := loggedIn(t, dir)
	account := resolve(t, s, "work")
	must(t, s.Remove(t.Context(), "work"))
	if _, err := account.Auth.Token(t.Context()); err == nil {
		t.Log("what is in memory goes on")
	}
	must(t, s.Close())
	if left, err := os.ReadDir(filepath.Join(dir, "tokens")); err != nil || len(left) > 1 { // the lock of the last renewal
		t.Errorf("%v %v", left, err)
	}
	again := open(t, dir)
	must(t, again.Add(t.Context(), tokenEntry(), ""))
	if _, err := again.Account(t.Context(), "work"); !errors.Is(err, accounts.ErrNoSecret) || !strings.Contains(err.Error(), "kaizen account login work") {
		t.Errorf("%v", err)
	}
}

func TestRekeyTakesTokensAlong(t *testing.T) {
	t.Parallel()
	for _, to := range []accounts.KeyKind{accounts.KeyFile, accounts.KeyKeyring, accounts.KeyPassphrase} {
		t.Run(to.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ring := keyring{}
			with := func(o *accounts.Options) { o.Keyring, o.Passphrase = ring, answering("carry it") }
			s, a := loggedIn(t, dir, with)
			before := read(t, dir, "tokens", "work.age")
			report, err := s.Rekey(t.Context(), accounts.RekeyOptions{Key: accounts.Key{Kind: to}})
			must(t, err)
			if report.Tokens != 1 || read(t, dir, "tokens", "work.age") == before {
				t.Errorf("%+v", report)
			}
			other := open(t, dir, with, a.options)
			defer other.Close()
			a.last(3600)
			_, err = resolve(t, other, "work").Auth.Token(t.Context())
			must(t, err)
			kept, err := s.Token(t.Context(), "work")
			must(t, err)
			if kept.Refresh != fmt.Sprintf("%s-refresh-%d", secret, a.asked()) {
				t.Errorf("%v", kept)
			}
		})
	}
}

func TestBundleCarriesTokens(t *testing.T) {
	t.Parallel()
	s, a := loggedIn(t, t.TempDir())
	var bundle bytes.Buffer
	report, err := s.Export(t.Context(), &bundle, accounts.ExportOptions{SecretsInTheClear: true})
	must(t, err)
	if len(report.Tokens) != 1 || len(report.Missing) != 0 {
		t.Errorf("%+v", report)
	}
	to := open(t, t.TempDir(), a.options)
	defer to.Close()
	imported, err := to.Import(t.Context(), bytes.NewReader(bundle.Bytes()), accounts.ImportOptions{})
	must(t, err)
	if len(imported.Tokens) != 1 || len(imported.Missing) != 0 {
		t.Errorf("%+v", imported)
	}
	_, err = resolve(t, to, "work").Auth.Token(t.Context())
	must(t, err)

	var bare bytes.Buffer
	report, err = s.Export(t.Context(), &bare, accounts.ExportOptions{WithoutSecrets: true})
	must(t, err)
	if len(report.Tokens) != 0 || len(report.Missing) != 1 || strings.Contains(bare.String(), secret) {
		t.Errorf("%+v", report)
	}
	// Tokens and the client's secret must not go to whomever a bundle names.
	for _, change := range []string{"mx.example.com", "login.example/token"} {
		evil := strings.ReplaceAll(bare.String(), change, "evil."+change)
		dir := t.TempDir()
		into, _ := loggedIn(t, dir)
		must(t, into.SetSecret(t.Context(), "work", secret))
		imported, err := into.Import(t.Context(), strings.NewReader(evil), accounts.ImportOptions{Overwrite: true})
		must(t, err)
		known, err := into.HasSecret(t.Context(), "work")
		must(t, err)
		if token, err := into.Token(t.Context(), "work"); err != nil || !token.IsZero() || known || len(imported.Missing) != 1 {
			t.Errorf("%s: %v, %v, %v, %+v", change, token, err, known, imported)
		}
	}
}

func TestServiceAccountKey(t *testing.T) {
	t.Parallel()
	dir, a := t.TempDir(), &authority{seconds: 3600}
	s := open(t, dir, a.options)
	defer s.Close()
	e := tokenEntry()
	e.OAuth = accounts.OAuth{Flow: oauth.FlowServiceAccount, KeyFile: "robot.json", Scopes: []string{"mail"}}
	must(t, s.Put(t.Context(), e))
	_, err := s.Account(t.Context(), "work")
	if !errors.Is(err, accounts.ErrNoSecret) {
		t.Errorf("%v", err)
	}
	write(t, filepath.Join(dir, "robot.json"), `{"type":"`+secret+`"}`)
	_, err = s.Account(t.Context(), "work")
	if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "oauth.key_file") {
		t.Errorf("%v", err)
	}
}

func TestClientSecretIsUsed(t *testing.T) {
	t.Parallel()
	a := &authority{seconds: 3600}
	s := open(t, t.TempDir(), a.options)
	defer s.Close()
	e := tokenEntry()
	e.OAuth.Flow, e.OAuth.ClientAuth = oauth.FlowClientCredentials, oauth.AuthPost
	must(t, s.Put(t.Context(), e))
	if _, err := s.Account(t.Context(), "work"); !errors.Is(err, accounts.ErrNoSecret) {
		t.Errorf("%v", err)
	}
	must(t, s.SetSecret(t.Context(), "work", secret))
	account := resolve(t, s, "work")
	before := account.Auth.Fingerprint()
	if _, err := account.Auth.Token(t.Context()); err != nil || a.forms[0].Get("client_secret") != secret || account.Password != "" || account.Auth.Password != "" {
		t.Errorf("%v %v", err, a.forms)
	}
	must(t, s.SetSecret(t.Context(), "work", secret+"2"))
	if resolve(t, s, "work").Auth.Fingerprint() == before {
		t.Error("the same after the secret has changed")
	}
}

func TestTokensAreNotShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := loggedIn(t, dir)
	must(t, s.SetSecret(t.Context(), "work", secret))
	account := resolve(t, s, "work")
	token, err := s.Token(t.Context(), "work")
	must(t, err)
	entry, err := s.Entry("work")
	must(t, err)
	seen := lookout{t: t}
	seen.at("all", s, account, &account, account.Auth, token, entry, entry.OAuth, entry.OAuthConfig(), entry.Settings())
	seen.at("file", read(t, dir, "tokens", "work.age"), read(t, dir, "accounts.d", "work.toml"))
	write(t, filepath.Join(dir, "tokens", "work.age"), secret)
	_, err = s.Token(t.Context(), "work")
	if !errors.Is(err, accounts.ErrDamaged) {
		t.Errorf("%v", err)
	}
	seen.at("damaged", err)
	must(t, os.Chmod(filepath.Join(dir, "tokens", "work.age"), 0o600))
}

func TestRenewedTokenThatCannotBeKeptIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	told := make(chan error, 1)
	s, a := loggedIn(t, dir, func(o *accounts.Options) {
		o.Trouble = func(name string, err error) { told <- fmt.Errorf("%s: %w", name, err) }
	})
	account := resolve(t, s, "work")
	a.last(3600)
	must(t, os.Remove(filepath.Join(dir, "accounts.d", "work.toml"))) // somebody removes it by hand
	if _, err := account.Auth.Token(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-told; !errors.Is(err, accounts.ErrNotFound) || !strings.HasPrefix(err.Error(), "work: keep the renewed token: ") {
		t.Errorf("%v", err)
	}
}

func TestLoginOfAnAccountWithAPassword(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	must(t, s.Put(t.Context(), work()))
	for _, f := range []func() error{
		func() error { _, err := s.Login(context.Background(), "work", oauth.LoginOptions{}); return err },
		func() error { _, err := s.Logout(context.Background(), "work"); return err },
	} {
		var wrong *accounts.SecretError
		if err := f(); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "the account has a password") {
			t.Errorf("%v", err)
		}
	}
}

var _ kaizen.AccountResolver = (*accounts.Store)(nil)

// The password of a mailbox is none of the authorization server's business, and the
// secret of a client none of the mail server's.
func TestPasswordIsNoClientSecret(t *testing.T) {
	t.Parallel()
	a := &authority{seconds: 3600}
	s := open(t, t.TempDir(), a.options)
	defer s.Close()
	password := tokenEntry()
	password.OAuth, password.Username = accounts.OAuth{}, password.Address
	must(t, s.Add(t.Context(), password, secret+"-mailbox"))
	with := tokenEntry()
	with.OAuth.ClientAuth = oauth.AuthPost
	must(t, s.Put(t.Context(), with))
	if known, err := s.HasSecret(t.Context(), "work"); err != nil || known {
		t.Errorf("%v %v", known, err)
	}
	logIn(t, s)
	if got := a.forms[0]; got.Has("client_secret") {
		t.Error("the password went to the authorization server")
	}
	must(t, s.SetSecret(t.Context(), "work", secret+"-client"))
	logIn(t, s)
	if got := a.forms[1]; got.Get("client_secret") != secret+"-client" {
		t.Error("the client's secret is not used")
	}
	must(t, s.Put(t.Context(), password))
	if got := resolve(t, s, "work"); got.Password != secret+"-mailbox" {
		t.Error("the password is another one")
	}
	must(t, s.Remove(t.Context(), "work"))
	for _, e := range []accounts.Entry{password, with} {
		must(t, s.Put(t.Context(), e))
		if known, err := s.HasSecret(t.Context(), "work"); err != nil || known {
			t.Errorf("%v %v", known, err)
		}
	}
}
