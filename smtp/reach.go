package smtp

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http/httptrace"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/kaizenmail/kaizen/internal/proxy"
)

// CheckProxy reports what is wrong with a proxy as [Config].Proxy takes it; nil if
// nothing is. The error does not hold its password.
func CheckProxy(setting string) error { return proxy.Check(setting) }

// ProxyHasPassword reports whether the URL of a proxy holds a password, so that it
// must not be shown or kept in the clear.
func ProxyHasPassword(setting string) bool { return proxy.HasPassword(setting) }

// checkWay refuses what cannot go together.
func (c *Conn) checkWay() error {
	config := &c.config
	_, err := localAddress(config.LocalAddress)
	if err == nil {
		err = CheckProxy(config.Proxy)
		if err != nil {
			err = fmt.Errorf("read the proxy: %w", err)
		}
	}
	if err == nil {
		_, err = parsePins(config.PinnedKeys)
	}
	switch {
	case err != nil:
	case len(config.PinnedKeys) > 0 && (config.TLS == TLSNone || config.TLS == TLSOpportunistic):
		err = errors.New("keys are pinned, but TLS is not required: require it (STARTTLS or implicit TLS), or pin none")
	case config.Socket != "" && (config.Proxy != "" || config.LocalAddress != ""):
		err = errors.New("a socket is reached without proxy and local address: give one or the other")
	case config.LocalAddress != "" && config.DialContext != nil:
		err = errors.New("give a local address or DialContext, not both")
	}
	if err != nil {
		return &Error{Server: c.info.Server, Phase: PhaseConnect, Class: ClassConnect, Err: err}
	}
	return nil
}

func localAddress(text string) (*net.TCPAddr, error) {
	if text == "" {
		return nil, nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return nil, fmt.Errorf("the local address %q is not an IP address", text)
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), 0)), nil
}

// connect opens the connection, trying every address of the host, or of the proxy
// before it.
func (c *Conn) connect(ctx context.Context) error {
	ctx, cancel := withTimeout(ctx, c.config.Timeouts.Connect)
	defer cancel()
	c.info.Started = time.Now()
	if lost := c.reach(ctx); lost != nil {
		return lost
	}
	c.info.ConnectTime = time.Since(c.info.Started)
	if c.config.TLS == TLSImplicit {
		if lost := c.handshake(ctx); lost != nil {
			c.cut(lost)
			return lost
		}
	}
	return nil
}

// reach makes the link, and what is spoken over until there is TLS.
func (c *Conn) reach(ctx context.Context) *Error {
	network, target, err := c.target()
	if err != nil {
		return c.unreachable(ctx, nil, err)
	}
	via, err := proxy.For(c.config.Proxy, target, os.Getenv)
	if err != nil {
		return c.unreachable(ctx, nil, fmt.Errorf("read the proxy: %w", err))
	}
	next := target
	if via != nil {
		next, c.info.Proxy = via.Address(), via.String()
	}
	conn, err := c.dialer()(c.traceDial(ctx), network, next)
	if err != nil {
		return c.unreachable(ctx, via, err)
	}
	c.info.RoundTrips++
	c.info.RemoteAddr = remoteAddress(conn, next)
	c.link = &link{Conn: conn}
	c.speakOver(c.link)
	if via != nil {
		if err := c.passThrough(ctx, via, target); err != nil {
			return c.unreachable(ctx, via, err)
		}
	}
	c.link.stall = c.config.Timeouts.Data
	return nil
}

func (c *Conn) target() (network, address string, err error) {
	if c.config.Socket != "" {
		return "unix", c.config.Socket, nil
	}
	host, err := proxy.ASCII(c.config.Host)
	return "tcp", net.JoinHostPort(host, strconv.Itoa(c.config.Port)), err
}

// dialer is the caller's, or one of our own.
func (c *Conn) dialer() func(context.Context, string, string) (net.Conn, error) {
	if c.config.DialContext != nil {
		return c.config.DialContext
	}
	d := new(net.Dialer)
	if from, _ := localAddress(c.config.LocalAddress); from != nil {
		d.LocalAddr = from
	}
	return d.DialContext
}

func remoteAddress(conn net.Conn, dialled string) string {
	if _, is := conn.RemoteAddr().(*net.UnixAddr); is {
		return "unix:" + dialled
	}
	return conn.RemoteAddr().String()
}

// passThrough has the proxy go on to the server.
func (c *Conn) passThrough(ctx context.Context, via *proxy.Proxy, target string) error {
	var roots *x509.CertPool
	if c.config.TLSConfig != nil {
		roots = c.config.TLSConfig.RootCAs
	}
	conn, trips, err := via.Open(ctx, c.link, target, roots)
	c.info.RoundTrips += trips
	if err != nil {
		c.link.Close()
		return err
	}
	c.speakOver(conn)
	return nil
}

func (c *Conn) unreachable(ctx context.Context, via *proxy.Proxy, err error) *Error {
	e := &Error{Server: c.info.Server, Phase: PhaseConnect, Class: ClassConnect, Err: err}
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Class, e.Err = ClassCanceled, endOf(ctx)
		return e
	case errors.As(err, &dns) && !dns.Timeout():
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Class = ClassTimeout
	}
	e.Hint = c.reachHint(via, err)
	return e
}

// reachHint is what to do about a way that did not open.
func (c *Conn) reachHint(via *proxy.Proxy, err error) string {
	var (
		refused *proxy.Error
		dns     *net.DNSError
		timeout net.Error
		call    *os.SyscallError
	)
	silent := errors.As(err, &timeout) && timeout.Timeout()
	switch {
	case errors.As(err, &refused) && silent && refused.Hint == "":
		return "the proxy does not answer, or does not reach the server"
	case errors.As(err, &refused):
		return refused.Hint
	case errors.As(err, &dns) && dns.Timeout():
		return "the name servers do not answer"
	case errors.As(err, &dns) && via != nil:
		return "check the name of the proxy " + via.String()
	case errors.As(err, &dns):
		return "check the host name"
	case errors.As(err, &call) && call.Syscall == "bind":
		return "check the local address " + c.config.LocalAddress + ": it must be one of this machine"
	case c.config.LocalAddress != "" && !silent && isAddressError(err):
		return "the local address " + c.config.LocalAddress + " is IPv4 and the other side has IPv6 addresses only, or the other way round"
	case via != nil:
		return "it is the proxy " + via.String() + " that cannot be reached: is it running?"
	case c.config.Socket != "":
		return socketHint(err)
	case silent:
		return "a firewall may block port " + strconv.Itoa(c.config.Port)
	}
	return ""
}

func isAddressError(err error) bool {
	var wrong *net.AddrError
	return errors.As(err, &wrong)
}

func socketHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such socket: is the server running, and the path right?"
	case errors.Is(err, fs.ErrPermission):
		return "this user may not use the socket: look at its owner, group and mode"
	}
	return "is the server running? A path may have about 100 octets"
}

// traceDial passes every address that is tried to the trace.
func (c *Conn) traceDial(ctx context.Context) context.Context {
	t := c.config.Trace
	if t == nil || t.ConnectStart == nil && t.ConnectDone == nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{ConnectStart: t.ConnectStart, ConnectDone: t.ConnectDone})
}
