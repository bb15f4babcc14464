package smtp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func listening(t *testing.T, config smtptest.Config) *smtptest.Server {
	t.Helper()
	s := smtptest.NewServer(config)
	t.Cleanup(func() {
		s.Close()
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, config smtp.Config) *smtp.Conn {
	t.Helper()
	c, err := smtp.Dial(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func notDialled(t *testing.T, config smtp.Config) *smtp.Error {
	t.Helper()
	c, err := smtp.Dial(t.Context(), config)
	if err == nil {
		c.Close()
		t.Fatal("dialled")
	}
	if strings.Contains(fmt.Sprintf("%+v %v", err, known(t, err).Hint), tunnelPassword) {
		t.Errorf("the error shows the password: %v", err)
	}
	return known(t, err)
}

// tunnels is a proxy of each kind, without and with a login, and a server behind it.
func tunnels(t *testing.T, f func(t *testing.T, server *smtptest.Server, u *tunnel, config smtp.Config)) {
	ours := newAuthority(t)
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	late := time.Date(2048, 1, 1, 0, 0, 0, 0, time.UTC)
	ofProxy, ofServer := ours.issue(t, "localhost", late), ours.issue(t, "mail.example.com", late)
	modes := map[smtptest.TLSMode]smtp.TLSMode{smtptest.TLSNone: smtp.TLSNone, smtptest.TLSStartTLS: smtp.TLSStartTLS, smtptest.TLSImplicit: smtp.TLSImplicit}
	for _, scheme := range []string{"socks5", "socks5h", "http", "https"} {
		for mode, ourMode := range modes {
			for _, login := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, TLS %d, login %t", scheme, mode, login), func(t *testing.T) {
					t.Parallel()
					s := listening(t, smtptest.Config{TLS: mode, TLSConfig: &tls.Config{Certificates: []tls.Certificate{ofServer}}})
					u := newTunnel(t, s.Addr(), func(u *tunnel) {
						u.login, u.glue = login, mode != smtptest.TLSImplicit // where the server speaks first
						if scheme == "https" {
							u.tls = &tls.Config{Certificates: []tls.Certificate{ofProxy}}
						}
					})
					f(t, s, u, smtp.Config{Host: "mail.example.com", Port: 587, TLS: ourMode, LocalName: "client.test",
						Proxy: strings.Replace(u.url(scheme), "127.0.0.1", "localhost", 1), TLSConfig: &tls.Config{RootCAs: roots}})
				})
			}
		}
	}
}

func TestThroughProxies(t *testing.T) {
	t.Parallel()
	tunnels(t, func(t *testing.T, s *smtptest.Server, u *tunnel, config smtp.Config) {
		c := dial(t, config)
		if result, err := hand(t, c, note()); err != nil || result.Outcome != smtp.Accepted || len(s.Accepted()) != 1 {
			t.Fatalf("%v, %+v", err, result)
		}
		info := c.Info()
		if info.Server != "mail.example.com:587" || strings.Contains(info.Proxy, tunnelPassword) || !strings.HasSuffix(info.Proxy, config.Proxy[strings.Index(config.Proxy, "localhost"):]) ||
			info.RemoteAddr != u.listener.Addr().String() {
			t.Errorf("%+v", info)
		}
		if got := u.targets(); len(got) != 1 || !strings.HasPrefix(got[0], "mail.example.com") {
			t.Errorf("the proxy was asked for %q", got)
		}
		if !c.Alive() {
			t.Error("dead")
		}
		noticesTheEnd(t, s, c)
	})
}

// noticesTheEnd closes an idle connection from the other side.
func noticesTheEnd(t *testing.T, s *smtptest.Server, c *smtp.Conn) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return // there is no look into a socket
	}
	trips := c.Info().RoundTrips
	s.CloseConnections(smtptest.CloseFIN)
	eventually(t, "the end is noticed", func() bool { return !c.Alive() })
	if c.Info().RoundTrips != trips {
		t.Error("it took a round trip")
	}
}

// socketPath is short: some systems take 103 octets.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// eventually waits for what other goroutines do in their own time.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for !happened() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal("in vain: " + what)
		}
	}
}

