package message

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// minRSA is the shortest RSA key that may sign (RFC 8301 §3.2), in bits. 2048
// are advised.
const minRSA = 1024

var (
	errNoKey     = errors.New("no key")
	errKeyForm   = errors.New("no private key: neither PEM (PKCS#1, PKCS#8) nor base64 of an Ed25519 seed or of DER")
	errKeyKind   = errors.New("neither an RSA nor an Ed25519 key")
	errEncrypted = errors.New("the private key is encrypted: decrypt it first, as with openssl pkey")
	errPublic    = errors.New("a public key: signing needs the private one")
	errKeyHalves = errors.New("the two halves of the Ed25519 key do not belong together")
)

// DKIMKey is a private key that signs messages: RSA of at least 1024 bits, or
// Ed25519 (RFC 8463). It never shows itself, however it is printed or marshalled.
// It may be used by several goroutines at once.
type DKIMKey struct {
	// It is behind a function because fmt follows pointers: %s of a struct that
	// has the key in an unexported field would show it.
	hidden func() *dkimKey
}

type dkimKey struct {
	signer crypto.Signer
	kind   string // as "rsa-2048"
	record string
}

// DKIMKeyFile reads the key in a file; see [ParseDKIMKey].
func DKIMKeyFile(path string) (DKIMKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return DKIMKey{}, &Error{Field: "DKIM.Key", Err: err}
	}
	return ParseDKIMKey(text)
}

// ParseDKIMKey reads a key as OpenSSL, OpenDKIM and rspamd write it: PEM with
// PKCS#1 or PKCS#8, or base64 of DER, of an Ed25519 seed (32 octets) or of a seed
// and public key (64 octets). Errors do not show the text.
func ParseDKIMKey(text []byte) (DKIMKey, error) {
	signer, err := readKey(text)
	if err != nil {
		return DKIMKey{}, &Error{Field: "DKIM.Key", Err: err}
	}
	return NewDKIMKey(signer)
}

// NewDKIMKey takes a key that lives elsewhere, in a hardware module for example.
// Its public key must be an *rsa.PublicKey or an ed25519.PublicKey, and it must
// allow several goroutines at once.
func NewDKIMKey(signer crypto.Signer) (DKIMKey, error) {
	if signer == nil {
		return DKIMKey{}, &Error{Field: "DKIM.Key", Err: errNoKey}
	}
	key := &dkimKey{signer: signer}
	switch public := signer.Public().(type) {
	case ed25519.PublicKey:
		key.kind = "ed25519"
		key.record = "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		if bits < minRSA {
			return DKIMKey{}, &Error{Field: "DKIM.Key", Err: fmt.Errorf("an RSA key of %d bits, and receivers want at least %d (RFC 8301 §3.2)", bits, minRSA)}
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return DKIMKey{}, &Error{Field: "DKIM.Key", Err: err}
		}
		key.kind = fmt.Sprintf("rsa-%d", bits)
		key.record = "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
	default:
		return DKIMKey{}, &Error{Field: "DKIM.Key", Err: errKeyKind}
	}
	return DKIMKey{func() *dkimKey { return key }}, nil
}

// Record is the TXT record to publish at SELECTOR._domainkey.DOMAIN
// (RFC 6376 §3.6.1), as one text; "" without a key.
func (k DKIMKey) Record() string {
	if k.hidden == nil {
		return ""
	}
	return k.hidden().record
}

// String tells the kind of the key and nothing of it.
func (k DKIMKey) String() string {
	if k.hidden == nil {
		return "<no key>"
	}
	return "<" + k.hidden().kind + " key>"
}

// Format writes String, whatever the verb.
func (k DKIMKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText is String.
func (k DKIMKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func readKey(text []byte) (crypto.Signer, error) {
	if block, _ := pem.Decode(text); block != nil {
		return readKeyBlock(block)
	}
	compact := strings.TrimRight(string(bytes.Join(bytes.Fields(text), nil)), "=")
	der, err := base64.RawStdEncoding.DecodeString(compact)
	if err != nil {
		return nil, errKeyForm
	}
	switch len(der) {
	case ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(der), nil
	case ed25519.PrivateKeySize:
		key := ed25519.NewKeyFromSeed(der[:ed25519.SeedSize])
		if !bytes.Equal(key, der) {
			return nil, errKeyHalves
		}
		return key, nil
	}
	return readKeyDER(der)
}

func readKeyBlock(block *pem.Block) (crypto.Signer, error) {
	switch {
	case strings.HasPrefix(block.Type, "ENCRYPTED"), strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errEncrypted
	case strings.HasSuffix(block.Type, "PUBLIC KEY"), block.Type == "CERTIFICATE":
		return nil, errPublic
	}
	return readKeyDER(block.Bytes)
}

func readKeyDER(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errKeyForm
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errKeyKind
	}
	return signer, nil
}
