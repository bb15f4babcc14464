package accounts

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// failureMemory is how long a password_command that failed is not run again: a
// queue of messages would have it run without end.
const failureMemory = 5 * time.Second

// resolution is what is kept of one account. The channel is held while it is
// made anew.
type resolution struct {
	making chan struct{}
	made   *made // guarded by Store.mu
	// forgotten counts calls of Forget, so that one during the making counts.
	forgotten int // guarded by Store.mu
}

// made is a resolved account and what it was made of. It is not changed.
type made struct {
	entry   *Entry
	account kaizen.Account
	trust   *trust
	proxy   proxyLogin
	file    *view // of password_file
	secrets *secrets
	secret  string
	grant   *grant // of an account with OAuth
	failed  error  // of a password_command
	at      time.Time
}

// Format tells the account.
func (m *made) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.account) }

// Account returns an account that can send: its preset applied, its secret read.
// It implements [kaizen.AccountResolver]. Results are kept and given again, until
// a file they came from has changed. Of a password_command the result is kept
// until the account's settings change or [Store.Forget] is called: call it when a
// server refused the login. A command that failed is not run again for 5 s.
func (s *Store) Account(ctx context.Context, name string) (kaizen.Account, error) {
	n, err := s.settings(name)
	if err != nil {
		return kaizen.Account{}, err
	}
	e, err := s.entry(n, name)
	if err != nil {
		return kaizen.Account{}, err
	}
	r := s.resolution(name)
	last, _ := s.lastMade(r)
	if last.current(s, e) {
		return last.account, last.failed
	}
	if err := acquire(ctx, r.making); err != nil {
		return kaizen.Account{}, fmt.Errorf("read account %q: %w", name, err)
	}
	defer release(r.making)
	last, forgotten := s.lastMade(r)
	if last.current(s, e) {
		return last.account, last.failed
	}
	next, err := s.make(ctx, e, last)
	if err != nil {
		return kaizen.Account{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.forgotten == forgotten {
		r.made = next
	}
	return next.account, next.failed
}

// AccountWith is [Store.Account] with this secret in place of its own, which is
// neither read nor needed. Nothing of the result is kept. The password of a proxy is
// read.
func (s *Store) AccountWith(ctx context.Context, name, secret string) (kaizen.Account, error) {
	n, err := s.settings(name)
	if err != nil {
		return kaizen.Account{}, err
	}
	e, err := s.entry(n, name)
	if err != nil {
		return kaizen.Account{}, err
	}
	m, err := s.makeWithout(ctx, e, nil)
	if err != nil {
		return kaizen.Account{}, err
	}
	m.secret = secret
	if m.failed == nil {
		m.fillIn(e)
	}
	return m.account, m.failed
}

// Forget drops what was kept of an account, so that its password_command runs
// again when it is used next. Connections that are open stay.
func (s *Store) Forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.accounts[name]; r != nil {
		r.made = nil
		r.forgotten++
	}
}

func (s *Store) resolution(name string) *resolution {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.accounts[name]
	if r == nil {
		r = &resolution{making: make(chan struct{}, 1)}
		s.accounts[name] = r
	}
	return r
}

func (s *Store) lastMade(r *resolution) (last *made, forgotten int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.made, r.forgotten
}

// current reports whether nothing has changed that the account was made of.
func (m *made) current(s *Store, e *Entry) bool {
	if m == nil || !m.of(e) || m.trust != nil && !m.trust.current() {
		return false
	}
	if m.failed != nil {
		return time.Since(m.at) < failureMemory
	}
	if !m.proxy.current(s, e.ProxySecret) {
		return false
	}
	if !e.logsIn() {
		return true
	}
	if e.UsesOAuth() {
		return m.grant.current() && (m.secrets == nil || m.secrets.view.current()) && (m.file == nil || m.file.current()) &&
			(e.Secret.Kind != SecretEnv || s.sameVariable(m, e))
	}
	switch e.Secret.Kind {
	case SecretEnv:
		return s.sameVariable(m, e)
	case SecretFile:
		return m.file.current()
	case SecretCommand:
		return true
	}
	return m.secrets.view.current()
}

func (s *Store) sameVariable(m *made, e *Entry) bool {
	value, _ := s.options.LookupEnv(e.Secret.Name)
	return value == m.secret
}

// of compares settings, not where they stand.
func (m *made) of(e *Entry) bool {
	if m.entry == e {
		return true
	}
	a, b := *m.entry, *e
	a.Line, b.Line = 0, 0
	return reflect.DeepEqual(a, b)
}

// make resolves an account. What of the last one still holds is used again: a
// client opens new connections where the TLS settings are not the same ones.
func (s *Store) make(ctx context.Context, e *Entry, last *made) (*made, error) {
	m, err := s.makeWithout(ctx, e, last)
	if err != nil {
		return nil, err
	}
	switch {
	case !e.logsIn() || m.failed != nil:
	case e.UsesOAuth():
		err = s.readGrant(ctx, m, last)
	default:
		err = s.readSecret(ctx, m, last)
	}
	if err != nil {
		return nil, err
	}
	if m.failed != nil {
		m.account = kaizen.Account{}
		return m, nil
	}
	m.fillIn(e)
	return m, nil
}

// makeWithout is make but for the secret.
func (s *Store) makeWithout(ctx context.Context, e *Entry, last *made) (*made, error) {
	a, err := e.withoutTrust()
	if err != nil {
		return nil, err
	}
	m := &made{entry: e, account: a, at: time.Now()}
	if m.account.TLSConfig, m.trust, err = e.readTrust(s.dir, last); err != nil {
		return nil, err
	}
	return m, s.readProxySecret(ctx, m, last)
}

// fillIn adds the secret.
func (m *made) fillIn(e *Entry) {
	a := &m.account
	if m.grant != nil {
		a.Auth = m.grant.auth(a.Username, e.Mechanisms)
		return
	}
	if e.secretIsUser() {
		a.Username = m.secret
	}
	a.Password = m.secret
	if a.Auth != nil {
		a.Auth = &smtp.Auth{Username: a.Username, Password: a.Password, Identity: a.Auth.Identity, Mechanisms: a.Auth.Mechanisms}
	}
}
