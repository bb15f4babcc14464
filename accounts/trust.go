package accounts

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/kaizenmail/kaizen/smtp"
)

// trust is what the TLS settings of an account are made of.
type trust struct {
	ca, certificate, key *view // nil: not given
	min                  string
}

func (t *trust) views() []*view { return []*view{t.ca, t.certificate, t.key} }

// current reports whether no file has changed.
func (t *trust) current() bool {
	for _, v := range t.views() {
		if v != nil && !v.current() {
			return false
		}
	}
	return true
}

// same reports whether others came of the same contents.
func (t *trust) same(o *trust) bool {
	others := o.views()
	for i, v := range t.views() {
		if (v == nil) != (others[i] == nil) || v != nil && v.sum != others[i].sum {
			return false
		}
	}
	return t.min == o.min
}

// ownTLS reports whether the entry differs from the default TLS settings.
func (e *Entry) ownTLS() bool { return e.CAFile != "" || e.ClientCertificate != "" || e.TLSMin != "" }

// readTrust makes the TLS settings of an entry; nil for the defaults. Those of last
// are given again where nothing has changed: a client opens new connections where
// they are not the same ones.
func (e *Entry) readTrust(dir string, last *made) (*tls.Config, *trust, error) {
	if !e.ownTLS() {
		return nil, new(trust), nil
	}
	t := &trust{min: e.TLSMin}
	ca, err := e.readTLSFile(dir, "ca_file", e.CAFile, &t.ca)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := e.readTLSFile(dir, "client_certificate", e.ClientCertificate, &t.certificate)
	if err != nil {
		return nil, nil, err
	}
	key, err := e.readTLSFile(dir, "client_key", e.ClientKey, &t.key)
	if err != nil {
		return nil, nil, err
	}
	if last != nil && last.trust != nil && last.account.TLSConfig != nil && t.same(last.trust) {
		return last.account.TLSConfig, t, nil
	}
	config, err := e.makeTLS(t, ca, certificate, key)
	return config, t, err
}

func (e *Entry) readTLSFile(dir, setting, file string, to **view) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	path := inDir(dir, file)
	v, content, err := look(path)
	if err == nil && !v.exists() {
		err = errMissing
	}
	if err != nil {
		return nil, e.wrong(setting, fmt.Errorf("read %s: %w", path, cause(err)))
	}
	*to = v
	return content, nil
}

func (e *Entry) makeTLS(t *trust, ca, certificate, key []byte) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.min != "" {
		version, err := smtp.ParseTLSVersion(t.min)
		if err != nil {
			return nil, e.wrong("tls_min", err)
		}
		config.MinVersion = version
	}
	if t.ca != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, e.wrong("ca_file", fmt.Errorf("read %s: %w", t.ca.path, errNoCertificate))
		}
	}
	if t.certificate == nil {
		return config, nil
	}
	setting, keeper := "client_key", t.key
	if keeper == nil {
		setting, keeper, key = "client_certificate", t.certificate, certificate
	}
	pair, err := keyPair(keeper, certificate, key)
	if err != nil {
		return nil, e.wrong(setting, fmt.Errorf("read %s: %w", keeper.path, err))
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// keyPair refuses a key that others can read.
func keyPair(keeper *view, certificate, key []byte) (tls.Certificate, error) {
	if !bytes.Contains(key, []byte("PRIVATE KEY-----")) {
		return tls.Certificate{}, errors.New("it holds no private key: name the file of the key, too")
	}
	if err := checkPrivate(keeper.path, keeper.info); err != nil {
		return tls.Certificate{}, err
	}
	if encryptedKey(key) {
		return tls.Certificate{}, errors.New("the key is encrypted: decrypt it (openssl pkey -in FILE -out NEW), and let nobody else read it")
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return tls.Certificate{}, errors.New(strings.TrimPrefix(err.Error(), "tls: "))
	}
	return pair, nil
}

func encryptedKey(content []byte) bool {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
	return bytes.Contains(content, []byte("BEGIN ENCRYPTED PRIVATE KEY"))
}

var errNoCertificate = errors.New("no certificate in it")
