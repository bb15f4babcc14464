package smtp_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestCertificateExpires(t *testing.T) {
	t.Parallel()
	for _, mode := range []smtptest.TLSMode{smtptest.TLSNone, smtptest.TLSStartTLS, smtptest.TLSImplicit} {
		d := newDesk(t, smtptest.Config{TLS: mode})
		c, err := smtp.Dial(t.Context(), d.config)
		if err != nil {
			t.Fatal(err)
		}
		at := c.CertificateExpires()
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
		if mode == smtptest.TLSNone {
			if !at.IsZero() {
				t.Errorf("%v without TLS", at)
			}
			continue
		}
		block, _ := pem.Decode(d.server.CertificatePEM())
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !at.Equal(certificate.NotAfter) {
			t.Errorf("%v, want %v (%v)", at, certificate.NotAfter, err)
		}
	}
}
