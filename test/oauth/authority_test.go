// Package oauth_test logs accounts in at a real authorization server, zitadel/oidc,
// and sends through a mail server that asks it about every token. It is a module of
// its own, so that nobody else needs that server.
package oauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	mailbox       = "ann@example.com"
	robot         = "robot@example.com"
	loginPassword = "planted-login-password-93"
	webSecret     = "planted-web-secret-93"
	serviceSecret = "verysecret" // of the example's service user
)

// authority is the authorization server.
type authority struct {
	url     string
	library *library
	key     *rsa.PrivateKey
	renewed atomic.Int64 // requests with a refresh token
	asked   atomic.Int64 // at the token endpoint
	down    atomic.Bool
}

// newAuthority starts a server with a person, a client for programs, one with a
// secret, a service user and a service account.
func newAuthority(t *testing.T) *authority {
	t.Helper()
	users := filepath.Join(t.TempDir(), "users.json")
	write(t, users, fmt.Sprintf(`{%q: {"ID": %q, "Username": %q, "Password": %q}}`, mailbox, mailbox, mailbox, loginPassword))
	people, err := storage.StoreFromFile(users)
	must(t, err)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	a := &authority{key: key}
	clients := map[string]*storage.Client{"native": storage.NativeClient("native", "http://127.0.0.1"),
		"web": storage.WebClient("web", webSecret, "http://127.0.0.1:1/")}
	a.library = &library{Storage: storage.NewStorageWithClients(people, clients), key: key, life: 5 * time.Minute, issued: map[string]string{}, device: map[string]string{}}
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.url = "http://" + server.Listener.Addr().String()
	server.Config.Handler = a.counted(exampleop.SetupServer(a.url, a.library, slog.New(slog.DiscardHandler), false))
	server.Start()
	t.Cleanup(server.Close)
	return a
}

// counted counts requests. A service account says in its key where it asks, and its
// assertion names the same; this server wants to be named without a path.
func (a *authority) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		if r.Method == http.MethodPost && strings.Trim(r.URL.Path, "/") == "" {
			r.URL.Path = "/oauth/token"
		}
		if r.URL.Path == "/oauth/token" {
			a.asked.Add(1)
			if r.FormValue("grant_type") == "refresh_token" {
				a.renewed.Add(1)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// takes asks about a token, as a mail server of the same provider would.
func (a *authority) takes(user, token string) bool {
	r, err := http.NewRequest(http.MethodGet, a.url+"/userinfo", nil)
	if err != nil {
		return false
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	var who struct{ Email string }
	return answer.StatusCode == http.StatusOK && json.NewDecoder(answer.Body).Decode(&who) == nil && who.Email == user
}

// revoke ends a refresh token, as a person does who withdraws the consent.
func (a *authority) revoke(t *testing.T, refresh string) {
	t.Helper()
	if err := a.library.RevokeToken(context.Background(), refresh, mailbox, "native"); err != nil {
		t.Fatal(err)
	}
}

// library is the example's storage, with what a test wants to decide.
type library struct {
	*storage.Storage
	key *rsa.PrivateKey

	mu     sync.Mutex
	life   time.Duration     // of access tokens, as the client is told
	issued map[string]string // mailbox by id of an access token
	device map[string]string // client by refresh token of a device, which the example forgets
}

func (l *library) lasting(life time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.life = life
}

// endAll ends all access tokens before their time.
func (l *library) endAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.issued)
}

func (l *library) note(id string, request op.TokenRequest) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := mailbox
	if request.GetSubject() != mailbox {
		who = robot
	}
	l.issued[id] = who
	return time.Now().Add(l.life)
}

// CreateAccessToken notes the token.
func (l *library) CreateAccessToken(ctx context.Context, request op.TokenRequest) (string, time.Time, error) {
	id, _, err := l.Storage.CreateAccessToken(ctx, request)
	return id, l.note(id, request), err
}

// CreateAccessAndRefreshTokens notes the token.
func (l *library) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, current string) (string, string, time.Time, error) {
	id, refresh, _, err := l.Storage.CreateAccessAndRefreshTokens(ctx, request, current)
	if err != nil {
		return "", "", time.Time{}, oidc.ErrInvalidGrant().WithParent(err)
	}
	if d, ok := request.(*op.DeviceAuthorizationState); ok {
		l.mu.Lock()
		l.device[refresh] = d.ClientID
		l.mu.Unlock()
	}
	return id, refresh, l.note(id, request), nil
}

// TokenRequestByRefreshToken knows the clients of devices.
func (l *library) TokenRequestByRefreshToken(ctx context.Context, refresh string) (op.RefreshTokenRequest, error) {
	r, err := l.Storage.TokenRequestByRefreshToken(ctx, refresh)
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := r.(*storage.RefreshTokenRequest); ok && err == nil && l.device[refresh] != "" {
		known.ApplicationID = l.device[refresh]
	}
	return r, err
}

// SetUserinfoFromToken says whose mailbox a token is good for.
func (l *library) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, _, _ string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := l.issued[id]
	if who == "" {
		return fmt.Errorf("the token is not good any more")
	}
	info.Subject, info.Email = who, who
	return nil
}

// GetClientByClientID permits clients devices.
func (l *library) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := l.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return permitted{c}, nil
}

type permitted struct{ op.Client }

func (p permitted) GrantTypes() []oidc.GrantType {
	return append(p.Client.GrantTypes(), oidc.GrantTypeDeviceCode, oidc.GrantTypeRefreshToken)
}

// GetKeyByIDAndClientID knows the key of the service account.
func (l *library) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return &jose.JSONWebKey{KeyID: "key1", Use: "sig", Key: &l.key.PublicKey}, nil
}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the server tells of each request
	var err error
	if workshop, err = os.MkdirTemp("", "kaizen-oauth-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(workshop) // the system does it some day
	os.Exit(code)
}

// workshop is where the program is built.
var workshop string

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}
