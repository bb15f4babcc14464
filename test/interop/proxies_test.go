package interop_test

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/elazarl/goproxy"
	socks5 "github.com/things-go/go-socks5"
	"golang.org/x/crypto/bcrypt"
)

// The login of a proxy is not that of the mail server.
const (
	proxyUser     = "relay"
	proxyPassword = "tunnel-heron-4"
)

// proxyKind is a proxy that can be had with a login and without. It lets nobody
// connect to a port but the two that are told; address is what its URL begins with.
type proxyKind struct {
	name, scheme string
	start        func(t *testing.T, w *workshop, login bool, open [2]int) (address string)
	// refused and closed are what errors say about a port that is forbidden, and
	// about one that is not, and closed.
	refused, closed string
}

var proxyKinds = []proxyKind{
	{"Dante", "socks5", startDante, "not allowed by ruleset", "connection refused"},
	{"go-socks5", "socks5", startGoSOCKS, "not allowed by ruleset", "connection refused"},
	{"tinyproxy", "http", startTinyproxy, "403", "500"},
	{"goproxy", "http", startGoproxy(false), "502", "502"},
	{"goproxy over TLS", "https", startGoproxy(true), "502", "502"},
}

func startDante(t *testing.T, w *workshop, login bool, open [2]int) string {
	d := unpackFrom(t, w, newApt(t, "bookworm"), "dante-server") // Debian 13 has none
	own := freePort(t)
	method := "none"
	if login {
		method = "username"
		hash, err := bcrypt.GenerateFromPassword([]byte(proxyPassword), bcrypt.MinCost)
		must(t, err)
		d.write(t, "etc/passwd", passwd+proxyUser+":x:20110:20110::/:/bin/sh\n", 0o644)
		d.write(t, "etc/shadow", proxyUser+":"+string(hash)+":20000:0:99999:7:::\n", 0o600)
	}
	name := fmt.Sprintf("danted-%d", own)
	d.write(t, "etc/"+name+".conf", fmt.Sprintf(`logoutput: stderr
internal: 127.0.0.1 port = %d
external: 127.0.0.1
clientmethod: none
socksmethod: %s
user.privileged: root
user.unprivileged: nobody
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 127.0.0.0/8 port = %d command: connect }
socks pass { from: 127.0.0.0/8 to: 127.0.0.0/8 port = %d command: connect }
socks pass { from: 127.0.0.0/8 to: 127.0.0.0/8 port = %d command: connect }
socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 }
`, own, method, open[0], open[1], closedPort), 0o644)
	logs := d.path("var/log/" + name)
	must(t, os.MkdirAll(logs, 0o755))
	spawn(t, logs, d.root, "/usr/sbin/danted", "-f", "/etc/"+name+".conf", "-p", "/run/"+name+".pid")
	return loopback(own)
}

func startTinyproxy(t *testing.T, w *workshop, login bool, open [2]int) string {
	d := unpackDebian(t, w, "tinyproxy-bin")
	own := freePort(t)
	settings := fmt.Sprintf("User nobody\nGroup nogroup\nPort %d\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nAllow 127.0.0.1\nConnectPort %d\nConnectPort %d\nConnectPort %d\n", own, open[0], open[1], closedPort)
	if login {
		settings += "BasicAuth " + proxyUser + " " + proxyPassword + "\n"
	}
	name := fmt.Sprintf("tinyproxy-%d", own)
	d.write(t, "etc/"+name+".conf", settings, 0o644)
	logs := d.path("var/log/" + name)
	must(t, os.MkdirAll(logs, 0o755))
	spawn(t, logs, d.root, "/usr/bin/tinyproxy", "-d", "-c", "/etc/"+name+".conf")
	return loopback(own)
}

// closedPort is one where nobody listens: no program of a user may.
const closedPort = 1

func startGoSOCKS(t *testing.T, _ *workshop, login bool, open [2]int) string {
	rule := &ports{allowed: []int{open[0], open[1], closedPort}}
	options := []socks5.Option{socks5.WithRule(rule), socks5.WithLogger(socks5.NewLogger(log.New(io.Discard, "", 0)))}
	if login {
		options = append(options, socks5.WithCredential(socks5.StaticCredentials{proxyUser: proxyPassword}))
	}
	l := listenLocally(t)
	server := socks5.NewServer(options...)
	go server.Serve(l)
	return l.Addr().String()
}

func listenLocally(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func startGoproxy(secure bool) func(*testing.T, *workshop, bool, [2]int) string {
	return func(t *testing.T, w *workshop, login bool, open [2]int) string {
		p := goproxy.NewProxyHttpServer()
		p.Logger = log.New(io.Discard, "", 0)
		p.OnRequest().HandleConnectFunc(func(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
			want := "Basic " + base64.StdEncoding.EncodeToString([]byte(proxyUser+":"+proxyPassword))
			_, asked, _ := net.SplitHostPort(host)
			switch {
			case login && ctx.Req.Header.Get("Proxy-Authorization") != want:
				ctx.Resp = goproxy.NewResponse(ctx.Req, "text/plain", http.StatusProxyAuthRequired, "who are you")
				ctx.Resp.Header.Set("Proxy-Authenticate", "Basic realm=proxy")
				return goproxy.RejectConnect, host
			case !slices.Contains([]string{fmt.Sprint(open[0]), fmt.Sprint(open[1]), fmt.Sprint(closedPort)}, asked):
				ctx.Resp = goproxy.NewResponse(ctx.Req, "text/plain", http.StatusBadGateway, "not that port")
				return goproxy.RejectConnect, host
			}
			return goproxy.OkConnect, host
		})
		l := listenLocally(t)
		if secure {
			go (&http.Server{Handler: p}).Serve(tls.NewListener(l, w.serverTLS(t)))
		} else {
			go (&http.Server{Handler: p}).Serve(l)
		}
		return l.Addr().String()
	}
}

func socketOf(t *testing.T, w *workshop) string {
	t.Helper()
	dir, err := os.MkdirTemp(w.dir, "socket-")
	must(t, err)
	return filepath.Join(dir, "smtp")
}
