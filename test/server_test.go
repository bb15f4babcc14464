package test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/rogpeppe/go-internal/testscript"
)

// server starts a mail server that lives as long as its script:
//
//	server NAME [starttls | tls] [lmtp] [client] [user=NAME:PASSWORD] [fault=FAULT]…
//
// It sets the variable NAME to host:port and stores its certificate in NAME.pem.
// With client it wants a client certificate, as that in NAME-client.pem, and takes
// it for a login. FAULT is what smtptest.ParseFault reads.
func server(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: server name [starttls | tls] [lmtp] [user=name:password] [fault=…]...")
	}
	config := smtptest.Config{KeepMessages: true}
	for _, option := range args[1:] {
		configure(ts, &config, option)
	}
	if config.Auth != nil {
		config.Auth.Verdict = verdict(broken(ts, args[0]))
	}
	if config.TLS != smtptest.TLSNone {
		certificate, err := newCertificate()
		ts.Check(err)
		config.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
		file := ts.MkAbs(args[0] + ".pem")
		if slices.Contains(args[1:], "client") {
			wantClient(ts, &config, args[0])
		}
		ts.Check(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}), 0o600))
	}
	s, err := smtptest.Listen(config)
	ts.Check(err)
	ts.Defer(func() { s.Close() })
	_, port, err := net.SplitHostPort(s.Addr())
	ts.Check(err)
	ts.Setenv(args[0], net.JoinHostPort("127.0.0.1", port))
	servers(ts)[args[0]] = s
}

func configure(ts *testscript.TestScript, config *smtptest.Config, option string) {
	name, value, _ := strings.Cut(option, "=")
	switch name {
	case "starttls":
		config.TLS = smtptest.TLSStartTLS
	case "client": // once there is TLS
	case "tls":
		config.TLS = smtptest.TLSImplicit
	case "lmtp":
		config.LMTP = true
	case "user":
		user, password, _ := strings.Cut(value, ":")
		config.Auth = &smtptest.Auth{Users: map[string]string{user: password}, Required: true}
	case "fault":
		fault, err := smtptest.ParseFault(value)
		ts.Check(err)
		config.Faults = append(config.Faults, fault)
	default:
		ts.Fatalf("server: unknown option %q", option)
	}
}

// delivered writes the messages that a server accepted, as files in a folder of
// its name: "delivered NAME" makes NAME/1.eml, NAME/2.eml and so on.
func delivered(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: delivered name")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.RemoveAll(dir))
	ts.Check(os.Mkdir(dir, 0o700))
	for i, m := range servers(ts)[args[0]].Messages() {
		content := bytes.ReplaceAll(m.Data, []byte("\r\n"), []byte("\n"))
		name := string(rune('1'+i)) + ".eml"
		ts.Check(os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
}

// serversKey finds a script's servers among its values.
type serversKey struct{}

func servers(ts *testscript.TestScript) map[string]*smtptest.Server {
	return ts.Value(serversKey{}).(map[string]*smtptest.Server)
}

// newCertificate makes one for this machine that has 60 days to go.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "mail.example.com"},
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(60 * 24 * time.Hour),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
