package kaizen

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// Account is a server that relays for you, the login it wants and the limits it
// sets; or a [Mailer] in place of a server. Only Host, Socket or Mailer is required;
// [ParseURL] makes an account of a URL.
//
// An Account prints, logs and marshals without its secrets. (Package fmt does not
// call methods of unexported fields: a type that keeps an Account in one needs a
// Format method of its own.)
//
// Accounts of one Name (or, without names, of one host, port and user, or of one
// mailer) are one identity: they share limits, of which the stricter hold, and
// statistics. Among them, those of the same server, TLS settings and credentials
// share connections.
type Account struct {
	// Name is how the account is called in errors, receipts and statistics, and
	// what limits are kept by. Default: host, port and user name.
	Name string

	Host string
	Port int // default 587, or 465 with implicit TLS; 24 with LMTP
	// LMTP speaks RFC 2033 with a server that delivers into mailboxes and answers
	// for each recipient. Default: SMTP.
	LMTP bool
	// TLS is how connections are secured. Default: implicit TLS on port 465, else
	// STARTTLS, required; with LMTP none on this machine, else STARTTLS, required.
	TLS smtp.TLSMode
	// TLSConfig replaces the default: system roots, TLS 1.2 or later. It must not
	// be changed once the account was used. TLS sessions are resumed on the
	// account's next connections, in a cache of its own unless this has one.
	TLSConfig *tls.Config
	// Servers are further ones, besides Host, of the same login.
	Servers []Server
	// PinnedKeys, if any, has the server's certificate or one above it have one of
	// these keys, besides all that TLSConfig demands; see [smtp.KeyPin].
	PinnedKeys []string

	// Socket, Proxy and LocalAddress are ways to the server, as in [smtp.Config]: a
	// UNIX socket instead of Host and Port; the URL of a SOCKS 5 or HTTP proxy, or
	// "environment"; and the address of this machine to connect from.
	Socket, Proxy, LocalAddress string

	Username string
	Password string
	// Auth replaces Username and Password where a login needs more: OAuth 2
	// tokens, certain mechanisms, a SASL library. It must not be changed once the
	// account was used; make a new one for new credentials.
	Auth *smtp.Auth
	// InsecureAuth permits a login over an unencrypted link to a host that is not
	// loopback: anyone on the way can read the password.
	InsecureAuth bool

	// Mailer takes the messages in place of a server: then Host is empty, and what
	// concerns servers, logins and connections has no effect but for Limits:
	// Connections is how many messages are handed over at a time.
	Mailer Mailer

	Limits Limits
	Retry  Retry // of messages that were queued

	Timeouts    smtp.Timeouts
	IdleTimeout time.Duration // of a pooled connection; default 5 min, negative: no limit
	MaxLifetime time.Duration // of a pooled connection, ±10 %; default: no limit
	MinIdle     int           // connections kept open and logged in; default 0

	LocalName string     // what EHLO or LHLO says; default: this machine's name if it has a domain, else [127.0.0.1]
	MaxLevel  smtp.Level // the highest level used on the wire; default: look-ahead
	// DialContext opens the connections below TLS, to the server or its proxy. It
	// excludes LocalAddress. Default: a net.Dialer. Two
	// functions of the same code are taken for the same way to the server: give
	// accounts that differ in nothing else different names.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	Trace       *smtp.Trace // hooks into every connection; default none
}

// Limits bound what an account is asked to do. They hold over all connections
// and all callers of a [Client].
type Limits struct {
	Connections           int // at once; default 5
	MessagesPerConnection int // default 100, negative: no limit
	// Rates hold together, each in any sliding window as the server's clock sees
	// it. Default, if nil: 10 messages per second. NoRate limits nothing.
	Rates []Rate
}

// Rate is at most Count messages (or recipients, or octets of content) in any
// span of length Per. Where octets are counted, a content must know its size; see
// [smtp.Content.DeclareSize].
type Rate struct {
	Count int
	Per   time.Duration
	Unit  Unit
}

// Unit is what a [Rate] counts.
type Unit uint8

// The units.
const (
	Messages Unit = iota
	Recipients
	Octets
)

var defaultRates = []Rate{{Count: 10, Per: time.Second}}

// NoRate, as Limits.Rates, sends as fast as the server takes the messages.
func NoRate() []Rate { return []Rate{} }

// label names the account in words.
func (a *Account) label() string {
	if a.Name != "" {
		return a.Name
	}
	label := a.address()
	if user := a.shownUser(); user != "" {
		label = user + "@" + label
	}
	return label
}

// shownUser is the user name, or something that stands for it where it is the
// secret itself: some providers take a token as both user name and password.
func (a *Account) shownUser() string {
	auth := a.auth()
	if auth == nil || a.Mailer != nil {
		return ""
	}
	if auth.Username != "" && auth.Username == auth.Password {
		fingerprint := auth.Fingerprint()
		return fmt.Sprintf("token-%x", fingerprint[:4])
	}
	return auth.Username
}

func (a *Account) auth() *smtp.Auth {
	if a.Auth != nil {
		return a.Auth
	}
	if a.Username == "" && a.Password == "" {
		return nil
	}
	return &smtp.Auth{Username: a.Username, Password: a.Password}
}

