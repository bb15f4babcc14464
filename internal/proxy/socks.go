package proxy

import (
	"context"
	"errors"
	"net"
	"strings"

	socks "golang.org/x/net/proxy"
)

// given is a connection in place of one to be dialled.
type given struct{ net.Conn }

// Dial returns the connection.
func (g given) Dial(_, _ string) (net.Conn, error) { return g.Conn, nil }

// DialContext returns the connection.
func (g given) DialContext(context.Context, string, string) (net.Conn, error) { return g.Conn, nil }

func (p *Proxy) openSOCKS(ctx context.Context, conn net.Conn, target string) (net.Conn, int, error) {
	var auth *socks.Auth
	trips := 2 // the choice of a login, and the wish
	if p.login {
		auth = &socks.Auth{User: p.user, Password: p.password}
		trips++
	}
	d, err := socks.SOCKS5("tcp", p.Address(), auth, given{conn})
	if err != nil {
		return nil, 0, err
	}
	// What it returns is a wrapper around conn that hides the socket.
	if _, err = d.(socks.ContextDialer).DialContext(ctx, "tcp", target); err != nil {
		return nil, trips, p.socksRefusal(err)
	}
	return conn, trips, nil
}

// socksHints are what to do, by the library's words for it. The first nine are the
// replies of RFC 1928 §6.
var socksHints = []struct{ words, hint string }{
	{"general SOCKS server failure", "the proxy gives no reason; mostly it does not know the server's name, or cannot reach it"},
	{"connection not allowed by ruleset", "the proxy's rules forbid this server or port: ask whoever runs it"},
	{"network unreachable", "the proxy cannot reach the server"},
	{"host unreachable", "the proxy cannot reach the server, or does not know its name"},
	{"connection refused", "nothing answers on that port of the server: check host and port"},
	{"TTL expired", "the proxy cannot reach the server"},
	{"command not supported", "the proxy does not open connections for others"},
	{"address type not supported", "the proxy takes no names, or no IPv6 addresses: give the server's address instead"},
	{"no acceptable authentication methods", "the proxy wants a login, or one of another kind: give user:password@ in its URL"},
	{"username/password authentication failed", "the proxy refused its own login, which is not that of the mail account: correct user and password in its URL"},
	{"unexpected protocol version", "it is no SOCKS 5 proxy: check its port, or try http:// in its URL"},
}

// socksRefusal leaves of the library's error what is not told by ours.
func (p *Proxy) socksRefusal(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	text, is := strings.CutPrefix(err.Error(), "unknown error ")
	if is {
		err = errors.New(text)
	}
	for _, known := range socksHints {
		if strings.HasPrefix(text, known.words) {
			return &refusal{err: err, hint: known.hint}
		}
	}
	return err
}
