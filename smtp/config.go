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

// Config says how to reach a server and how to speak to it. Only Host is
// required. A Config may be shared; it is not changed.
type Config struct {
	Host string // name or address of the server
	Port int    // default 465 with TLSImplicit, else 587; 24 with LMTP

	// LMTP speaks RFC 2033, in which the server replies to the content once for
	// each recipient: to one that delivers into mailboxes, not to one that relays.
	LMTP bool

	// TLS is how the connection is secured. With LMTP, TLSAuto is no TLS on this
	// machine (a UNIX socket; a loopback address that Host names), else STARTTLS,
	// required.
	TLS       TLSMode
	TLSConfig *tls.Config // default: system roots, ServerName Host, TLS 1.2 or later

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

	// DialContext opens the connection below TLS. Default: a net.Dialer, which
	// tries every address (RFC 8305). A connection that is no socket may offer
	// Peek() (waiting int, err error), never blocking, for [Conn.Alive].
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	Trace *Trace
}

// Timeouts bound the phases of a session. Zero means the default, a negative
// value no limit.
type Timeouts struct {
	Connect  time.Duration // name look-up, TCP and TLS; default 10 s
	Greeting time.Duration // the 220; default 5 s
	Command  time.Duration // each reply but the final one; default 30 s
	Data     time.Duration // writing content without any progress; default 30 s
	Final    time.Duration // the reply to the end of the content, each with LMTP; default 10 min (RFC 5321 §4.5.3.2.6)
}

const (
	portSubmission  = 587
	portSubmissions = 465 // with implicit TLS
	portLMTP        = 24  // "any private mail system": what servers and clients take by habit
)

// Address is host:port, with the default port filled in.
func (c Config) Address() string {
	c = c.withPort()
	return net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
}

func (c Config) withPort() Config {
	if c.LMTP {
		if c.Port == 0 {
			c.Port = portLMTP
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

func (c Config) withDefaults() Config {
	c = c.withPort()
	c.Timeouts = c.Timeouts.withDefaults()
	if c.LocalName == "" {
		c.LocalName = localName()
	}
	if c.Memory == nil {
		c.Memory = new(Memory)
	}
	if c.DialContext == nil {
		c.DialContext = new(net.Dialer).DialContext
	}
	return c
}

// tlsConfig completes the user's settings. Records are sized at once for bulk:
// a server can do nothing with the first octets of a message alone.
func tlsConfig(config *tls.Config, host string) *tls.Config {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	} else {
		config = config.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	config.DynamicRecordSizingDisabled = true
	return config
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
