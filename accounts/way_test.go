package accounts_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/accounts"
)

const proxySecret = "tunnel-heron-4"

var pin = "sha256//" + strings.Repeat("A", 43) + "="

func TestWaysInFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kaizen.toml"), `
[accounts.one]
host = "mx"
proxy = "socks5://ann@relay:1080"
local_address = "127.0.0.2"
pinned_keys = ["`+pin+`"]
tls_min = "1.3"
[accounts.two]
socket = "/run/relay.sock"
[accounts.three]
host = "mx"
proxy = "environment"
auth = ["EXTERNAL"]
`)
	s := open(t, dir)
	one := resolve(t, s, "one")
	if one.Proxy != "socks5://ann@relay:1080" || one.LocalAddress != "127.0.0.2" || !slices.Equal(one.PinnedKeys, []string{pin}) || one.TLSConfig.MinVersion != tls.VersionTLS13 || one.TLSConfig.RootCAs != nil {
		t.Errorf("%+v", one.TLSConfig)
	}
	if two := resolve(t, s, "two"); two.Socket != "/run/relay.sock" || two.Host != "" || two.TLSConfig != nil {
		t.Error(two.Socket, two.Host)
	}
	// A client certificate is a login without a password.
	if three := resolve(t, s, "three"); three.Auth == nil || !slices.Equal(three.Auth.Mechanisms, []string{"EXTERNAL"}) || three.Proxy != "environment" {
		t.Error(three.Auth)
	}
	e, err := s.Entry("two")
	must(t, err)
	var shown []string
	for _, setting := range e.Settings() {
		shown = append(shown, setting.Key+"="+setting.Value)
	}
	if text := strings.Join(shown, " "); !strings.Contains(text, "tls=none") || strings.Contains(text, "port=") || !strings.Contains(text, "socket=/run/relay.sock") {
		t.Error(text)
	}
}

func TestWaysThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for settings, says := range map[string]string{
		`proxy = "socks5://ann:` + proxySecret + `@relay"`:                                  "must not stand in this file",
		`proxy = "socks5://ann:` + proxySecret + `/@relay"`:                                 "percent-encode",
		`proxy = "ftp://relay"`:                                                             "ftp",
		`proxy_password_env = "X"`:                                                          "no proxy",
		"proxy = \"socks5://relay\"\nproxy_password_env = \"X\"":                            "user name",
		"proxy = \"environment\"\nproxy_password_env = \"X\"":                               "must be a URL",
		"proxy = \"socks5://u@h\"\nproxy_password_env = \"X\"\nproxy_password_file = \"Y\"": "one of proxy_password_env",
		"socket = \"/x\"\nproxy = \"socks5://h\"":                                           "one or the other",
		"socket = \"/x\"\nlocal_address = \"127.0.0.1\"":                                    "one or the other",
		`local_address = "localhost"`:                                                       "not an IP address",
		`pinned_keys = ["sha1//x"]`:                                                         "not a pin",
		"tls = \"none\"\npinned_keys = [\"" + pin + "\"]":                                   "TLS is not required",
		`tls_min = "1.4"`:                                                                   "none of 1.0",
		`client_key = "key.pem"`:                                                            "no certificate",
		`client_certificate = "missing.pem"`:                                                "no such file",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "kaizen.toml"), "[accounts.work]\nhost = \"mx\"\n"+settings+"\n")
		_, err := open(t, dir).Account(t.Context(), "work")
		var wrong *accounts.FileError
		if err == nil || !errors.As(err, &wrong) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), proxySecret) {
			t.Errorf("%s: %v", settings, err)
		}
	}
}

// The password of a proxy comes from where it is, each time it changes, and shows
// nowhere.
func TestProxyPasswords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	value := proxySecret
	file := filepath.Join(dir, "proxy.txt")
	write(t, file, proxySecret+"\n")
	write(t, filepath.Join(dir, "kaizen.toml"), `
