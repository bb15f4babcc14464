package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/kaizenmail/kaizen/internal/proxy"
)

// tlsConfig completes the user's settings. Records are sized at once for bulk:
// a server can do nothing with the first octets of a message alone.
func (c *Config) tlsConfig() (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSConfig != nil {
		settings = c.TLSConfig.Clone()
	}
	if settings.ServerName == "" {
		host, err := proxy.ASCII(c.Host)
		if err != nil {
			return nil, err
		}
		settings.ServerName = host
	}
	if settings.ClientSessionCache == nil {
		settings.ClientSessionCache = c.Sessions
	}
	settings.DynamicRecordSizingDisabled = true
	if len(c.PinnedKeys) == 0 {
		return settings, nil
	}
	pins, err := parsePins(c.PinnedKeys)
	// Not VerifyPeerCertificate, which is not asked on resumption.
	settings.VerifyConnection = pins.after(settings.VerifyConnection)
	return settings, err
}

// ParseTLSVersion reads "1.0", "1.1", "1.2" or "1.3", for tls.Config.MinVersion.
func ParseTLSVersion(text string) (uint16, error) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		if tls.VersionName(version) == "TLS "+text {
			return version, nil
		}
	}
	return 0, fmt.Errorf("%q is none of 1.0, 1.1, 1.2, 1.3", text)
}

func (c *Config) lowestTLS() string {
	if c.TLSConfig != nil && c.TLSConfig.MinVersion != 0 {
		return tls.VersionName(c.TLSConfig.MinVersion)
	}
	return tls.VersionName(tls.VersionTLS12)
}

const certificateHint = "the server wants a client certificate that it knows: give one with its key (TLSConfig.Certificates), or another one"

// refusedCertificate: the server did not like our certificate, or that there was
// none. With TLS 1.3 it says so only when the handshake is over for us.
func refusedCertificate(err error) bool {
	text := err.Error()
	return isAlert(err) && (strings.Contains(text, "certificate") || strings.Contains(text, "unknown ca"))
}

// isAlert: the other side ended TLS in words.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// noticeRequest finds out whether the server asks for a client certificate where
// there is none. With TLS 1.2 its refusal does not say so.
func noticeRequest(settings *tls.Config) *bool {
	asked := new(bool)
	if len(settings.Certificates) == 0 && settings.GetClientCertificate == nil {
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			*asked = true
			return new(tls.Certificate), nil
		}
	}
	return asked
}
