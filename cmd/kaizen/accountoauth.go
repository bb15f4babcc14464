package main

import (
	"context"
	"errors"
	"time"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// chooseOAuth makes the account one without a password.
func (c *accountAdd) chooseOAuth() error {
	if c.preset == nil || c.preset.OAuthProvider == "" {
		return misuse(c.cmd, errors.New("--oauth: it is not known who gives out tokens for this server: 'kaizen account add' it with --no-verify and without --username and --oauth, then 'kaizen account set NAME oauth.client_id=… oauth.auth_url=… oauth.token_url=…' and 'kaizen account login NAME' (docs/oauth.md)"))
	}
	c.tell("%s: the login is with OAuth 2, in a browser.", c.preset.Title)
	c.entry.OAuth.Flow, c.entry.OAuth.ClientID = oauth.FlowCode, c.clientID
	return nil
}

// logIn goes on with the login, if somebody is there, or whom to ask is known.
func (c *accountAdd) logIn(ctx context.Context) error {
	if !c.entry.UsesOAuth() || c.noVerify || c.json || c.person == nil && c.clientID == "" {
		return nil
	}
	entry, err := c.store.Entry(c.entry.Name)
	if err != nil {
		return err
	}
	const patience = 10 * time.Minute
	login := &accountLogin{app: c.app, cmd: c.cmd, store: c.store, person: c.person, entry: entry, json: c.json, timeout: patience}
	if c.timeout > 0 {
		login.timeout = c.timeout
	}
	return login.login(ctx)
}
