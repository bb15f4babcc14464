package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// sighting is what was seen of a server before the connection ended, however
// it ended.
type sighting struct {
	mu       sync.Mutex // guards what follows: addresses may be tried at once
	attempts []attempt
	tls      *tls.ConnectionState
	leaf     *x509.Certificate
	said     string // the last command
	greeting smtp.Reply
	hello    smtp.Reply
}

// attempt is one address that was tried.
type attempt struct {
	Address string `json:"address"`
	Error   string `json:"error,omitempty"`
}

func (s *sighting) trace() *smtp.Trace {
	return &smtp.Trace{
		ConnectStart: func(_, _ string) {},
		ConnectDone:  s.connected,
		TLSDone:      s.secured,
		Sent: func(line string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.said = line
		},
		Received: s.received,
	}
}

func (s *sighting) connected(_, address string, err error) {
	a := attempt{Address: address}
	if err != nil {
		a.Error = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = append(s.attempts, a)
}

func (s *sighting) secured(state tls.ConnectionState, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(untrusted.UnverifiedCertificates) > 0 {
		s.leaf = untrusted.UnverifiedCertificates[0]
	}
	if pin, ok := errors.AsType[*smtp.PinError](err); ok && pin != nil && len(state.PeerCertificates) > 0 {
		s.leaf = state.PeerCertificates[0]
	}
	if err != nil {
		return
	}
	s.tls = &state
	if len(state.PeerCertificates) > 0 {
		s.leaf = state.PeerCertificates[0]
	}
}

func (s *sighting) received(r smtp.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	verb, _, _ := strings.Cut(s.said, " ")
	switch {
	case verb == "":
		s.greeting = r
	case (verb == "EHLO" || verb == "HELO" || verb == "LHLO") && r.Positive():
		s.hello = r
	}
}

func (s *sighting) fill(r *serverReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Attempts = s.attempts
	if s.tls != nil {
		r.TLS = &tlsReport{Version: tls.VersionName(s.tls.Version), Cipher: tls.CipherSuiteName(s.tls.CipherSuite), Resumed: s.tls.DidResume}
	}
	if s.leaf != nil {
		verified := s.tls != nil && len(s.tls.VerifiedChains) > 0
		r.Certificate = newCertificateReport(s.leaf, verified, time.Now())
	}
	if !s.greeting.IsZero() {
		r.Greeting = s.greeting.String()
	}
	for line := range strings.SplitSeq(s.hello.Text, "\n") {
		r.Extensions = append(r.Extensions, strings.TrimSpace(line))
	}
	r.Extensions = slices.DeleteFunc(r.Extensions[1:], func(line string) bool { return line == "" })
}
