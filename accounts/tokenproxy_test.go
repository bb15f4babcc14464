package accounts_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// relay is a proxy that leads to one server, whatever it is asked for.
type relay struct {
	listener net.Listener
	server   string
	status   string // if set, what it answers in the place of a way

	mu      sync.Mutex
	asked   []string // targets and logins
	running sync.WaitGroup
}

func newRelay(t *testing.T, server, status string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{listener: l, server: server, status: status}
	r.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.running.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); r.running.Wait() })
	return r
}

func (r *relay) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, text)
}

func (r *relay) heard() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.asked, " ")
}

func (r *relay) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	first, err := in.Peek(1)
	if err != nil {
		return
	}
	if first[0] == 5 {
		if err := r.socks(in, conn); err != nil {
			return
		}
	} else {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		r.note(request.Method + " " + request.Host + " " + request.Header.Get("Proxy-Authorization"))
		if r.status != "" {
			fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", r.status)
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
	}
	to, err := net.Dial("tcp", r.server)
	if err != nil {
		return
	}
	defer to.Close()
	r.running.Go(func() { _, _ = io.Copy(to, in); to.(*net.TCPConn).CloseWrite() })
	_, _ = io.Copy(conn, to)
}

// socks takes a login and a name (RFC 1928, RFC 1929).
func (r *relay) socks(in *bufio.Reader, out io.Writer) error {
	next := func(n int) string {
		text := make([]byte, n)
		_, _ = io.ReadFull(in, text)
		return string(text)
	}
	counted := func() string { return next(int(next(1)[0])) }
	next(1)
	counted()
	fmt.Fprint(out, "\x05\x02")
	next(1)
	r.note(counted() + ":" + counted())
	fmt.Fprint(out, "\x01\x00")
	next(4)
	r.note(counted())
	next(2)
	_, err := fmt.Fprint(out, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
	return err
}

func TestTokensComeThroughTheProxy(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer", "expires_in": 3600}`, secret+"-access")
	}))
	defer server.Close()
	for scheme, heard := range map[string]string{
		"http":   "CONNECT example.com:443 Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+proxySecret)),
		"socks5": "ann:" + proxySecret + " example.com",
	} {
		r := newRelay(t, server.Listener.Addr().String(), "")
		client := accounts.ProxiedClient(scheme+"://ann:"+proxySecret+"@"+r.listener.Addr().String(), nil)
		client.Transport.(*http.Transport).TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
		c := oauth.Config{Flow: oauth.FlowClientCredentials, ClientID: "client", ClientSecret: secret, TokenURL: "https://example.com/token", HTTP: client}
		token, err := c.Login(t.Context(), oauth.LoginOptions{})
		if err != nil || token.Access != secret+"-access" || r.heard() != heard {
			t.Errorf("%s: %v, %q", scheme, err, r.heard())
		}
	}
}

// The proxy of the account, with its password from where it is, and what it says when
// it refuses; nothing of that stops the account.
func TestProxyRefusesTokens(t *testing.T) {
	t.Parallel()
	r := newRelay(t, "", "407 Who are you")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kaizen.toml"), fmt.Sprintf(`
[accounts.work]
host = "mx.example.com"
address = "ann@example.com"
proxy = "http://ann@%s"
proxy_password_env = "RELAY"
oauth.flow = "client-credentials"
oauth.client_id = "client"
oauth.token_url = "https://login.example.com/token"
password_env = "CLIENT"
`, r.listener.Addr()))
	variables := map[string]string{"RELAY": proxySecret, "CLIENT": secret}
	s := open(t, dir, func(o *accounts.Options) {
		o.LookupEnv = func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
	})
	defer s.Close()
	_, err := resolve(t, s, "work").Auth.Token(t.Context())
	var e *oauth.Error
	if !errors.As(err, &e) || e.Permanent() || !strings.Contains(err.Error(), "no way to login.example.com:443 through the proxy http://127.0.0.1:") ||
		!strings.Contains(err.Error(), "407 Who are you") || !strings.Contains(err.Error(), "(the proxy refused its own login") {
		t.Errorf("%v", err)
	}
	if _, err := s.Login(t.Context(), "work", oauth.LoginOptions{}); err == nil || !strings.Contains(err.Error(), "through the proxy") {
		t.Errorf("%v", err)
	}
	if heard := "CONNECT login.example.com:443 Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+proxySecret)); r.heard() != heard+" "+heard {
		t.Errorf("%q", r.heard())
	}
	seen := lookout{t: t}
	seen.at("refused", err)
	if strings.Contains(fmt.Sprintf("%+v %#v", err, err), proxySecret) {
		t.Error("the proxy's password is shown")
	}
}

// A server on this machine is not asked for through a proxy.
func TestTokensOfThisMachine(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token": "x", "token_type": "Bearer"}`)
	}))
	defer server.Close()
	r := newRelay(t, "", "403 Forbidden")
	c := oauth.Config{Flow: oauth.FlowClientCredentials, ClientID: "client", ClientSecret: secret, TokenURL: server.URL, HTTP: accounts.ProxiedClient("http://"+r.listener.Addr().String(), nil)}
	if _, err := c.Login(t.Context(), oauth.LoginOptions{}); err != nil || r.heard() != "" {
		t.Errorf("%v, %q", err, r.heard())
	}
}