// A write that failed by half says on a bare link that the end of the message did
// not leave; through TLS with a proxy it says nothing.
func TestWhatLeftThroughProxies(t *testing.T) {
	t.Parallel()
	tunnels(t, func(t *testing.T, _ *smtptest.Server, _ *tunnel, config smtp.Config) {
		want := smtp.NotSent
		if config.TLS != smtp.TLSNone || strings.HasPrefix(config.Proxy, "https") {
			want = smtp.Unknown
		}
		if result := verdictOfCut(t, config); result.Outcome != want {
			t.Errorf("%v, want %v: %v", result.Outcome, want, result.Err)
		}
	})
}

// A proxy on this machine does not make the link one that stays here.
func TestNoPasswordInTheClearBehindAProxy(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"socks5", "http"} {
		for host, allowed := range map[string]bool{"mail.example.com": false, "10.0.0.1": false, "localhost": true, "127.0.0.1": true, "::1": true} {
			s := listening(t, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": password}}})
			u := newTunnel(t, s.Addr(), nil)
			config := smtp.Config{Host: host, Port: 587, Proxy: u.url(scheme), TLS: smtp.TLSNone, Auth: &smtp.Auth{Username: "ann", Password: password}}
			err := dial(t, config).Authenticate(t.Context())
			if (err == nil) != allowed || err != nil && !errors.Is(err, smtp.ClassTLS) {
				t.Errorf("%s through %s: %v", host, scheme, err)
			}
			config.InsecureAuth = true
			if err := dial(t, config).Authenticate(t.Context()); err != nil {
				t.Errorf("%s, permitted: %v", host, err)
			}
		}
	}
}

func TestProxiesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	s := listening(t, smtptest.Config{})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	wants := newTunnel(t, s.Addr(), func(u *tunnel) { u.login = true })
	at := wants.listener.Addr().String()
	for name, test := range map[string]struct {
		proxy, says, hint string
	}{
		"nobody there":          {"socks5://" + nobody, "refused", "is it running"},
		"nobody there, HTTP":    {"http://ann:" + tunnelPassword + "@" + nobody, "refused", "the proxy http://" + nobody},
		"no login":              {"http://" + at, "407", "wants a login"},
		"wrong login":           {"http://ann:wrong@" + at, "407", "not that of the mail account"},
		"wrong login, SOCKS":    {"socks5://ann:wrong@" + at, "authentication failed", "not that of the mail account"},
		"no proxy at all":       {"http://" + s.Addr(), "not HTTP", "no HTTP proxy"},
		"no TLS":                {"https://ann:" + tunnelPassword + "@" + at, "", "TLS with the proxy failed"},
		"not a URL":             {at, "read the proxy", ""},
		"an unreadable login":   {"http://ann:" + tunnelPassword + "/@" + at, "read the proxy", ""},
		"a kind we do not know": {"socks4://ann:" + tunnelPassword + "@" + at, "socks4", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := notDialled(t, smtp.Config{Host: "mail.example.com", Proxy: test.proxy, TLS: smtp.TLSNone})
			if e.Class != smtp.ClassConnect || e.Phase != smtp.PhaseConnect || !strings.Contains(e.Error(), test.says) || !strings.Contains(e.Hint, test.hint) {
				t.Errorf("class %v: %v", e.Class, e)
			}
		})
	}
}

// All of the way counts to the time for connecting.
func TestProxiesThatAreSilent(t *testing.T) {
	t.Parallel()
	for _, proxy := range []string{"socks5://h", "http://h", "https://h"} {
		inBubble(t, proxy, func(t *testing.T) {
			config := smtp.Config{Host: "mx.test", Proxy: proxy, TLS: smtp.TLSNone, DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
				if network != "tcp" || !strings.HasPrefix(address, "h:") {
					t.Errorf("dialled %s %s", network, address)
				}
				here, there := net.Pipe()
				go io.Copy(io.Discard, there)
				return here, nil
			}}
			began := time.Now()
			e := notDialled(t, config)
			took(t, began, 10*time.Second)
			if e.Class != smtp.ClassTimeout || !strings.Contains(e.Hint, "proxy") {
				t.Errorf("class %v: %v", e.Class, e)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began = time.Now()
			if _, err := smtp.Dial(ctx, config); err == nil {
				t.Error("dialled")
			}
			took(t, began, time.Second)
			canceled, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := smtp.Dial(canceled, config); !errors.Is(err, smtp.ClassCanceled) {
				t.Error(err)
			}
		})
	}
}