func (a *Account) config() smtp.Config {
	return smtp.Config{Host: a.Host, Port: a.Port, LMTP: a.LMTP, TLS: a.TLS, TLSConfig: a.TLSConfig,
		Socket: a.Socket, Proxy: a.Proxy, LocalAddress: a.LocalAddress, PinnedKeys: a.PinnedKeys,
		LocalName: a.LocalName, Auth: a.auth(), InsecureAuth: a.InsecureAuth, Timeouts: a.Timeouts,
		MaxLevel: a.MaxLevel, DialContext: a.DialContext, Trace: a.Trace}
}

// withDefaults fills in what the pool would, so that limits can be compared.
func (l Limits) withDefaults() Limits {
	if l.Connections == 0 {
		l.Connections = 5
	}
	if l.MessagesPerConnection == 0 {
		l.MessagesPerConnection = 100
	}
	if l.Rates == nil {
		l.Rates = defaultRates
	}
	return l
}

func (l *Limits) equal(other *Limits) bool {
	a, b := l.withDefaults(), other.withDefaults()
	return a.Connections == b.Connections && a.MessagesPerConnection == b.MessagesPerConnection && slices.Equal(a.Rates, b.Rates)
}

// connectionKey tells apart what must not share a connection: another server,
// other TLS settings, other credentials. A changed password thus never meets a
// connection of the old one, while limits and health stay with the label.
func (a *Account) connectionKey() string {
	h := sha256.New()
	if a.Mailer != nil {
		fmt.Fprintf(h, "mailer %q", a.Mailer.String())
		return string(h.Sum(nil))
	}
	fingerprint := a.auth().Fingerprint()
	fmt.Fprintf(h, "%q %t %d %q %d %t %x ", a.config().Address(), a.LMTP, a.TLS, a.LocalName, a.MaxLevel, a.InsecureAuth, fingerprint)
	fmt.Fprintf(h, "%x ", reflect.ValueOf(a.DialContext).Pointer())
	fmt.Fprintf(h, "%q %q %q %q ", a.Host, a.Proxy, a.LocalAddress, a.PinnedKeys)
	fmt.Fprintf(h, "%+v ", a.Servers)
	if t := a.TLSConfig; t != nil {
		fmt.Fprintf(h, "%q %t %d %d %p ", t.ServerName, t.InsecureSkipVerify, t.MinVersion, t.MaxVersion, t.RootCAs)
		fmt.Fprintf(h, "%x %x ", reflect.ValueOf(t.VerifyPeerCertificate).Pointer(), reflect.ValueOf(t.VerifyConnection).Pointer())
		for _, c := range t.Certificates {
			fmt.Fprintf(h, "%x ", c.Certificate)
		}
		fmt.Fprintf(h, "%x %p ", reflect.ValueOf(t.GetClientCertificate).Pointer(), t.ClientSessionCache)
	}
	return string(h.Sum(nil))
}

// shown is what may be seen of an account.
type shown struct {
	Name     string   `json:"name,omitempty"`
	Server   string   `json:"server"`
	Servers  []string `json:"servers,omitempty"` // all, if there are several
	LMTP     bool     `json:"lmtp,omitempty"`
	Username string   `json:"username,omitempty"`
	Limits   Limits   `json:"limits"`
}

func (a *Account) shown() shown {
	s := shown{Name: a.Name, Server: a.address(), LMTP: a.LMTP, Username: a.shownUser(), Limits: a.Limits}
	if len(a.Servers) > 0 {
		s.Servers = a.addresses()
	}
	return s
}

// Format writes the account without its secrets, whatever the verb.
func (a Account) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "account %s", strings.TrimSpace(a.label()))
}

// LogValue logs the account without its secrets.
func (a Account) LogValue() slog.Value { return slog.StringValue(a.label()) }

// MarshalJSON writes the account without its secrets.
func (a Account) MarshalJSON() ([]byte, error) { return json.Marshal(a.shown()) }

// same reports whether two accounts are reached in the same way, without the
// cost of a fingerprint.
func (a *Account) same(b *Account) bool {
	return a.Name == b.Name && a.Host == b.Host && a.Port == b.Port && a.LMTP == b.LMTP && a.TLS == b.TLS && a.TLSConfig == b.TLSConfig &&
		a.Socket == b.Socket && a.Proxy == b.Proxy && a.LocalAddress == b.LocalAddress && slices.Equal(a.PinnedKeys, b.PinnedKeys) &&
		a.Username == b.Username && a.Password == b.Password && a.Auth == b.Auth &&
		a.InsecureAuth == b.InsecureAuth && a.LocalName == b.LocalName && a.MaxLevel == b.MaxLevel &&
		slices.Equal(a.Servers, b.Servers) && a.Trace == b.Trace && a.Timeouts == b.Timeouts &&
		reflect.ValueOf(a.DialContext).Pointer() == reflect.ValueOf(b.DialContext).Pointer() &&
		sameMailer(a.Mailer, b.Mailer) && a.Limits.equal(&b.Limits)
}
