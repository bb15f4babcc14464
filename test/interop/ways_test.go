package interop_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	socks5 "github.com/things-go/go-socks5"
	"github.com/things-go/go-socks5/statute"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

// ports lets nobody connect elsewhere.
type ports struct{ allowed []int }

// Allow implements socks5.RuleSet.
func (p *ports) Allow(ctx context.Context, r *socks5.Request) (context.Context, bool) {
	return ctx, r.Command == statute.CommandConnect && slices.Contains(p.allowed, r.DestAddr.Port)
}

// TestWays sends to a real server in every way there is: through SOCKS and HTTP
// proxies, and over a UNIX socket.
func TestWays(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	in := startGoSMTP(t, w, limits{})
	t.Run("proxy", func(t *testing.T) {
		for _, k := range proxyKinds {
			t.Run(k.name, func(t *testing.T) {
				for _, login := range []bool{false, true} {
					checkProxy(t, w, in, k, login)
				}
			})
		}
	})
	t.Run("socket", func(t *testing.T) { checkSocket(t, w, in) })
	in.retire(t)
}

func checkProxy(t *testing.T, w *workshop, in *instance, k proxyKind, login bool) {
	account := secureAccount(t, w, in)
	address := k.start(t, w, login, [2]int{account.Port, portOf(t, in.plain)})
	if !eventually(t, k.name+" listens", func() bool { return listens(address) }) {
		return
	}
	good := k.scheme + "://" + address
	if login {
		good = k.scheme + "://" + proxyUser + ":" + proxyPassword + "@" + address
	}
	account.Proxy = good
	if err := sendNote(t, account); err != nil {
		t.Errorf("login %t: %v", login, err)
		return
	}
	in.collect(t, "bob", 1)
	// The program, with STARTTLS: the server speaks first.
	w.accepts(t, "send", "--server", starttls.url(in, true, smtp.LevelAuto), "--proxy", forProgram(good), "--from", sender, "--to", "bob@"+domain, "--text", "x")
	if t.Failed() {
		return
	}
	in.collect(t, "bob", 1)
	for name, bad := range map[string]struct {
		proxy string
		port  int
		says  string
	}{
		"a closed port":    {good, closedPort, k.closed},
		"a forbidden port": {good, 2, k.refused},
		"no login":         {k.scheme + "://" + address, account.Port, "login"},
		"a wrong login":    {k.scheme + "://" + proxyUser + ":wrong9@" + address, account.Port, "its own login"},
	} {
		if !login && strings.HasSuffix(name, "login") {
			continue
		}
		other := account
		other.Proxy, other.Port = bad.proxy, bad.port
		err := sendNote(t, other)
		if !errors.Is(err, kaizen.ErrConnect) || errors.Is(err, kaizen.ErrAuth) || !strings.Contains(err.Error(), bad.says) || strings.Contains(err.Error(), proxyPassword) {
			t.Errorf("login %t, %s: %v", login, name, err)
		} else {
			t.Logf("login %t, %s: %v", login, name, err)
		}
	}
}

// forProgram hides nothing: the program warns, and the test looks that it does not
// print the password.
func forProgram(proxy string) string { return strings.Replace(proxy, "127.0.0.1", "localhost", 1) }

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func secureAccount(t *testing.T, w *workshop, in *instance) kaizen.Account {
	t.Helper()
	return kaizen.Account{Host: "127.0.0.1", Port: portOf(t, in.implicit), TLS: smtp.TLSImplicit, TLSConfig: &tls.Config{RootCAs: w.roots},
		Username: user, Password: password, Limits: kaizen.Limits{Rates: kaizen.NoRate()}}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	number, err := strconv.Atoi(port)
	must(t, err)
	return number
}

func sendNote(t *testing.T, account kaizen.Account) error {
	t.Helper()
	client := kaizen.New(kaizen.Config{})
	_, err := client.Send(t.Context(), account, &message.Message{From: sender, To: []string{"bob@" + domain}, Subject: "way", Text: "x"})
	return errors.Join(err, client.Close())
}

// checkSocket hands what comes over a UNIX socket to the server.
func checkSocket(t *testing.T, w *workshop, in *instance) {
	path := socketOf(t, w)
	in.listenAlso(t, path)
	for _, account := range []kaizen.Account{
		{Socket: path},
		{Socket: path, Username: user, Password: password},
		{Socket: path, Username: user, Password: password, TLS: smtp.TLSStartTLS, TLSConfig: &tls.Config{RootCAs: w.roots}},
	} {
		if err := sendNote(t, account); err != nil {
			t.Error(err)
			continue
		}
		in.collect(t, "bob", 1)
	}
	w.accepts(t, "send", "--server", "smtp://"+user+"@localhost?socket="+path, "--from", sender, "--to", "bob@"+domain, "--text", "x")
	in.collect(t, "bob", 1)
}

// checkResumption dials twice, with each version of TLS.
func checkResumption(t *testing.T, w *workshop, in *instance) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, k := range []struct {
			address string
			mode    smtp.TLSMode
		}{{in.plain, smtp.TLSStartTLS}, {in.implicit, smtp.TLSImplicit}} {
			config := smtp.Config{Host: "127.0.0.1", Port: portOf(t, k.address), TLS: k.mode, Sessions: tls.NewLRUClientSessionCache(1),
				TLSConfig: &tls.Config{RootCAs: w.roots, MinVersion: version, MaxVersion: version}}
			var resumed []bool
			for range 3 {
				conn, err := smtp.Dial(t.Context(), config)
				must(t, err)
				must(t, conn.Noop(t.Context()))
				resumed = append(resumed, conn.Info().TLS.DidResume)
				must(t, conn.Quit(t.Context()))
			}
			if resumed[0] || !resumed[1] || !resumed[2] {
				t.Errorf("%s, mode %d: resumed %v", tls.VersionName(version), k.mode, resumed)
			}
		}
	}
}

// TestResumption is against the TLS of others: OpenSSL by way of Postfix and Node.js.
func TestResumption(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	for _, p := range products {
		if p.name != "Postfix" && p.name != "smtp-server" && p.name != "go-smtp" {
			continue // Exim and OpenSMTPD offer none unless told to
		}
		t.Run(p.name, func(t *testing.T) {
			in := p.start(t, w, limits{})
			eventually(t, p.name+" listens", func() bool { return listens(in.plain) && listens(in.implicit) })
			checkResumption(t, w, in)
			in.stop(t)
		})
	}
}
