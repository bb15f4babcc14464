package smtp

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const pinPrefix = "sha256//"

// KeyPin names the key of a certificate, for [Config].PinnedKeys: "sha256//" and
// the base64 of the SHA-256 of its SubjectPublicKeyInfo (RFC 7469 §2.4), as curl's
// --pinnedpubkey takes it. A certificate that is renewed with its key keeps its pin.
func KeyPin(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return pinPrefix + base64.StdEncoding.EncodeToString(sum[:])
}

// CheckPin reports what is wrong with a pin; nil if nothing is.
func CheckPin(pin string) error {
	_, err := parsePins([]string{pin})
	return err
}

// PinError says that the server has none of the pinned keys.
type PinError struct {
	Has []string // pins of the keys it has, its own first
}

// Error tells the pins that the server has, to compare and copy.
func (e *PinError) Error() string {
	return "the server has none of the pinned keys; it has " + strings.Join(e.Has, ", ")
}

// keyPins are SHA-256 sums of keys.
type keyPins [][]byte

func parsePins(texts []string) (keyPins, error) {
	var pins keyPins
	for _, text := range texts {
		encoded, ok := strings.CutPrefix(strings.TrimSpace(text), pinPrefix)
		sum, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("%q is not a pin of the form %s and the base64 of 32 octets", text, pinPrefix)
		}
		pins = append(pins, sum)
	}
	return pins, nil
}

// after checks the pins once what the caller demands was met.
func (p keyPins) after(demanded func(tls.ConnectionState) error) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if demanded != nil {
			if err := demanded(state); err != nil {
				return err
			}
		}
		return p.check(state)
	}
}

// check looks for a pinned key in the chains that were verified. Where nothing is
// verified (InsecureSkipVerify) the server's own certificate alone counts: of no
// other was it shown that the server has to do with it.
func (p keyPins) check(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has no certificate whose key could be a pinned one")
	}
	found := &PinError{}
	chains := append([][]*x509.Certificate{state.PeerCertificates[:1]}, state.VerifiedChains...)
	seen := map[string]bool{}
	for _, chain := range chains {
		for _, certificate := range chain {
			if p.has(certificate) {
				return nil
			}
			if pin := KeyPin(certificate); !seen[pin] {
				seen[pin] = true
				found.Has = append(found.Has, pin)
			}
		}
	}
	return found
}

func (p keyPins) has(certificate *x509.Certificate) bool {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	for _, pin := range p {
		if bytes.Equal(pin, sum[:]) {
			return true
		}
	}
	return false
}
