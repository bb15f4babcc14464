package kaizen_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const proxyURL = "socks5://ann:" + password + "@relay:1080"

func TestURLsSayHowTheServerIsReached(t *testing.T) {
	t.Parallel()
	pin := "sha256//" + strings.Repeat("A", 40) + "+/8="
	a, err := kaizen.ParseURL("smtp://mx.example.com?proxy=" + url.QueryEscape(proxyURL) + "&local-address=2001:db8::1&tls-min=1.3&pin=" + url.QueryEscape(pin) + "," + pin)
	if err != nil || a.Proxy != proxyURL || a.LocalAddress != "2001:db8::1" || a.TLSConfig.MinVersion != tls.VersionTLS13 ||
		len(a.PinnedKeys) != 2 || a.PinnedKeys[0] != pin || a.PinnedKeys[1] != pin {
		t.Errorf("%v, %q", err, a.PinnedKeys)
	}
	shows(t, "an account behind a proxy", a, &a, []any{a})
	a, err = kaizen.ParseURL("smtp://localhost?socket=/run/relay.sock")
	if err != nil || a.Socket != "/run/relay.sock" {
		t.Errorf("%v, %q", err, a.Socket)
	}
	if a, err = kaizen.ParseURL("smtp://mx?proxy=environment"); err != nil || a.Proxy != "environment" {
		t.Errorf("%v, %q", err, a.Proxy)
	}
	for _, parameters := range []string{"proxy=socks4://ann:" + password + "%40h", "proxy=" + url.QueryEscape("http://ann:"+password+"/@h"), "proxy=" + proxyURL, "proxy=" + password,
		"local-address=localhost", "pin=" + pin + ",x", "pin=", "tls-min=2", "socket=", "socket=a%00b"} {
		_, err := kaizen.ParseURL("smtp://mx?" + parameters)
		if err == nil {
			t.Errorf("%s was taken", parameters)
		}
		shows(t, "an error about a URL", err)
	}
}

// On what the connections of accounts differ in, they are not shared; nor are TLS
// sessions.
func TestWhatDiffersSharesNoConnection(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(smtptest.Config{TLS: smtptest.TLSImplicit})
	defer s.Close()
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	account := tcpAccount(s)
	account.TLSConfig, account.TLS = s.ClientTLS(), smtp.TLSImplicit
	account.Limits.Rates = kaizen.NoRate()
	send := func(a kaizen.Account) error {
		_, err := client.Send(t.Context(), a, &message.Message{From: "ann@example.com", To: []string{"bob@example.net"}, Text: "x"})
		return err
	}
	if err := send(account); err != nil {
		t.Fatal(err)
	}
	block, _ := x509.ParseCertificate(certificateOf(t, s))
	pinned := account
	pinned.PinnedKeys = []string{smtp.KeyPin(block)}
	wrong := account
	wrong.PinnedKeys = []string{"sha256//" + strings.Repeat("A", 43) + "="}
	away := account
	away.LocalAddress = account.Host
	for _, a := range []kaizen.Account{pinned, away, account} {
		if err := send(a); err != nil {
			t.Fatal(err)
		}
	}
	var pin *smtp.PinError
	if err := send(wrong); !errors.As(err, &pin) || !errors.Is(err, kaizen.ErrTLS) {
		t.Error(err)
	}
	proxied := account
	proxied.Proxy = "http://ann:" + password + "@" + s.Addr() // which is none
	err := send(proxied)
	if !errors.Is(err, kaizen.ErrConnect) {
		t.Error(err)
	}
	shows(t, "the error of a proxy", err)
	for i, info := range s.Connections() {
		if info.Resumed {
			t.Errorf("connection %d was resumed", i)
		}
	}
}

func TestSessionsOutliveConnections(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		s := smtptest.NewServer(smtptest.Config{TLS: smtptest.TLSStartTLS})
		defer s.Close()
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		account := tcpAccount(s)
		account.TLSConfig, account.TLS = s.ClientTLS(), smtp.TLSStartTLS
		account.TLSConfig.MaxVersion = version
		account.Limits = kaizen.Limits{Connections: 1, MessagesPerConnection: 1, Rates: kaizen.NoRate()}
		for range 3 {
			if _, err := client.Send(t.Context(), account, &message.Message{From: "ann@example.com", To: []string{"bob@example.net"}, Text: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		for i, info := range s.Connections() {
			if info.Resumed != (i > 0) {
				t.Errorf("%s: connection %d resumed: %t", tls.VersionName(version), i, info.Resumed)
			}
		}
	}
}

func TestSendOverASocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "kz") // short: some systems take 103 octets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	s := smtptest.NewServer(smtptest.Config{Network: smtptest.Unix, Addr: path, Auth: &smtptest.Auth{Users: map[string]string{"ann": password}, Required: true}})
	defer s.Close()
	client := kaizen.New(kaizen.Config{StateDir: t.TempDir()})
	defer client.Close()
	receipt, err := client.Send(t.Context(), kaizen.Account{Socket: path, Username: "ann", Password: password},
		&message.Message{From: "ann@example.com", To: []string{"bob@example.net"}, Text: "x"})
	if err != nil || receipt.Account != "ann@unix:"+path || len(s.Accepted()) != 1 {
		t.Errorf("%v, %+v", err, receipt)
	}
}

func tcpAccount(s *smtptest.Server) kaizen.Account {
	host, port, _ := net.SplitHostPort(s.Addr())
	a := kaizen.Account{Name: "one", Host: host, TLS: smtp.TLSNone}
	a.Port, _ = net.LookupPort("tcp", port)
	return a
}

func certificateOf(t *testing.T, s *smtptest.Server) []byte {
	t.Helper()
	config := s.ClientTLS()
	config.ServerName = "localhost"
	conn, err := tls.Dial("tcp", s.Addr(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Raw
}
