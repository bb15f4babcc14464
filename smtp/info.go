package smtp

import (
	"crypto/tls"
	"time"
)

// Info tells how a connection came about.
type Info struct {
	Server     string // host:port as configured, or unix: and a path
	RemoteAddr string // the address that answered: the server's, or its proxy's
	Proxy      string // between us and the server, as socks5://host:1080, without its login; empty for none
	Greeting   Reply
	Hello      Reply                // the last reply to EHLO, HELO or LHLO
	TLS        *tls.ConnectionState // nil on an unencrypted link
	Mechanism  string               // of the login; empty before it

	RoundTrips int // flights until now, the handshakes of TCP, a proxy and TLS included

	// When dialling, the TLS handshake and the login that was accepted began; zero
	// for what did not take place. A login that rides along with the first envelope
	// begins with it.
	Started, TLSStarted, AuthStarted time.Time
	// OpenTime is from Started until EHLO was answered for the last time: all but
	// the login.
	OpenTime time.Duration
	// How long each phase took; zero for phases that did not take place.
	ConnectTime, TLSTime, GreetingTime, HelloTime, AuthTime time.Duration
}
