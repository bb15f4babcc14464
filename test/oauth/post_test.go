package oauth_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/accounts/oauth"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// post is a mail server that asks the authority about every token, and a directory
// with an account at it.
type post struct {
	authority *authority
	server    *smtptest.Server
	dir       string
	known     []oauth.Token // must not be printed
}

func newPost(t *testing.T) *post {
	t.Helper()
	a := newAuthority(t)
	p := &post{authority: a, dir: t.TempDir()}
	p.server = smtptest.NewServer(smtptest.Config{Transcripts: true, Auth: &smtptest.Auth{Mechanisms: []string{"XOAUTH2"}, Required: true, Token: a.takes}})
	t.Cleanup(func() {
		p.server.Close()
		if err := p.server.Err(); err != nil {
			t.Error(err)
		}
	})
	host, port, err := net.SplitHostPort(p.server.Addr())
	must(t, err)
	write(t, filepath.Join(p.dir, "accounts.d", "work.toml"), fmt.Sprintf(`
address = %q
host = %q
port = %s
tls = "none"
rates = ["none"]
connections = 100
oauth.client_id = "native"
oauth.scopes = ["openid", "email", "offline_access"]
oauth.auth_url = "%[4]s/auth"
oauth.token_url = "%[4]s/oauth/token"
oauth.device_url = "%[4]s/device_authorization"
oauth.revoke_url = "%[4]s/revoke"
`, mailbox, host, port, a.url))
	return p
}

func (p *post) store(t *testing.T) *accounts.Store {
	t.Helper()
	s, err := accounts.Open(accounts.Options{Dir: p.dir, LookupEnv: func(string) (string, bool) { return "", false },
		Trouble: func(name string, err error) { t.Errorf("%s: %v", name, err) }})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func (p *post) client(t *testing.T, s *accounts.Store) *kaizen.Client {
	t.Helper()
	c := kaizen.New(kaizen.Config{Accounts: s, StateDir: filepath.Join(p.dir, "state")})
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// login has ann log in.
func (p *post) login(t *testing.T, s *accounts.Store) oauth.Token {
	t.Helper()
	answered := make(chan error, 1)
	token, err := s.Login(t.Context(), "work", oauth.LoginOptions{Show: func(prompt oauth.Prompt) {
		go func() { answered <- browse(prompt.URL) }()
	}})
	must(t, err)
	must(t, <-answered)
	return token
}

func send(ctx context.Context, c *kaizen.Client) error {
	_, err := c.Send(ctx, kaizen.Account{Name: "work"}, &message.Message{From: mailbox, To: []string{"bob@example.net"}, Subject: "Hello", Text: "Hello."})
	return err
}

// noToken looks for tokens in a text.
func noToken(t *testing.T, where, text string, tokens ...oauth.Token) {
	t.Helper()
	for _, token := range tokens {
		for _, secret := range []string{token.Access, token.Refresh, loginPassword, webSecret} {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("%s shows a secret", where)
			}
		}
	}
}
