package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/internal/proxy"
	"github.com/kaizenmail/kaizen/smtp"
)

var errProxyPassword = errors.New("a password must not stand in this file: leave the user name in the URL, and name the password's source with proxy_password_env, proxy_password_file or proxy_password_command")

func setProxy(e *Entry, v any) error {
	setting := v.(string)
	if err := smtp.CheckProxy(setting); err != nil {
		return err
	}
	if smtp.ProxyHasPassword(setting) {
		return errProxyPassword
	}
	e.Proxy = setting
	return nil
}

// ofProxy is a field of the proxy's password that is read as that of the account's.
func ofProxy(key string, f form, set func(*Entry, any) error, get func(*Entry) any) field {
	return field{key, f,
		func(e *Entry, v any) error {
			own := Entry{Secret: e.ProxySecret}
			err := set(&own, v)
			e.ProxySecret = own.Secret
			return err
		},
		func(e *Entry) any { return get(&Entry{Secret: e.ProxySecret}) }}
}

func setLocalAddress(e *Entry, v any) error {
	address := v.(string)
	if _, err := netip.ParseAddr(address); err != nil && address != "" {
		return fmt.Errorf("%q is not an IP address", address)
	}
	e.LocalAddress = address
	return nil
}

func setPins(e *Entry, v any) error {
	pins := v.([]string)
	for _, pin := range pins {
		if err := smtp.CheckPin(pin); err != nil {
			return err
		}
	}
	e.PinnedKeys = pins
	return nil
}

func setTLSMin(e *Entry, v any) error {
	text := v.(string)
	if text != "" {
		if _, err := smtp.ParseTLSVersion(text); err != nil {
			return err
		}
	}
	e.TLSMin = text
	return nil
}

// checkWay holds settings against each other.
func (e *Entry) checkWay(server smtp.Config) error {
	switch {
	case e.Socket != "" && (e.Proxy != "" || e.LocalAddress != ""):
		return e.wrong("socket", errors.New("a socket is reached without proxy and local_address: give one or the other"))
	case e.ProxySecret.Kind != SecretStored && e.Proxy == "":
		return e.wrong("proxy", errors.New("missing: there is a source of its password, but no proxy"))
	case e.ProxySecret.Kind != SecretStored && e.Proxy != "":
		if _, err := proxy.SetPassword(e.Proxy, "x"); err != nil {
			return e.wrong("proxy", err)
		}
	case e.ClientKey != "" && e.ClientCertificate == "":
		return e.wrong("client_certificate", errors.New("missing: there is a client_key, but no certificate for it"))
	}
	plain := server.TLS == smtp.TLSNone || server.TLS == smtp.TLSOpportunistic || e.Socket != "" && server.TLS == smtp.TLSAuto
	if plain && len(e.PinnedKeys) > 0 {
		return e.wrong("pinned_keys", errors.New("keys are pinned, but TLS is not required: set tls, or pin none"))
	}
	return nil
}

// fillWay adds the way to the server, without the proxy's password.
func (e *Entry) fillWay(a *kaizen.Account) {
	a.Socket, a.Proxy, a.LocalAddress, a.PinnedKeys = e.Socket, e.Proxy, e.LocalAddress, e.PinnedKeys
	if strings.HasPrefix(a.Socket, "~/") {
		a.Socket = inDir("", a.Socket)
	}
}

// external: the TLS client certificate is the whole login.
func (e *Entry) external() bool { return slices.Equal(e.Mechanisms, []string{"EXTERNAL"}) }

// proxyLogin is the password of a proxy and where it was found.
type proxyLogin struct {
	file   *view
	secret string
}

// Format tells nothing.
func (proxyLogin) Format(f fmt.State, _ rune) { fmt.Fprint(f, "the login of a proxy") }

// readProxySecret completes the proxy of an account.
func (s *Store) readProxySecret(ctx context.Context, m, last *made) (err error) {
	source := m.entry.ProxySecret
	switch {
	case source.Kind == SecretStored:
		return nil
	case source.Kind == SecretCommand && last != nil && last.failed == nil && last.of(m.entry) && last.proxy.secret != "":
		m.proxy = last.proxy
	default:
		m.proxy, err = s.readProxySource(ctx, source)
	}
	if source.Kind == SecretCommand && err != nil && ctx.Err() == nil {
		m.failed = about(m.entry, err)
		return nil
	}
	if err == nil {
		err = checkSecret(m.proxy.secret)
	}
	if err == nil {
		m.account.Proxy, err = proxy.SetPassword(m.entry.Proxy, m.proxy.secret)
	}
	if err != nil {
		return about(m.entry, err)
	}
	return nil
}

func (s *Store) readProxySource(ctx context.Context, source SecretSource) (p proxyLogin, err error) {
	switch source.Kind {
	case SecretEnv:
		p.secret, _ = s.options.LookupEnv(source.Name)
		if p.secret == "" {
			err = &SecretError{File: source.String(), Err: ErrNoSecret, Hint: "it is not set"}
		}
	case SecretFile:
		p.file, p.secret, err = readSecretFile(inDir(s.dir, source.Name))
	case SecretCommand:
		p.secret, err = s.runCommand(ctx, source)
	}
	return p, err
}

// current reports whether the password is where it was.
func (p *proxyLogin) current(s *Store, source SecretSource) bool {
	switch source.Kind {
	case SecretEnv:
		value, _ := s.options.LookupEnv(source.Name)
		return value == p.secret
	case SecretFile:
		return p.file.current()
	}
	return true
}
