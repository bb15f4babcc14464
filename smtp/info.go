package smtp

import (
	"crypto/tls"
	"time"
)

// Info tells how a connection came about.
type Info struct {
	Server     string // host:port as configured
	RemoteAddr string // the address that answered
	Greeting   Reply
	Hello      Reply                // the last reply to EHLO or HELO
	TLS        *tls.ConnectionState // nil on an unencrypted link
	Mechanism  string               // of the login; empty before it

	RoundTrips int // flights until now, the TCP and TLS handshakes included

	// How long each phase took; zero for phases that did not take place.
	ConnectTime, TLSTime, GreetingTime, HelloTime, AuthTime time.Duration
}
