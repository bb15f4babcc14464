package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/idna"
)

// Error is a way that a proxy did not open. It holds no login.
type Error struct {
	Proxy  string // as Proxy.String
	Target string // host:port
	Err    error
	Hint   string // what to do, where we can tell
}

// Error says whose failure it is.
func (e *Error) Error() string {
	return "no way to " + e.Target + " through the proxy " + e.Proxy + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Open asks the proxy at the other end of conn for a way to target (host:port),
// whose name the proxy looks up. What it returns is conn, or TLS over it for an
// https proxy, which is verified against roots (nil: the system's). It takes so
// many round trips. ctx bounds all of it; after an error conn is of no more use.
// Errors are of type [*Error].
func (p *Proxy) Open(ctx context.Context, conn net.Conn, target string, roots *x509.CertPool) (net.Conn, int, error) {
	release := bound(ctx, conn)
	through, trips, err := p.open(ctx, conn, target, roots)
	if !release() && err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		return through, trips, nil
	}
	known := &Error{Proxy: p.String(), Target: target, Err: err}
	var said *refusal
	if errors.As(err, &said) {
		known.Hint = said.hint
	}
	return nil, trips, known
}

func (p *Proxy) open(ctx context.Context, conn net.Conn, target string, roots *x509.CertPool) (net.Conn, int, error) {
	if err := checkTarget(target); err != nil {
		return nil, 0, err
	}
	if p.socks() {
		return p.openSOCKS(ctx, conn, target)
	}
	trips := 1
	if p.scheme == "https" {
		over := tls.Client(conn, &tls.Config{ServerName: p.host, RootCAs: roots, MinVersion: tls.VersionTLS12})
		if err := over.HandshakeContext(ctx); err != nil {
			return nil, trips, &refusal{err: err, hint: "TLS with the proxy failed: is it an https proxy, and its certificate trusted here?"}
		}
		conn = over
		trips++
	}
	return conn, trips, p.connect(conn, target)
}

// bound has conn fail when ctx ends. The returned function ends that, and reports
// whether ctx was still alive.
func bound(ctx context.Context, conn net.Conn) (release func() bool) {
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return func() bool {
		alive := stop()
		if alive {
			conn.SetDeadline(time.Time{})
		}
		return alive
	}
}

// refusal is what a proxy said, with what to do.
type refusal struct {
	err  error
	hint string
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// checkTarget refuses what could end a line of HTTP, or that SOCKS cannot carry.
func checkTarget(target string) error {
	host, _, err := net.SplitHostPort(target)
	switch {
	case err != nil:
		return err
	case host == "" || len(host) > 255:
		return errors.New("the server's name is empty or too long")
	case strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= unicode.MaxASCII || strings.ContainsRune(`/\?#@"`, r) }):
		return errors.New("the server's name has a character that no host name has")
	}
	return nil
}

// ASCII is a host name as it is looked up: internationalised ones as A-labels
// (RFC 5891).
func ASCII(host string) (string, error) {
	if !strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return host, nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return "", errors.New("the host's name is no domain name: " + err.Error())
	}
	return ascii, nil
}
