package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/internal/proxy"
)

// Dial connects to the server, secures the connection, and reads what the
// server offers. It does not log in: see [Conn.Authenticate].
//
// The context bounds dialling only. Errors are of type [*Error].
func Dial(ctx context.Context, config Config) (*Conn, error) {
	c := &Conn{config: config.withDefaults()}
	c.info.Server = c.config.Address()
	c.memory = c.config.Memory
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	release := c.cutWith(ctx)
	if err := c.open(ctx); err != nil {
		c.cut(err)
		return nil, err
	}
	if !release() { // ctx ended just now and has closed the connection
		return nil, c.lost(PhaseHello, net.ErrClosed, 0)
	}
	return c, nil
}

// check refuses what could be turned into commands, or makes no sense.
func (c *Conn) check() error {
	if err := c.checkWay(); err != nil {
		return err
	}
	if c.config.Host == "" {
		return &Error{Phase: PhaseConnect, Class: ClassConnect, Err: errors.New("no host given")}
	}
	host, err := proxy.ASCII(c.config.Host)
	if err != nil {
		return &Error{Phase: PhaseConnect, Class: ClassProtocol, Err: err}
	}
	for name, value := range map[string]string{"host": host, "local name": c.config.LocalName} {
		if err := checkArgument(name, value); err != nil {
			return &Error{Phase: PhaseConnect, Class: ClassProtocol, Err: err}
		}
	}
	return nil
}

// handshake starts TLS on the link.
func (c *Conn) handshake(ctx context.Context) *Error {
	if t := c.config.Trace; t != nil && t.TLSStart != nil {
		t.TLSStart()
	}
	began := time.Now()
	settings, err := c.config.tlsConfig()
	if err != nil {
		return &Error{Server: c.info.Server, Phase: PhaseTLS, Class: ClassTLS, Err: err}
	}
	asked := noticeRequest(settings)
	conn := tls.Client(c.reader.conn, settings)
	err = conn.HandshakeContext(ctx)
	state := conn.ConnectionState()
	if t := c.config.Trace; t != nil && t.TLSDone != nil {
		t.TLSDone(state, err)
	}
	if err != nil {
		return c.untrusted(ctx, err, *asked)
	}
	c.info.TLSStarted, c.info.TLSTime = began, time.Since(began)
	c.info.RoundTrips++
	if state.Version < tls.VersionTLS13 && !state.DidResume {
		c.info.RoundTrips++
	}
	c.info.TLS = &state
	c.speakOver(conn)
	return nil
}

func (c *Conn) untrusted(ctx context.Context, err error, asked bool) *Error {
	e := &Error{Server: c.info.Server, Phase: PhaseTLS, Class: ClassTLS, Err: err}
	var (
		record    tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		pin       *PinError
		timeout   net.Error
	)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Class, e.Err = ClassCanceled, endOf(ctx)
	case errors.As(err, &record):
		e.Hint = "the port does not begin with TLS: use STARTTLS, or another port"
	case errors.As(err, &authority):
		e.Hint = "the certificate is signed by nobody this machine trusts: install its CA, or set one in TLSConfig"
	case errors.As(err, &hostname):
		e.Hint = "the certificate is for another name: connect by a name it lists, or set TLSConfig.ServerName"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Hint = "the certificate is expired or not valid yet: check the server's certificate and this machine's clock"
	case errors.As(err, &pin):
		e.Hint = "if the server's key was changed on purpose, pin the new one; if not, somebody may be in between"
	case strings.Contains(err.Error(), "protocol version"):
		e.Hint = "the server does not speak " + c.config.lowestTLS() + " or later"
	case refusedCertificate(err) || asked && isAlert(err):
		e.Hint = certificateHint
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Class = ClassTimeout
		e.Hint = "the server accepted the connection but did not answer in TLS: the port may expect STARTTLS"
	}
	return e
}

func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
