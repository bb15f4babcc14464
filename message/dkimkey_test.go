package message_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestKeyForms(t *testing.T) {
	t.Parallel()
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	for name, test := range map[string]struct {
		text   string
		signer crypto.Signer
	}{
		"PKCS#1":        {inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short)), short},
		"PKCS#8 RSA":    {inPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(short))), short},
		"PKCS#8 Ed":     {"\n" + inPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(edwards))), edwards},
		"base64 PKCS#8": {base64.StdEncoding.EncodeToString(must(x509.MarshalPKCS8PrivateKey(edwards))) + "\n", edwards},
		"base64 PKCS#1": {base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(short)), short},
		"seed":          {base64.StdEncoding.EncodeToString(edwards.Seed()), edwards},
		"seed unpadded": {base64.RawStdEncoding.EncodeToString(edwards.Seed()) + "\r\n", edwards},
		"seed and key":  {base64.StdEncoding.EncodeToString(edwards), edwards},
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := message.DKIMKeyFile(path)
		want := must(message.NewDKIMKey(test.signer))
		if err != nil || got.Record() != want.Record() {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestKeysRefused(t *testing.T) {
	t.Parallel()
	curve := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	_, other, _ := ed25519.GenerateKey(rand.Reader)
	public := must(x509.MarshalPKIXPublicKey(edwards.Public()))
	for says, text := range map[string]string{
		"no private key":         "nonsense",
		"neither PEM":            "",
		"PKCS#8":                 inPEM("PRIVATE KEY", []byte("nonsense")),
		"of an Ed25519 seed":     "-----BEGIN PRIVATE KEY-----\nMC4C\n",
		"neither an RSA":         inPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(curve))),
		"a public key":           inPEM("PUBLIC KEY", public),
		"is encrypted":           inPEM("ENCRYPTED PRIVATE KEY", []byte{1}),
		"openssl pkey":           "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
		"do not belong together": base64.StdEncoding.EncodeToString(append(edwards.Seed(), other[32:]...)),
		"of 768 bits":            inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weakKey(768))),
	} {
		_, err := message.ParseDKIMKey([]byte(text))
		var refusal *message.Error
		if !errors.As(err, &refusal) || refusal.Field != "DKIM.Key" || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	if _, err := message.DKIMKeyFile(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := message.NewDKIMKey(nil); err == nil {
		t.Error("no key was taken for a key")
	}
}

// weakKey is one that crypto/rsa would not make.
func weakKey(bits int) *rsa.PrivateKey {
	p, q, one := must(rand.Prime(rand.Reader, bits/2)), must(rand.Prime(rand.Reader, bits/2)), big.NewInt(1)
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, Primes: []*big.Int{p, q}}
	order := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	if key.D = new(big.Int).ModInverse(big.NewInt(65537), order); key.D == nil || key.N.BitLen() != bits {
		return weakKey(bits)
	}
	return key
}

// TestKeyStaysHidden prints it in every way there is.
func TestKeyStaysHidden(t *testing.T) {
	t.Parallel()
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	m := simple()
	m.DKIM = []message.DKIM{{Domain: "example.com", Selector: "s", Key: must(message.NewDKIMKey(edwards))}}
	key := m.DKIM[0].Key
	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(handler).Info("x", "key", key, "dkim", m.DKIM, "message", m)
	}
	printed := logged.String() + string(must(json.Marshal(m.DKIM))) + string(must(json.Marshal(key)))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed += fmt.Sprintf(verb, key) + fmt.Sprintf(verb, &key) + fmt.Sprintf(verb, m.DKIM) + fmt.Sprintf(verb, m) +
			fmt.Sprintf(verb, struct{ hidden message.DKIMKey }{key})
	}
	seed := edwards.Seed()
	for _, secret := range []string{string(seed), fmt.Sprintf("%x", seed), fmt.Sprintf("%X", seed), base64.StdEncoding.EncodeToString(seed),
		strings.Trim(fmt.Sprint(seed), "[]"), fmt.Sprintf("%#v", seed)[7:40]} {
		if strings.Contains(printed, secret) {
			t.Errorf("the key shows: %s", secret)
		}
	}
	if !strings.Contains(printed, "<ed25519 key>") || fmt.Sprint(message.DKIMKey{}) != "<no key>" {
		t.Errorf("printed %s", printed)
	}
}

// FuzzDKIMKey: whatever is read is a key that can sign, or an error.
func FuzzDKIMKey(f *testing.F) {
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	f.Add([]byte(inPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(edwards)))))
	f.Add([]byte(base64.StdEncoding.EncodeToString(edwards)))
	f.Add([]byte(base64.StdEncoding.EncodeToString(edwards.Seed())))
	f.Add([]byte(inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weakKey(256)))))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := message.ParseDKIMKey(text)
		var refusal *message.Error
		if err != nil {
			if !errors.As(err, &refusal) {
				t.Errorf("%v", err)
			}
			return
		}
		m := simple()
		m.DKIM = []message.DKIM{{Domain: "example.com", Selector: "s", Key: key}}
		if octets := write(t, m); !bytes.HasPrefix(octets, []byte("DKIM-Signature: ")) {
			t.Errorf("%v: not signed", key)
		}
	})
}
