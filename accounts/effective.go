package accounts

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// Account returns the account without its secret, with the preset applied.
// Errors: [*FileError] for what cannot be, as an unknown provider.
func (e Entry) Account() (kaizen.Account, error) {
	a, err := e.withoutTrust()
	if err == nil {
		a.TLSConfig, _, err = e.readTrust(e.dir, nil)
	}
	if err != nil {
		return kaizen.Account{}, err
	}
	return a, nil
}

// withoutTrust is Account but for the TLS settings.
func (e *Entry) withoutTrust() (kaizen.Account, error) {
	if e.mailerKey() != "" {
		return e.mailerAccount()
	}
	server, err := e.server()
	if err != nil {
		return kaizen.Account{}, err
	}
	if err := e.checkWay(server); err != nil {
		return kaizen.Account{}, err
	}
	username, err := e.login()
	if err != nil {
		return kaizen.Account{}, err
	}
	limits, err := e.limits()
	if err != nil {
		return kaizen.Account{}, err
	}
	servers, err := e.furtherServers()
	if err != nil {
		return kaizen.Account{}, err
	}
	steps, err := backoff(e.Retry)
	if err != nil {
		return kaizen.Account{}, err
	}
	a := kaizen.Account{Name: e.Name, Host: server.Host, Port: server.Port, LMTP: server.LMTP, TLS: server.TLS, Servers: servers, Username: username,
		InsecureAuth: e.InsecureAuth, Limits: limits, Retry: kaizen.Retry{Backoff: steps, Expire: e.Expire}, Timeouts: e.Timeouts, IdleTimeout: e.IdleTimeout,
		MaxLifetime: max(0, e.MaxLifetime), MinIdle: e.MinIdle, LocalName: e.LocalName, MaxLevel: e.Level}
	if err := e.checkOAuth(); err != nil {
		return kaizen.Account{}, err
	}
	e.fillWay(&a)
	switch {
	case e.external():
		a.Auth = &smtp.Auth{Identity: username, Mechanisms: e.Mechanisms}
	case len(e.Mechanisms) > 0:
		a.Auth = &smtp.Auth{Username: username, Mechanisms: e.Mechanisms}
	}
	return a, nil
}

// preset is nil without a provider.
func (e *Entry) preset() (*Preset, error) {
	if e.Provider == "" {
		return nil, nil
	}
	p, err := FindPreset(e.Provider)
	if err != nil {
		return nil, e.wrong("provider", err)
	}
	return p, nil
}

// server is host, port and TLS. The preset's port and TLS mode belong together:
// one that contradicts what is given goes too.
func (e *Entry) server() (server smtp.Config, err error) {
	server = smtp.Config{Host: e.Host, Port: e.Port, LMTP: e.LMTP, TLS: e.TLS, Socket: e.Socket}
	p, err := e.preset()
	if err != nil {
		return server, err
	}
	if p != nil && e.LMTP {
		return server, e.wrong("protocol", fmt.Errorf("the provider %s takes mail by SMTP: leave out provider or protocol", e.Provider))
	}
	if p != nil && e.Socket == "" {
		if server.Host == "" {
			server.Host = p.Host
		}
		if (e.Port == 0 || e.Port == p.Port) && (e.TLS == smtp.TLSAuto || e.TLS == p.TLS) {
			server.Port, server.TLS = p.Port, p.TLS
		}
	}
	switch {
	case server.Host == "" && e.Socket == "":
		return server, e.wrong("host", errors.New("missing: give host, or the provider"))
	case strings.ContainsAny(server.Host, " /@") || strings.Contains(server.Host, "://"):
		// Not quoted: a URL has a password in it.
		return server, e.wrong("host", errors.New("is not the name of a host: leave out scheme, user and path"))
	}
	return server, nil
}

func (e *Entry) furtherServers() (servers []kaizen.Server, err error) {
	for _, one := range e.Servers {
		s, err := kaizen.ParseServer(one)
		if err != nil {
			return nil, e.wrong("servers", err)
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// login is the user name; empty without a login, or if the secret is the user
// name too.
func (e *Entry) login() (username string, err error) {
	p, err := e.preset()
	switch {
	case err != nil:
		return "", err
	case e.Username != "":
		return e.Username, nil
	case p == nil || p.Username == UsernameNone:
		if e.Secret.Kind == SecretStored && !e.UsesOAuth() {
			return "", nil
		}
		username = bareAddress(e.Address)
	case p.Username == UsernameToken:
		return "", nil
	default:
		username = p.UsernameFor(e.Address)
	}
	switch {
	case username != "":
		return username, nil
	case p != nil && p.Username == UsernameIssued:
		return "", e.wrong("username", fmt.Errorf("missing: %s hands one out", p.Title))
	}
	return "", e.wrong("username", errors.New("missing: give username, or the address"))
}

// secretIsUser holds where the provider takes the secret as both user name and
// password.
func (e *Entry) secretIsUser() bool {
	p, _ := e.preset()
	return e.Username == "" && p != nil && p.Username == UsernameToken
}

// logsIn tells whether there must be a secret.
func (e *Entry) logsIn() bool {
	if e.external() {
		return false
	}
	username, err := e.login()
	return err == nil && username != "" || e.secretIsUser()
}

func (e *Entry) limits() (kaizen.Limits, error) {
	l := kaizen.Limits{Connections: e.Connections, MessagesPerConnection: e.MessagesPerConnection}
	for _, one := range e.Rates {
		rates, err := kaizen.ParseRates(one)
		if err != nil {
			return l, e.wrong("rates", err)
		}
		if l.Rates == nil {
			l.Rates = kaizen.NoRate()
		}
		l.Rates = append(l.Rates, rates...)
	}
	p, err := e.preset()
	if err != nil || p == nil {
		return l, err
	}
	standard := p.Limits.Limits()
	if l.Connections == 0 {
		l.Connections = standard.Connections
	}
	if l.MessagesPerConnection == 0 {
		l.MessagesPerConnection = standard.MessagesPerConnection
	}
	if l.Rates == nil {
		l.Rates = standard.Rates
	}
	return l, nil
}

func (e *Entry) wrong(key string, err error) *FileError {
	if e.Name != "" {
		key = e.Name + "." + key
	}
	return &FileError{File: e.Source, Line: e.Line, Key: key, Err: err}
}
