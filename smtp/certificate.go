package smtp

import "time"

// CertificateExpires is when the server's certificate ends; zero without TLS.
func (c *Conn) CertificateExpires() time.Time {
	if c.info.TLS == nil || len(c.info.TLS.PeerCertificates) == 0 {
		return time.Time{}
	}
	return c.info.TLS.PeerCertificates[0].NotAfter
}