// Names beyond ASCII go on the way as A-labels.
func TestInternationalNames(t *testing.T) {
	t.Parallel()
	s := listening(t, smtptest.Config{})
	u := newTunnel(t, s.Addr(), nil)
	c := dial(t, smtp.Config{Host: "mail.bücher.example", Proxy: u.url("socks5"), TLS: smtp.TLSNone})
	if got := u.targets(); len(got) != 1 || got[0] != "mail.xn--bcher-kva.example" {
		t.Errorf("%q", got)
	}
	if c.Info().Server != "mail.bücher.example:587" {
		t.Errorf("%q", c.Info().Server)
	}
}

func TestLocalAddress(t *testing.T) {
	t.Parallel()
	s := listening(t, smtptest.Config{})
	host, port, _ := net.SplitHostPort(s.Addr())
	config := smtp.Config{Host: host, TLS: smtp.TLSNone, LocalAddress: host}
	if runtime.GOOS == "linux" {
		config.LocalAddress = "127.0.0.2" // elsewhere the loopback interface has one address
	}
	config.Port, _ = net.LookupPort("tcp", port)
	dial(t, config)
	if seen := s.Connections()[0].Client; !strings.HasPrefix(seen, config.LocalAddress+":") {
		t.Errorf("the server saw %s", seen)
	}
	for address, says := range map[string]string{
		"192.0.2.77": "one of this machine", // TEST-NET-1
		"::1":        "IPv4",                // of the other family
		"localhost":  "not an IP address",
	} {
		config.LocalAddress = address
		if e := notDialled(t, config); e.Class != smtp.ClassConnect || !strings.Contains(e.Error(), says) {
			t.Errorf("%s: %v", address, e)
		}
	}
}

func TestWaysThatExcludeEachOther(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]smtp.Config{
		"socket and proxy":     {Socket: "/x", Proxy: "socks5://h"},
		"socket and address":   {Socket: "/x", LocalAddress: "127.0.0.1"},
		"address and dialling": {Host: "h", LocalAddress: "127.0.0.1", DialContext: new(net.Dialer).DialContext},
		"pins without TLS":     {Host: "h", TLS: smtp.TLSNone, PinnedKeys: []string{"sha256//" + strings.Repeat("A", 43) + "="}},
		"pins on a socket":     {Socket: "/x", PinnedKeys: []string{"sha256//" + strings.Repeat("A", 43) + "="}},
		"pins by chance":       {Host: "h", TLS: smtp.TLSOpportunistic, PinnedKeys: []string{"sha256//" + strings.Repeat("A", 43) + "="}},
		"a pin that is none":   {Host: "h", PinnedKeys: []string{"sha1//AAAA"}},
		"nothing":              {},
	} {
		if e := notDialled(t, config); e.Phase != smtp.PhaseConnect {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// A password may go over a socket: it does not leave the machine.
func TestUNIXSocket(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	s := listening(t, smtptest.Config{Network: smtptest.Unix, Addr: path, Auth: &smtptest.Auth{Users: map[string]string{"ann": password}, Required: true}})
	config := smtp.Config{Socket: path, Auth: &smtp.Auth{Username: "ann", Password: password}}
	c := dial(t, config)
	if result, err := hand(t, c, note()); err != nil || result.Outcome != smtp.Accepted || result.Server != "unix:"+path || result.RemoteAddr != "unix:"+path {
		t.Fatalf("%v, %+v", err, result)
	}
	if !c.Alive() {
		t.Error("dead")
	}
	noticesTheEnd(t, s, c)
	config.Socket += "s"
	if e := notDialled(t, config); e.Class != smtp.ClassConnect || !strings.Contains(e.Error(), "no such socket") || !strings.HasPrefix(e.Error(), "unix:"+path) {
		t.Error(e)
	}
}

// TLS on a socket is for a server that wants it; its name is localhost by default.
func TestUNIXSocketWithTLS(t *testing.T) {
	t.Parallel()
	for mode, ours := range map[smtptest.TLSMode]smtp.TLSMode{smtptest.TLSStartTLS: smtp.TLSStartTLS, smtptest.TLSImplicit: smtp.TLSImplicit} {
		path := socketPath(t)
		s := listening(t, smtptest.Config{Network: smtptest.Unix, Addr: path, TLS: mode})
		if c := dial(t, smtp.Config{Socket: path, TLS: ours, TLSConfig: s.ClientTLS()}); c.Info().TLS == nil {
			t.Error("no TLS")
		}
	}
}
