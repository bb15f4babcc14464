package smtptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// certificate is made once per process: it costs more than most tests.
var certificate = sync.OnceValues(newCertificate)

func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "smtptest"},
		DNSNames:     []string{"localhost", "example.com", "*.example.com"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		// The clock in a testing/synctest bubble starts in 2000.
		NotBefore:             time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

func serverTLS(c Config) (*tls.Config, error) {
	if c.TLS == TLSNone {
		return nil, nil
	}
	if c.TLSConfig != nil {
		return c.TLSConfig, nil
	}
	cert, err := certificate()
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}, nil
}

// ClientTLS returns a client's configuration that trusts the server's
// certificates. ServerName is left to the client: localhost, 127.0.0.1 and names
// in example.com match the default certificate.
func (s *Server) ClientTLS() *tls.Config {
	roots := x509.NewCertPool()
	if s.tls != nil {
		for _, cert := range s.tls.Certificates {
			if leaf, err := x509.ParseCertificate(cert.Certificate[0]); err == nil {
				roots.AddCert(leaf)
			}
		}
	}
	return &tls.Config{RootCAs: roots}
}

// CertificatePEM returns the server's certificates for a client that reads
// those it shall trust from a file. It is empty without TLS.
func (s *Server) CertificatePEM() (pems []byte) {
	if s.tls == nil {
		return nil
	}
	for _, cert := range s.tls.Certificates {
		pems = append(pems, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})...)
	}
	return pems
}
