package accounts

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// Login gets the first token of an account with OAuth, or another one, and keeps it.
// It waits for the person until ctx ends. Of an account that takes no person it looks
// whether a token is to be had. Errors: [*SecretError] if the account has no OAuth or
// its secret cannot be read, [*FileError] for settings that cannot be, [*oauth.Error].
func (s *Store) Login(ctx context.Context, name string, o oauth.LoginOptions) (oauth.Token, error) {
	e, config, err := s.clientOf(ctx, name)
	if err != nil {
		return oauth.Token{}, err
	}
	if err := s.ask(ctx); err != nil {
		return oauth.Token{}, err
	}
	if o.Port == 0 {
		o.Port = e.OAuth.RedirectPort
	}
	if o.Address == "" {
		o.Address, _ = e.login()
	}
	t, err := config.Login(ctx, o)
	if err != nil {
		if told, ok := errors.AsType[*oauth.Error](err); ok && told.Hint == "" && told.Permanent() && (told.OfClient() || !config.Flow.Interactive()) {
			told.Hint = clientHint(name, &config)
		}
		return oauth.Token{}, fmt.Errorf("account %q: %w", name, err)
	}
	return t, s.replaceToken(ctx, name, t)
}

// replaceToken waits for a renewal of the token before, which would undo it.
func (s *Store) replaceToken(ctx context.Context, name string, t oauth.Token) error {
	unlock, err := (&tokenKeep{s, name}).Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	err = s.saveToken(ctx, name, t)
	s.Forget(name)
	return err
}

// clientOf is an account with OAuth, and how it gets tokens.
func (s *Store) clientOf(ctx context.Context, name string) (*Entry, oauth.Config, error) {
	e, err := s.oauthEntry(name)
	if err != nil {
		return nil, oauth.Config{}, err
	}
	if err := e.checkOAuth(); err != nil {
		return nil, oauth.Config{}, err
	}
	m, err := s.makeWithout(ctx, e, nil)
	if err == nil {
		err = m.failed // of the proxy's password
	}
	if err != nil {
		return nil, oauth.Config{}, err
	}
	config, err := s.oauthConfig(ctx, m, nil)
	if err == nil {
		err = m.failed
	}
	return e, config, err
}

func (s *Store) oauthEntry(name string) (*Entry, error) {
	n, err := s.settings(name)
	if err != nil {
		return nil, err
	}
	e, err := s.entry(n, name)
	if err != nil {
		return nil, err
	}
	if !e.UsesOAuth() {
		return nil, &SecretError{Account: name, Err: errors.New("the account has a password"), Hint: "set oauth.client_id, or another key of oauth, first"}
	}
	return e, nil
}

// Logout tells the authorization server, where that is possible, that an account's
// tokens are not used any more, and removes them. Revoked reports whether the server
// took it; the tokens are removed also if it did not, and err says why.
func (s *Store) Logout(ctx context.Context, name string) (revoked bool, err error) {
	if _, err := s.oauthEntry(name); err != nil {
		return false, err
	}
	if !s.exists(filepath.Join(tokensName, name+tokenEnding)) {
		return false, nil
	}
	unlock, err := (&tokenKeep{s, name}).Lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	revoked, err = s.revoke(ctx, name)
	removed := s.change(ctx, func(*snapshot) error { return s.dropToken(name) })
	s.Forget(name)
	return revoked, errors.Join(err, removed)
}

func (s *Store) revoke(ctx context.Context, name string) (bool, error) {
	_, config, err := s.clientOf(ctx, name)
	if err != nil {
		return false, err
	}
	_, t, err := s.loadToken(ctx, name)
	if err != nil || !t.Of(config) {
		return false, err
	}
	return config.Revoke(ctx, t)
}

// Token returns the kept token of an account with OAuth, which prints without its
// secrets; the zero Token if nobody has logged in. It needs the key of secrets.age.
func (s *Store) Token(ctx context.Context, name string) (oauth.Token, error) {
	_, t, err := s.loadToken(ctx, name)
	if err != nil {
		return t, about(&Entry{Name: name}, err)
	}
	return t, nil
}
