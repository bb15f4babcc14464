package accounts

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/kaizenmail/kaizen/internal/proxy"
)

// tokenClient asks for an account's tokens the way its mail goes: through its proxy,
// if it has one. Without, it is the default of package oauth.
func (s *Store) tokenClient(m *made) *http.Client {
	if s.options.HTTP != nil || m.account.Proxy == "" {
		return s.options.HTTP
	}
	var roots *x509.CertPool
	if m.account.TLSConfig != nil {
		roots = m.account.TLSConfig.RootCAs
	}
	return proxiedClient(m.account.Proxy, roots)
}

// proxiedClient has the proxy open a way to wherever a request goes; roots are for an
// https proxy itself. It keeps no connections: there is a request an hour.
func proxiedClient(setting string, roots *x509.CertPool) *http.Client {
	const patience = 10 * time.Second
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives:   true,
		TLSHandshakeTimeout: patience,
		DialContext: func(ctx context.Context, network, target string) (net.Conn, error) {
			return dialThrough(ctx, setting, network, target, roots)
		},
	}}
}

// dialThrough goes straight to what is on this machine: it may be spoken to in the
// clear, and a proxy would take "localhost" for its own.
func dialThrough(ctx context.Context, setting, network, target string, roots *x509.CertPool) (net.Conn, error) {
	via, err := proxy.For(setting, target, os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("read the proxy: %w", err)
	}
	if via == nil || onThisMachine(target) {
		return new(net.Dialer).DialContext(ctx, network, target)
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, via.Address())
	if err != nil {
		return nil, fmt.Errorf("the proxy %s cannot be reached: %w", via, err)
	}
	through, _, err := via.Open(ctx, conn, target, roots)
	if err == nil {
		return through, nil
	}
	_ = conn.Close() // of no more use
	if told, ok := errors.AsType[*proxy.Error](err); ok && told.Hint != "" {
		return nil, fmt.Errorf("%w (%s)", err, told.Hint)
	}
	return nil, err
}

func onThisMachine(target string) bool {
	host, _, err := net.SplitHostPort(target)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