[accounts.env]
host = "mx"
proxy = "socks5://ann@relay:1080"
proxy_password_env = "RELAY"
[accounts.file]
host = "mx"
proxy = "https://ann@relay"
proxy_password_file = "proxy.txt"
username = "ann"
[accounts.unset]
host = "mx"
proxy = "https://ann@relay"
proxy_password_env = "NOWHERE"
`)
	s := open(t, dir, func(o *accounts.Options) {
		o.LookupEnv = func(name string) (string, bool) {
			if name == "RELAY" {
				return value, true
			}
			return "", false
		}
	})
	must(t, s.SetSecret(t.Context(), "file", secret))
	for name, want := range map[string]string{"env": "socks5://ann:" + proxySecret + "@relay:1080", "file": "https://ann:" + proxySecret + "@relay:443"} {
		a := resolve(t, s, name)
		if a.Proxy != want {
			t.Errorf("%s: not the password that was given", name)
		}
		e, err := s.Entry(name)
		must(t, err)
		octets, _ := json.Marshal([]any{a, e, e.Settings()})
		if text := fmt.Sprintf("%v %+v %#v %+v %s", a, a, a, e, octets); strings.Contains(text, proxySecret) {
			t.Errorf("%s: %s", name, text)
		}
	}
	value = "tunnel-heron-5"
	write(t, file, "tunnel/heron-6")
	if a := resolve(t, s, "env"); a.Proxy != "socks5://ann:tunnel-heron-5@relay:1080" {
		t.Error("the variable's change was not noticed")
	}
	if a := resolve(t, s, "file"); a.Proxy != "https://ann:tunnel%2Fheron-6@relay:443" || a.Password != secret {
		t.Error("the file's change was not noticed")
	}
	with, err := s.AccountWith(t.Context(), "file", "new")
	if err != nil || with.Password != "new" || with.Proxy != "https://ann:tunnel%2Fheron-6@relay:443" {
		t.Error(with, err)
	}
	if _, err := s.Account(t.Context(), "unset"); !errors.Is(err, accounts.ErrNoSecret) || !strings.Contains(err.Error(), "NOWHERE") {
		t.Error(err)
	}
	must(t, os.Remove(file))
	if _, err := s.Account(t.Context(), "file"); !errors.Is(err, accounts.ErrNoSecret) {
		t.Error(err)
	}
}

// clientPEM is a certificate with its key.
func clientPEM(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func TestClientCertificateFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := clientPEM(t, "ann")
	write(t, filepath.Join(dir, "cert.pem"), certificate)
	write(t, filepath.Join(dir, "key.pem"), key)
	write(t, filepath.Join(dir, "both.pem"), certificate+key)
	write(t, filepath.Join(dir, "kaizen.toml"), `
[accounts.apart]
host = "mx"
client_certificate = "cert.pem"
client_key = "key.pem"
[accounts.together]
host = "mx"
client_certificate = "both.pem"
`)
	s := open(t, dir)
	first := resolve(t, s, "apart").TLSConfig
	if len(first.Certificates) != 1 || len(resolve(t, s, "together").TLSConfig.Certificates) != 1 || first.MinVersion != tls.VersionTLS12 {
		t.Fatal(first.Certificates)
	}
	if resolve(t, s, "apart").TLSConfig != first {
		t.Error("other TLS settings though nothing has changed: connections would be lost")
	}
	certificate, key = clientPEM(t, "bob")
	write(t, filepath.Join(dir, "cert.pem"), certificate)
	if _, err := s.Account(t.Context(), "apart"); err == nil || !strings.Contains(err.Error(), "does not match") {
		t.Error(err)
	}
	write(t, filepath.Join(dir, "key.pem"), key)
	if resolve(t, s, "apart").TLSConfig == first {
		t.Error("a renewed certificate was not noticed")
	}
	locked := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	for content, says := range map[string]string{string(locked): "encrypted", "": "key", "nonsense": "key"} {
		write(t, filepath.Join(dir, "key.pem"), content)
		if _, err := s.Account(t.Context(), "apart"); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "client_key") {
			t.Errorf("%.20q: %v", content, err)
		}
	}
	write(t, filepath.Join(dir, "key.pem"), key)
	if runtime.GOOS == "windows" {
		return
	}
	for _, file := range []string{"key.pem", "both.pem"} {
		must(t, os.Chmod(filepath.Join(dir, file), 0o640))
	}
	for name, file := range map[string]string{"apart": "key.pem", "together": "both.pem"} {
		if _, err := open(t, dir).Account(t.Context(), name); !errors.Is(err, accounts.ErrPermissions) || !strings.Contains(err.Error(), "chmod 600 ") || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a bundle brings to be run on this machine is asked about, for proxies too.
func TestBundlesWithCommandsForProxies(t *testing.T) {
	t.Parallel()
	bundle := "version = 1\n[accounts.work]\nhost = \"mx\"\nproxy = \"socks5://u@h\"\nproxy_password_command = \"echo x\"\n"
	if _, err := open(t, t.TempDir()).Import(t.Context(), strings.NewReader(bundle), accounts.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "proxy_password_command") {
		t.Error(err)
	}
}

// Another proxy, or other pins, are another way for a kept password to go.
func TestImportDropsThePasswordOfAnotherWay(t *testing.T) {
	t.Parallel()
	for _, line := range []string{`proxy = "socks5://evil"`, `pinned_keys = ["` + pin + `"]`, `tls_min = "1.0"`} {
		s := open(t, t.TempDir())
		must(t, s.Add(t.Context(), work(), secret))
		bundle := "version = 1\n[accounts.work]\nhost = \"mail.example.com\"\nusername = \"ann\"\n" + line + "\n"
		report, err := s.Import(t.Context(), strings.NewReader(bundle), accounts.ImportOptions{Overwrite: true})
		if err != nil || !slices.Equal(report.Missing, []string{"work"}) {
			t.Errorf("%s: %+v, %v", line, report, err)
		}
	}
}
