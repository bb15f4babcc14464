package smtp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// TLSMode is how a connection is secured.
type TLSMode uint8

// The modes.
const (
	TLSAuto          TLSMode = iota // implicit TLS on port 465, else STARTTLS required; see also Config.TLS
	TLSImplicit                     // TLS from the first octet (RFC 8314)
	TLSStartTLS                     // STARTTLS, required (RFC 3207)
	TLSOpportunistic                // STARTTLS if offered; open to a man in the middle
	TLSNone                         // never
)

// Config says how to reach a server and how to speak to it. Only Host or Socket is
// required. A Config may be shared; it is not changed.
type Config struct {
	Host string // name or address of the server
	Port int    // default 465 with TLSImplicit, else 587; 24 with LMTP

	// LMTP speaks RFC 2033, in which the server replies to the content once for
	// each recipient: to one that delivers into mailboxes, not to one that relays.
	LMTP bool

	// Socket is the path of a UNIX socket to connect to instead of Host and Port;
	// on Linux "@name" is an abstract one. TLSAuto is then TLSNone, and Host, for
	// TLS alone, is localhost by default.
	Socket string
	// Proxy is the way to the server: the URL of a SOCKS 5 proxy (socks5 or
	// socks5h, RFC 1928) or of an HTTP proxy (http or https; CONNECT, RFC 9110
	// §9.3.6), with user:password@ if it wants a login (RFC 1929, Basic). The proxy
	// looks up the server's name. An https proxy is verified against the roots of
	// TLSConfig. "environment" is the proxy of the variable ALL_PROXY, else
	// HTTPS_PROXY, unless NO_PROXY names the server. Default: none, whatever the
	// environment says. [CheckProxy] tells what is wrong with one.
	Proxy string
	// LocalAddress is the IP address of this machine to connect from; addresses of
	// the server, or the proxy, of the other family are not tried. Default: as the
	// system routes.
	LocalAddress string

	// TLS is how the connection is secured. With LMTP, TLSAuto is no TLS on this
	// machine (a UNIX socket; a loopback address that Host names), else STARTTLS,
	// required.
	TLS       TLSMode
	TLSConfig *tls.Config // default: system roots, ServerName Host, TLS 1.2 or later
	// PinnedKeys, if any, has the server's certificate or one above it have one of
	// these keys, besides all that TLSConfig demands; see [KeyPin].
	PinnedKeys []string
	// Sessions keeps TLS sessions to resume, unless TLSConfig does. It must not be
	// shared between different servers, roots, pins or client certificates.
	// Default: none are resumed.
	Sessions tls.ClientSessionCache

	// LocalName is what EHLO or LHLO says. Default: the machine's name if it is a domain
	// name, else an address literal (RFC 5321 §4.1.4).
	LocalName string

	// Auth logs in; nil sends without a login. The login takes place in
	// [Conn.Authenticate] or with the first transaction.
	Auth *Auth
	// InsecureAuth permits a login over an unencrypted link to a host that is
	// not loopback: anyone on the way can read the password.
	InsecureAuth bool

	Timeouts Timeouts

	// MaxLevel is the highest level used. Default: LevelLookAhead.
	MaxLevel Level
	// Memory holds what was learned about the server; connections to it share
	// it. Default: a memory of this connection's own.
	Memory *Memory

	// DialContext opens the connection below TLS, to the server or its proxy; the
	// network is tcp or unix. It excludes LocalAddress. Default: a net.Dialer, which
	// tries every address (RFC 8305). A connection that is no socket may offer
	// Peek() (waiting int, err error), never blocking, for [Conn.Alive].
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	Trace *Trace
}

// Timeouts bound the phases of a session. Zero means the default, a negative
// value no limit.
type Timeouts struct {
	Connect  time.Duration // name look-up, TCP, proxy and TLS; default 10 s
	Greeting time.Duration // the 220; default 5 s
	Command  time.Duration // each reply but the final one; default 30 s
	Data     time.Duration // writing content without any progress; default 30 s
	Final    time.Duration // the reply to the end of the content, each with LMTP; default 10 min (RFC 5321 §4.5.3.2.6)
}

// PortLMTP is the default with LMTP. There is no official one; 24, "any private
// mail system", is what servers and clients take by habit.
const PortLMTP = 24

const (
	portSubmission  = 587
	portSubmissions = 465 // with implicit TLS
)

// Address is host:port, with the default port filled in, or unix: and the path of
// the socket.
func (c Config) Address() string {
	if c.Socket != "" {
		return "unix:" + c.Socket
	}
	c = c.withPort()
	return net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
}

func (c Config) withPort() Config {
	if c.Socket != "" {
		return c.withSocket()
	}
	if c.LMTP {
		if c.Port == 0 {
			c.Port = PortLMTP
		}
		return c // what TLSAuto is depends on where the connection goes
	}
	if c.Port == 0 {
		c.Port = portSubmission
		if c.TLS == TLSImplicit {
			c.Port = portSubmissions
		}
	}
	if c.TLS == TLSAuto {
		c.TLS = TLSStartTLS
		if c.Port == portSubmissions {
			c.TLS = TLSImplicit
		}
	}
	return c
}

func (c Config) withSocket() Config {
	if c.Host == "" {
		c.Host = "localhost"
	}
	if c.TLS == TLSAuto {
		c.TLS = TLSNone
	}
	return c
}

func (c Config) withDefaults() Config {
	c = c.withPort()
	c.Timeouts = c.Timeouts.withDefaults()
	if c.LocalName == "" {
		c.LocalName = localName()
	}
	if c.Memory == nil {
		c.Memory = new(Memory)
	}
	return c
}

// localName is what EHLO says by default: names without a dot are refused by
// many servers, an address literal is not (RFC 5321 §4.1.4).
func localName() string {
	name, err := os.Hostname()
	if err == nil && strings.Contains(name, ".") && checkArgument("host name", name) == nil {
		return name
	}
	return "[127.0.0.1]"
}

func (t Timeouts) withDefaults() Timeouts {
	orDefault := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
		*d = max(*d, 0)
	}
	orDefault(&t.Connect, 10*time.Second)
	orDefault(&t.Greeting, 5*time.Second)
	orDefault(&t.Command, 30*time.Second)
	orDefault(&t.Data, 30*time.Second)
	orDefault(&t.Final, 10*time.Minute)
	return t
}

// Format names the server alone: a Config may hold a password.
func (c Config) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "smtp server %s", c.Address()) }
