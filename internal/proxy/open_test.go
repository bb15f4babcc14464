package proxy_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/proxy"
)

// answering is a connection whose other end has said everything at once.
type answering struct {
	net.Conn
	said  *bytes.Reader
	heard bytes.Buffer
}

func newAnswering(said string) *answering { return &answering{said: bytes.NewReader([]byte(said))} }

func (a *answering) Read(p []byte) (int, error)  { return a.said.Read(p) }
func (a *answering) Write(p []byte) (int, error) { return a.heard.Write(p) }
func (a *answering) SetDeadline(time.Time) error { return nil }
func (a *answering) Close() error                { return nil }

// open asks a proxy that says so for a way; rest is what is left to read then.
func open(t *testing.T, url, target, said string) (heard, rest string, err error) {
	t.Helper()
	p, err := proxy.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	conn := newAnswering(said)
	through, _, err := p.Open(t.Context(), conn, target, nil)
	if err == nil && through != net.Conn(conn) {
		t.Error("another connection came back: what can be asked of a socket is lost")
	}
	left, _ := io.ReadAll(conn)
	return conn.heard.String(), string(left), err
}

const greeting = "220 mx.example.com ESMTP\r\n"

// What the server says at once, behind the proxy's answer, is not swallowed.
func TestTheGreetingBehindTheAnswerStays(t *testing.T) {
	t.Parallel()
	for url, said := range map[string]string{
		"http://h":           "HTTP/1.1 200 Connection established\r\nProxy-Agent: x\r\n\r\n",
		"http://i":           "HTTP/1.0 200\r\n\r\n",
		"http://j":           "HTTP/1.1 204 fine\nX: y\n\n",
		"http://k":           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", // §9.3.6: the length does not count
		"http://u:p@h":       "HTTP/1.1 200 OK\r\n\r\n",
		"socks5://h":         "\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x19",
		"socks5h://h":        "\x05\x00\x05\x00\x00\x03\x03abc\x00\x19",
		"socks5://i":         "\x05\x00\x05\x00\x00\x04" + strings.Repeat("\x00", 18),
		"socks5://u:p@h":     "\x05\x02\x01\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x19",
		"socks5://unasked@h": "\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x19",
	} {
		_, rest, err := open(t, url, "mx.example.com:25", said+greeting)
		if err != nil || rest != greeting {
			t.Errorf("%s: left %q, %v", url, rest, err)
		}
	}
}

func TestWhatProxiesAreTold(t *testing.T) {
	t.Parallel()
	basic := base64.StdEncoding.EncodeToString([]byte("ann@a.test:" + secret))
	for _, test := range []struct{ url, target, said, want string }{
		{"http://h", "mx.example.com:25", "HTTP/1.1 200 OK\r\n\r\n", "CONNECT mx.example.com:25 HTTP/1.1\r\nHost: mx.example.com:25\r\n\r\n"},
		{"http://h", "[2001:db8::1]:25", "HTTP/1.1 200 OK\r\n\r\n", "CONNECT [2001:db8::1]:25 HTTP/1.1\r\nHost: [2001:db8::1]:25\r\n\r\n"},
		{"http://ann%40a.test:" + secret + "@h", "mx:25", "HTTP/1.1 200 OK\r\n\r\n", "CONNECT mx:25 HTTP/1.1\r\nHost: mx:25\r\nProxy-Authorization: Basic " + basic + "\r\n\r\n"},
		// The name goes to the proxy as it is, with either scheme.
		{"socks5://h", "mx.test:25", "\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x19", "\x05\x01\x00\x05\x01\x00\x03\x07mx.test\x00\x19"},
		{"socks5h://h", "[2001:db8::1]:25", "\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x19", "\x05\x01\x00\x05\x01\x00\x04\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01\x00\x19"},
		{"socks5://u:pw@h", "10.0.0.1:25", "\x05\x02\x01\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x19", "\x05\x02\x00\x02\x01\x01u\x02pw\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x19"},
	} {
		heard, _, err := open(t, test.url, test.target, test.said)
		if err != nil || heard != test.want {
			t.Errorf("%s: told %q, %v", test.url, heard, err)
		}
	}
}

