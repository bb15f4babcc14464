package accounts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"

	"github.com/kaizenmail/kaizen/accounts/oauth"
	"github.com/kaizenmail/kaizen/smtp"
)

// grant is what an account with OAuth logs in with.
type grant struct {
	source *grantSource
	tokens *view // of the tokens' file; a new login changes it, and each renewal
}

// grantSource hands out the tokens of one login. It is kept while accounts are
// resolved again, so that there is one renewal at a time.
type grantSource struct {
	*oauth.Source
	key [sha256.Size]byte // of settings, secret and login
	via [sha256.Size]byte // of the proxy that it asks through, and its login
	id  string            // tells logins apart; no secret
}

// Format tells the client.
func (g *grant) Format(f fmt.State, verb rune) { g.source.Source.Format(f, verb) }

func (g *grant) current() bool { return g != nil && g.tokens.current() }

func (g *grant) auth(username string, mechanisms []string) *smtp.Auth {
	return &smtp.Auth{Username: username, Mechanisms: mechanisms, Grant: g.source.id,
		Token: g.source.Token, TokenRefused: g.source.Refused}
}

// readGrant finds the source of an account's tokens, or says that a login is needed.
func (s *Store) readGrant(ctx context.Context, m, last *made) error {
	config, err := s.oauthConfig(ctx, m, last)
	if err != nil {
		return err
	}
	if m.failed != nil {
		return nil
	}
	v, token, err := s.loadToken(ctx, m.entry.Name)
	if err != nil {
		return about(m.entry, err)
	}
	if config.Flow.Interactive() && !token.Of(config) {
		return &SecretError{Account: m.entry.Name, File: v.path, Err: fmt.Errorf("%w: nobody has logged in yet, or it was with other settings", ErrNoSecret), Hint: loginHint(m.entry.Name)}
	}
	source, err := s.source(m.entry.Name, config, token, m.account.Proxy)
	if err != nil {
		return about(m.entry, err)
	}
	m.grant = &grant{source: source, tokens: v}
	return nil
}

func loginHint(name string) string {
	return fmt.Sprintf("log in: kaizen account login %s (Store.Login)", name)
}

// clientHint is what to do where a login would not help.
func clientHint(name string, c *oauth.Config) string {
	if c.Flow == oauth.FlowServiceAccount {
		return fmt.Sprintf("check the key, its rights and the clock of this machine; another key: kaizen account login %s --key-file FILE", name)
	}
	return fmt.Sprintf("check the client's id, secret, scopes and rights at the provider; another secret: kaizen account login %s --client-secret-stdin", name)
}

// oauthConfig adds secret and key to what the entry says.
func (s *Store) oauthConfig(ctx context.Context, m, last *made) (oauth.Config, error) {
	e := m.entry
	c := e.OAuthConfig()
	c.HTTP = s.tokenClient(m)
	if err := s.readClientSecret(ctx, m, last); err != nil {
		return c, err
	}
	c.ClientSecret = m.secret
	if c.Flow == oauth.FlowServiceAccount {
		c.ClientSecret, c.Key = "", []byte(m.secret)
	}
	if m.failed != nil {
		return c, nil
	}
	complete, err := c.Complete()
	if wrong, ok := errors.AsType[*oauth.ConfigError](err); ok {
		return c, e.wrong("oauth."+wrong.Key, wrong.Err)
	}
	return complete, err
}

// readClientSecret reads the secret of the client, which public clients have none
// of, or the key of a service account.
func (s *Store) readClientSecret(ctx context.Context, m, last *made) (err error) {
	e := m.entry
	switch {
	case e.OAuth.Flow == oauth.FlowServiceAccount && e.OAuth.KeyFile != "":
		m.file, m.secret, err = readKeyFile(inDir(s.dir, e.OAuth.KeyFile))
	case e.needsSecret():
		return s.readSecret(ctx, m, last)
	default:
		if m.secrets, err = s.openSecrets(ctx); err == nil {
			m.secret = m.secrets.passwords[e.secretKey()]
		}
	}
	if err != nil {
		return about(e, err)
	}
	return nil
}

// readKeyFile reads a key that only its owner may read.
func readKeyFile(path string) (*view, string, error) {
	v, content, err := look(path)
	switch {
	case err != nil:
		return nil, "", &SecretError{File: path, Err: fmt.Errorf("%w: %w", ErrNoSecret, cause(err))}
	case !v.exists():
		return nil, "", &SecretError{File: path, Err: fmt.Errorf("%w: %w", ErrNoSecret, errMissing)}
	}
	if err := checkPrivate(path, v.info); err != nil {
		return nil, "", err
	}
	return v, string(content), nil
}

// source returns the source of an account's tokens: the same one as before, unless
// settings or login have changed.
func (s *Store) source(name string, c oauth.Config, t oauth.Token, proxy string) (*grantSource, error) {
	key := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q %q %q %q %q %q %q %d", c.Provider, c.Flow, c.ClientID, c.ClientSecret, c.Tenant,
		c.Scopes, c.TokenURL, c.DeviceURL, c.AuthURL, c.ClientAuth, c.Key, c.Subject, t.Login.UnixNano()))
	via := sha256.Sum256([]byte(proxy))
	fresh, err := oauth.NewSource(c, oauth.SourceOptions{Keep: &tokenKeep{s, name}, Hint: loginHint(name), ClientHint: clientHint(name, &c),
		Trouble: func(err error) { s.options.Trouble(name, err) }})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.sources[name]
	if known != nil && known.key == key && known.via == via {
		return known, nil
	}
	if known != nil {
		s.former = append(s.former, known) // open connections may still ask it
	}
	// Two octets of the sum: enough to tell settings apart, too few to try secrets by.
	s.sources[name] = &grantSource{Source: fresh, key: key, via: via, id: fmt.Sprintf("%s %s %d %x", c.Flow, c.ClientID, t.Login.UnixNano(), key[:2])}
	return s.sources[name], nil
}

func logTrouble(account string, err error) {
	slog.Default().Error("a renewed access token is in use but cannot be kept", "account", account, "error", err)
}

// Close waits for renewals of tokens that are under way, at most 30 seconds: what
// they bring may be the only refresh token that is still good. Accounts with OAuth
// cannot log in afterwards; everything else goes on.
func (s *Store) Close() error {
	s.mu.Lock()
	all := s.former
	for _, source := range s.sources {
		all = append(all, source)
	}
	s.mu.Unlock()
	var wrong []error
	for _, source := range all {
		wrong = append(wrong, source.Close())
	}
	return errors.Join(wrong...)
}
