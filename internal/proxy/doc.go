// Package proxy opens a way to a server through a SOCKS 5 proxy (RFC 1928, login
// RFC 1929) or an HTTP proxy (CONNECT, RFC 9110 §9.3.6), in the clear or over TLS.
//
// It does its part on a connection that somebody else has opened, and hands the
// same connection back: what can be asked of a socket can still be asked.
package proxy