func TestProxiesThatRefuse(t *testing.T) {
	t.Parallel()
	login := "u:" + secret + "@"
	encoded := base64.StdEncoding.EncodeToString([]byte("u:" + secret))
	reply := func(code string) string { return "\x05\x00\x05" + code + "\x00\x01\x00\x00\x00\x00\x00\x00" }
	for _, test := range []struct{ url, said, says, hint string }{
		{"http://h", "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", "407 Proxy Authentication Required", "wants a login"},
		{"http://" + login + "h", "HTTP/1.1 407 No\r\n\r\n", "407 No", "not that of the mail account"},
		{"http://" + login + "h", "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n", "407", "it takes NTLM, Negotiate"},
		{"http://" + login + "h", "HTTP/1.1 407 you said " + secret + " and " + encoded + "\r\n\r\n", "you said <secret> and <secret>", ""},
		{"http://" + login + "h", "HTTP/1.1 401 Unauthorized\r\n\r\n", "401", "not that of the mail account"}, // as tinyproxy
		{"http://h", "HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden", "forbid"},
		{"http://h", "HTTP/1.0 502 Bad Gateway\r\n\r\n", "502", "cannot reach the server"},
		{"http://h", "HTTP/1.1 302 Found\r\nLocation: http://x\r\n\r\n", "302", ""},
		{"http://h", "HTTP/1.1 500 \x1b[31mred\x00\r\n\r\n", "500 ?[31mred?", ""},
		{"http://h", "HTTP/1.1 500 " + strings.Repeat("x", 5000) + "\r\n\r\n", "…", ""},
		{"http://h", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100_000), "16384 octets", ""},
		{"http://h", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50), "again and again", ""},
		{"http://h", "", "closed the connection", ""},
		{"http://h", "HTTP/1.1 200 OK\r\nX", "closed the connection", ""},
		{"http://h", greeting, "not HTTP", "no HTTP proxy"},
		{"http://h", "HTTP/2 200\r\n\r\n", "not HTTP", ""},
		{"http://h", "HTTP/1.1 abc\r\n\r\n", "not HTTP", ""},
		{"http://h", "HTTP/1.1 2000 x\r\n\r\n", "not HTTP", ""},
		{"http://h", "HTTP/1.1 -20 x\r\n\r\n", "not HTTP", ""},
		{"http://h", "\r\n\r\n\r\n", "not HTTP", ""},
		{"socks5://h", reply("\x01"), "general SOCKS server failure", "no reason"},
		{"socks5://h", reply("\x02"), "not allowed by ruleset", "forbid"},
		{"socks5://h", reply("\x03"), "network unreachable", "cannot reach"},
		{"socks5://h", reply("\x04"), "host unreachable", "does not know its name"},
		{"socks5://h", reply("\x05"), "connection refused", "nothing answers on that port"},
		{"socks5://h", reply("\x06"), "TTL expired", "cannot reach"},
		{"socks5://h", reply("\x07"), "command not supported", ""},
		{"socks5://h", reply("\x08"), "address type not supported", "no names"},
		{"socks5://h", reply("\x63"), "99", ""},
		{"socks5://h", "\x05\xff", "no acceptable", "wants a login"},
		{"socks5://" + login + "h", "\x05\x02\x01\x01", "authentication failed", "not that of the mail account"},
		{"socks5://h", "HTTP/1.1 400 Bad Request\r\n\r\n", "version", "no SOCKS 5 proxy"},
		{"socks5://h", "\x05", "EOF", ""},
	} {
		_, _, err := open(t, test.url, "mx.example.com:25", test.said)
		var e *proxy.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", test.said, err)
			continue
		}
		if text := e.Error(); !strings.Contains(text, test.says) || !strings.Contains(e.Hint, test.hint) || strings.Contains(text+e.Hint, secret) || strings.Contains(text, encoded) ||
			!strings.Contains(text, "mx.example.com:25") || !strings.Contains(text, "proxy ") || strings.Contains(text, "unknown error") || len(text) > 400 {
			t.Errorf("%.60q: %v (%s)", test.said, e, e.Hint)
		}
	}
}

// A name must not be able to end the request.
func TestNamesThatWouldBecomeHeaders(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"a\r\nX: y:25", "a\nb:25", "a b:25", "a\x00b:25", ":25", "a/b:25", "a@b:25", "ä:25", strings.Repeat("x", 256) + ":25", "nowhere", "a\tb:25"} {
		for _, url := range []string{"http://h", "socks5://h"} {
			heard, _, err := open(t, url, target, "HTTP/1.1 200 OK\r\n\r\n")
			if err == nil || heard != "" {
				t.Errorf("%q: told %q, %v", target, heard, err)
			}
		}
	}
}

// A proxy that stops at any step is given up when the context ends.
func TestProxiesThatHang(t *testing.T) {
	t.Parallel()
	for url, said := range map[string]string{
		"http://h":       "HTTP/1.1 200 OK\r\n\r\n",
		"socks5://u:p@h": "\x05\x02\x01\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x19",
		"https://h":      "x", // hangs in the handshake
	} {
		for n := range len(said) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := proxy.Parse(url)
				here, there := net.Pipe()
				defer there.Close()
				go io.Copy(io.Discard, there)
				go io.WriteString(there, said[:n])
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				_, _, err := p.Open(ctx, here, "mx:25", nil)
				if took := time.Since(began); err == nil || took != time.Minute {
					t.Errorf("%s after %d octets: %v after %v", url, n, err, took)
				}
				here.Close()
			})
		}
	}
}

// Canceling does not wait for anything.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://h", "socks5://h", "https://h"} {
		synctest.Test(t, func(t *testing.T) {
			p, _ := proxy.Parse(url)
			here, there := net.Pipe()
			defer there.Close()
			go io.Copy(io.Discard, there)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			began := time.Now()
			if _, _, err := p.Open(ctx, here, "mx:25", nil); err == nil || time.Since(began) != time.Second {
				t.Error(url, err, time.Since(began))
			}
			here.Close()
		})
	}
}

// FuzzConnect: whatever a proxy answers, nothing of what follows its head is taken,
// and no error shows the login.
func FuzzConnect(f *testing.F) {
	for _, seed := range []string{"HTTP/1.1 200 OK\r\n\r\n" + greeting, "HTTP/1.0 407 x\nProxy-Authenticate: Basic\n\n", "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200\r\n\r\n", "220 x\r\n", "HTTP/1.1 200 OK\r\n folded\r\n\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, said string) {
		_, rest, err := open(t, "http://u:"+secret+"@h", "mx:25", said)
		if err != nil {
			if e := new(proxy.Error); !errors.As(err, &e) || !strings.Contains(said, secret) && strings.Contains(err.Error(), secret) {
				t.Errorf("%v", err)
			}
			return
		}
		head := strings.TrimSuffix(said, rest)
		if !strings.HasPrefix(head, "HTTP/1.") || !strings.HasSuffix(head, "\n\r\n") && !strings.HasSuffix(head, "\n\n") || len(head) > 6*(16<<10) {
			t.Errorf("took %q", head)
		}
		ends := strings.Count(strings.ReplaceAll(head, "\r\n", "\n"), "\n\n")
		if ends > 5 {
			t.Errorf("took more than heads: %q", head)
		}
	})
}
