// Package driver says what is measured: a way to send n messages over a number
// of connections, and where to.
package driver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
)

// Sender and Recipient are the envelope of every message.
const (
	Sender    = "bench@example.com"
	Recipient = "someone@example.net"
)

// Level is how far a driver groups commands, for comparing like with like.
type Level string

// The levels.
const (
	LockStep  Level = "lock-step"
	Group     Level = "group"
	LookAhead Level = "look-ahead"
)

// Driver is one competitor.
type Driver struct {
	Name  string
	Level Level // which bare client it is compared with
	// Composes tells that the driver builds each message from its parts, since
	// it cannot send a finished one; that is part of its figure.
	Composes bool
	// NoTLS tells that the driver cannot do implicit TLS.
	NoTLS bool
	// Send sends n messages over conns connections and returns when the server
	// has accepted them all. Connecting is part of it.
	Send func(ctx context.Context, to Target, n, conns int) error
}

// Target is where to send, and what.
type Target struct {
	Address string         // host:port
	Roots   *x509.CertPool // implicit TLS, trusting these; nil for none
	Message Message
}

// Dial opens a connection, secured if the target wants that.
func (t Target) Dial(ctx context.Context) (net.Conn, error) {
	if t.Roots == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", t.Address)
	}
	return (&tls.Dialer{Config: t.TLS()}).DialContext(ctx, "tcp", t.Address)
}

// TLS is the configuration that trusts the target; nil for no TLS.
func (t Target) TLS() *tls.Config {
	if t.Roots == nil {
		return nil
	}
	return &tls.Config{RootCAs: t.Roots, ServerName: "localhost"}
}

// Message is the same message finished and in parts.
type Message struct {
	Name       string
	Raw        []byte // with CRLF line ends, no line beginning with a dot
	Subject    string
	Text, HTML string
	Attachment []byte
}

// Letter is a plain and HTML message of 2 to 3 KB, as applications send them.
func Letter() Message {
	m := Message{
		Name:    "letter",
		Subject: "Your order is on its way",
		Text:    strings.Repeat("Good news: your parcel has left the house.\r\n", 18),
		HTML:    strings.Repeat("<p>Good news: <b>your parcel</b> has left the house.</p>\r\n", 21),
	}
	m.Raw = m.compose()
	return m
}

// Attachment is Letter with 100 KB of data that does not compress.
func Attachment() Message {
	m := Letter()
	m.Name = "attachment"
	m.Attachment = make([]byte, 100<<10)
	for i, x := 0, uint32(1); i < len(m.Attachment); i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		m.Attachment[i] = byte(x)
	}
	m.Raw = m.compose()
	return m
}

func (m Message) compose() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n", Sender, Recipient, m.Subject)
	b.WriteString("Date: Tue, 02 Jan 2024 15:04:05 +0000\r\nMessage-ID: <bench@example.com>\r\nMIME-Version: 1.0\r\n")
	b.WriteString("Content-Type: multipart/mixed; boundary=next\r\n")
	fmt.Fprintf(&b, "\r\n--next\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s", m.Text)
	fmt.Fprintf(&b, "\r\n--next\r\nContent-Type: text/html; charset=utf-8\r\n\r\n%s", m.HTML)
	if len(m.Attachment) > 0 {
		b.WriteString("\r\n--next\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n")
		for chunk := m.Attachment; len(chunk) > 0; {
			line := chunk[:min(57, len(chunk))]
			chunk = chunk[len(line):]
			b.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
		}
	}
	b.WriteString("\r\n--next--\r\n")
	return []byte(b.String())
}

// PerConnection splits n messages over conns goroutines and returns the first
// error of any.
func PerConnection(n, conns int, send func(share int) error) error {
	errs := make(chan error, conns)
	var all sync.WaitGroup
	for i := range conns {
		share := n / conns
		if i < n%conns {
			share++
		}
		all.Go(func() { errs <- send(share) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
