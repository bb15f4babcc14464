package smtp_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestAliveSeesWhatHappenedWhileIdle(t *testing.T) {
	t.Parallel()
	faults := map[string]smtptest.Fault{
		"nothing": {Phase: smtptest.PhaseNOOP},
		"FIN":     {Phase: smtptest.PhaseIdle, Action: smtptest.Drop, Quiet: time.Minute},
		"RST":     {Phase: smtptest.PhaseIdle, Action: smtptest.Reset, Quiet: time.Minute},
		"421":     {Phase: smtptest.PhaseIdle, Action: smtptest.Close421, Quiet: time.Minute},
	}
	for name, fault := range faults {
		for _, mode := range []smtptest.TLSMode{smtptest.TLSNone, smtptest.TLSStartTLS, smtptest.TLSImplicit} {
			inBubble(t, name, func(t *testing.T) {
				d := newDesk(t, smtptest.Config{TLS: mode, Faults: []smtptest.Fault{fault}})
				c := d.dial()
				if !c.Alive() { // session tickets of TLS 1.3 may wait
					t.Fatal("dead from the start")
				}
				if _, err := hand(t, c, note()); err != nil || !c.Alive() {
					t.Fatal("dead after a message", err)
				}
				<-time.After(2 * time.Minute)
				synctest.Wait()
				want := name == "nothing"
				for range 3 {
					if got := c.Alive(); got != want {
						t.Errorf("alive %v", got)
					}
				}
				if !want { // used all the same: safe to repeat
					result, err := hand(t, c, note())
					if err == nil || result != nil && (result.Outcome != smtp.NotSent || !result.Repeatable) {
						t.Errorf("%v, %+v", err, result)
					}
				}
			})
		}
	}
}

// Octets nobody asked for make a connection useless, and it stays so.
func TestAliveSeesUnsolicitedOctets(t *testing.T) {
	t.Parallel()
	script := "S: 220 mx\nC~ ^EHLO\nS: 250 mx\nS! wait 1m\nS: 250 and another thing\nS! wait"
	for name, mode := range map[string]smtptest.TLSMode{"plain": smtptest.TLSNone, "TLS": smtptest.TLSImplicit} {
		inBubble(t, name, func(t *testing.T) {
			d := newDesk(t, smtptest.Config{TLS: mode, Scripts: dialogues(script)})
			c := d.dial()
			if !c.Alive() {
				t.Error("dead at once")
			}
			<-time.After(2 * time.Minute)
			for range 3 {
				if c.Alive() {
					t.Error("alive")
				}
			}
		})
	}
}

// A server may say goodbye in TLS alone and keep TCP open.
func TestAliveSeesCloseNotify(t *testing.T) {
	t.Parallel()
	inBubble(t, "close_notify", func(t *testing.T) {
		source := newDesk(t, smtptest.Config{TLS: smtptest.TLSImplicit})
		ours := newAuthority(t)
		client, server := smtptest.Pipe()
		goodbye, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			conn := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "localhost", time.Date(2048, 1, 1, 0, 0, 0, 0, time.UTC))}})
			b := make([]byte, 512)
			io.WriteString(conn, "220 x\r\n")
			conn.Read(b)
			io.WriteString(conn, "250 x\r\n")
			<-goodbye
			conn.CloseWrite()
			conn.Read(b)
		}()
		config := source.config
		config.TLSConfig = &tls.Config{InsecureSkipVerify: true}
		config.DialContext = func(context.Context, string, string) (net.Conn, error) { return client, nil }
		c, err := smtp.Dial(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Alive() {
			t.Error("dead at once")
		}
		close(goodbye)
		synctest.Wait()
		for range 2 {
			if c.Alive() {
				t.Error("alive")
			}
		}
		c.Close()
		<-done
	})
}

