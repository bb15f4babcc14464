package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/spf13/pflag"
)

// wayFlags say how a server is reached, and what it must show.
type wayFlags struct {
	ca, clientCert, clientKey, tlsMin string
	proxy, localAddress               string
	pins                              []string
}

func (f *wayFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.ca, "ca", "", "trust the certificates in this PEM `FILE`, and no others")
	flags.StringArrayVar(&f.pins, "pin", nil, "the server's key, or one above it, must be this `PIN` (sha256//…, as kaizen verify shows it); may be repeated")
	flags.StringVar(&f.clientCert, "client-cert", "", "show the server the certificate in this PEM `FILE`")
	flags.StringVar(&f.clientKey, "client-key", "", "its key is in this PEM `FILE` (default: in that of --client-cert)")
	flags.StringVar(&f.tlsMin, "tls-min", "", "lowest `VERSION` of TLS: 1.2 (default), 1.3; 1.0 and 1.1 are not safe")
	flags.StringVar(&f.proxy, "proxy", "", "reach the server through the proxy `URL` (socks5://, http://, https://), or 'environment' for that of ALL_PROXY")
	flags.StringVar(&f.localAddress, "local-address", "", "connect from this `IP` address of the machine")
}

// apply has the account reached as the flags say; what they leave out stays as it
// is.
func (f *wayFlags) apply(a *kaizen.Account) (err error) {
	if f.proxy != "" {
		if err := smtp.CheckProxy(f.proxy); err != nil {
			return withCode(exitUsage, fmt.Errorf("--proxy: %w", err))
		}
		a.Proxy = f.proxy
	}
	if f.localAddress != "" {
		if _, err := netip.ParseAddr(f.localAddress); err != nil {
			return withCode(exitUsage, fmt.Errorf("--local-address: %q is not an IP address", f.localAddress))
		}
		a.LocalAddress = f.localAddress
	}
	for _, pin := range f.pins {
		if err := smtp.CheckPin(pin); err != nil {
			return withCode(exitUsage, fmt.Errorf("--pin: %w", err))
		}
	}
	if f.pins != nil {
		a.PinnedKeys = f.pins
	}
	if f.ca != "" || f.clientCert != "" || f.clientKey != "" || f.tlsMin != "" {
		a.TLSConfig, err = f.tls(a.TLSConfig)
	}
	return err
}

// tls changes settings of TLS, in a copy.
func (f *wayFlags) tls(before *tls.Config) (config *tls.Config, err error) {
	config = &tls.Config{MinVersion: tls.VersionTLS12}
	if before != nil {
		config = before.Clone()
	}
	if f.tlsMin != "" {
		if config.MinVersion, err = smtp.ParseTLSVersion(f.tlsMin); err != nil {
			return nil, withCode(exitUsage, fmt.Errorf("--tls-min: %w", err))
		}
	}
	if f.ca != "" {
		if config.RootCAs, err = trusting(f.ca); err != nil {
			return nil, err
		}
	}
	if f.clientCert == "" {
		if f.clientKey != "" {
			return nil, withCode(exitUsage, errors.New("--client-key needs --client-cert"))
		}
		return config, nil
	}
	pair, err := clientPair(f.clientCert, f.clientKey)
	config.Certificates = []tls.Certificate{pair}
	return config, err
}

// trusting are the certificates in a PEM file.
func trusting(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, withCode(exitNoInput, fmt.Errorf("--ca: %w", err))
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, withCode(exitConfig, fmt.Errorf("--ca: %s holds no PEM certificate", file))
	}
	return roots, nil
}

// clientPair reads a certificate and its key as an account of the files would.
func clientPair(certificate, key string) (tls.Certificate, error) {
	e := accounts.Entry{Host: "localhost"}
	err := errors.Join(absolute(certificate, &e.ClientCertificate), absolute(key, &e.ClientKey))
	if err != nil {
		return tls.Certificate{}, err
	}
	a, err := e.Account()
	if wrong, ok := errors.AsType[*accounts.FileError](err); ok {
		return tls.Certificate{}, withCode(exitConfig, fmt.Errorf("--%s: %w", flagOf[wrong.Key], wrong.Err))
	}
	if err != nil {
		return tls.Certificate{}, err
	}
	return a.TLSConfig.Certificates[0], nil
}

var flagOf = map[string]string{"client_certificate": "client-cert", "client_key": "client-key"}

// absolute leaves alone what is not given.
func absolute(file string, to *string) (err error) {
	if file != "" {
		*to, err = filepath.Abs(file)
	}
	return err
}

// keep puts what was given into an account of the files.
func (f *wayFlags) keep(e *accounts.Entry) error {
	if f.ca != "" {
		if _, err := trusting(f.ca); err != nil {
			return err
		}
	}
	if err := errors.Join(absolute(f.ca, &e.CAFile), absolute(f.clientCert, &e.ClientCertificate), absolute(f.clientKey, &e.ClientKey)); err != nil {
		return err
	}
	for _, one := range []struct{ flag, key, value string }{
		{"proxy", "proxy", f.proxy}, {"local-address", "local_address", f.localAddress},
		{"pin", "pinned_keys", strings.Join(f.pins, ",")}, {"tls-min", "tls_min", f.tlsMin},
	} {
		if one.value == "" {
			continue
		}
		if err := e.Set(one.key, one.value); err != nil {
			return withCode(exitUsage, fmt.Errorf("--%s: %w", one.flag, causeOf(err)))
		}
	}
	return nil
}

// causeOf leaves out the key of the file, where the flag is named.
func causeOf(err error) error {
	if wrong, ok := errors.AsType[*accounts.FileError](err); ok {
		return wrong.Err
	}
	return err
}

// tlsMinOf is how an account of the files writes the lowest version of a URL.
func tlsMinOf(config *tls.Config) string {
	if config == nil || config.MinVersion == 0 {
		return ""
	}
	return strings.TrimPrefix(tls.VersionName(config.MinVersion), "TLS ")
}
