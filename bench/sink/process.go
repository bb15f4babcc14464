package sink

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"time"
)

// Announcement is the first line that [Run] prints.
type Announcement struct {
	Address     string `json:"address"`
	Certificate []byte `json:"certificate,omitempty"` // DER, to be trusted
}

// Run is a sink as a process of its own: it listens on loopback, announces
// itself on out, answers every line on in with its [Counts], and ends with in.
func Run(in io.Reader, out io.Writer, roundTrip time.Duration, secure bool) error {
	s := &Sink{RoundTrip: roundTrip}
	announcement := Announcement{}
	if secure {
		certificate, err := selfSigned()
		if err != nil {
			return err
		}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		announcement.Certificate = certificate.Certificate[0]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	announcement.Address = listener.Addr().String()

	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	err = s.answer(in, json.NewEncoder(out), announcement)
	cancel()
	if serveErr := <-served; err == nil {
		err = serveErr
	}
	return err
}

func (s *Sink) answer(in io.Reader, out *json.Encoder, first Announcement) error {
	if err := out.Encode(first); err != nil {
		return err
	}
	questions := bufio.NewScanner(in)
	for questions.Scan() {
		if err := out.Encode(s.Counts()); err != nil {
			return err
		}
	}
	return questions.Err()
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