func TestAliveOverTCP(t *testing.T) {
	t.Parallel()
	for _, mode := range []smtptest.TLSMode{smtptest.TLSNone, smtptest.TLSStartTLS, smtptest.TLSImplicit} {
		for _, how := range []smtptest.Closing{smtptest.CloseFIN, smtptest.CloseRST, smtptest.CloseWith421} {
			d := newDesk(t, smtptest.Config{Network: smtptest.TCP, TLS: mode})
			c, err := smtp.Dial(t.Context(), tcpConfig(d))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for range 3 {
				if !c.Alive() {
					t.Fatal("dead")
				}
				if result, err := hand(t, c, note()); err != nil || result.Err != nil {
					t.Fatal(err)
				}
			}
			d.server.DropIdle(how)
			for deadline := time.Now().Add(10 * time.Second); c.Alive(); runtime.Gosched() {
				if time.Now().After(deadline) {
					t.Fatal("still alive")
				}
			}
			if c.Alive() {
				t.Error("alive again")
			}
		}
	}
}

// tcpConfig dials a server on the loopback interface with the default dialer.
func tcpConfig(d *desk) smtp.Config {
	config := d.config
	host, port, _ := net.SplitHostPort(d.server.Addr())
	config.Host, config.DialContext = host, nil
	config.Port, _ = net.LookupPort("tcp", port)
	return config
}

// BenchmarkIdle reports what a connection holds that has sent a message and
// waits, heap and stacks, with the server's bare socket (0.2 KB) beside it.
func BenchmarkIdle(b *testing.B) {
	for _, mode := range []smtp.TLSMode{smtp.TLSNone, smtp.TLSImplicit} {
		name := map[smtp.TLSMode]string{smtp.TLSNone: "plain", smtp.TLSImplicit: "TLS"}[mode]
		b.Run(name, func(b *testing.B) {
			host := newHost(b, mode == smtp.TLSImplicit)
			const many = 200
			for b.Loop() {
				conns := make([]*smtp.Conn, many)
				before := inUse()
				for i := range conns {
					conns[i] = host.sendOne(b, mode)
				}
				b.ReportMetric(float64(inUse()-before)/many, "B/idle")
				for _, c := range conns {
					c.Close()
				}
				host.forget()
			}
		})
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// host is a server without anything but sockets for those it has served.
type host struct {
	net.Listener
	config *tls.Config // nil: plain
	kept   []net.Conn
}

func newHost(b *testing.B, secure bool) *host {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	h := &host{Listener: l}
	if secure {
		a := newAuthority(b)
		h.config = &tls.Config{Certificates: []tls.Certificate{a.issue(b, "localhost", time.Date(2048, 1, 1, 0, 0, 0, 0, time.UTC))}}
	}
	return h
}

func (h *host) sendOne(b *testing.B, mode smtp.TLSMode) *smtp.Conn {
	served := make(chan struct{})
	go func() { defer close(served); h.serve() }()
	config := smtp.Config{Host: "127.0.0.1", Port: h.Addr().(*net.TCPAddr).Port, TLS: mode, TLSConfig: &tls.Config{InsecureSkipVerify: true}}
	c, err := smtp.Dial(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	var result *smtp.Result
	tx := note()
	tx.Done = func(r *smtp.Result) { result = r }
	err = c.Stream(b.Context(), func(bool) *smtp.Transaction { t := tx; tx = nil; return t })
	if err != nil || result.Err != nil {
		b.Fatal(err)
	}
	<-served
	return c
}

func (h *host) serve() {
	raw, err := h.Accept()
	if err != nil {
		return
	}
	h.kept = append(h.kept, raw)
	conn := raw
	if h.config != nil {
		conn = tls.Server(raw, h.config)
	}
	in := make([]byte, 1024)
	io.WriteString(conn, "220 x\r\n")
	for _, answer := range []string{"250-x\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n", "250 ok\r\n"} {
		conn.Read(in)
		io.WriteString(conn, answer)
	}
}

func (h *host) forget() {
	for _, c := range h.kept {
		c.Close()
	}
	h.kept = nil
}
