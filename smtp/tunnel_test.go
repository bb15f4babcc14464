package smtp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

const tunnelPassword = "tunnel-heron-4"

// tunnel is a proxy on the loopback interface that connects to one server, whatever
// it is asked for. Everybody's login is ann with tunnelPassword, where there is one.
type tunnel struct {
	listener net.Listener
	server   string // host:port
	tls      *tls.Config
	login    bool
	glue     bool // says the server's greeting in one write with its own answer

	mu      sync.Mutex // guards what follows
	wanted  []string   // targets
	conns   []net.Conn
	running sync.WaitGroup
}

func newTunnel(t *testing.T, server string, change func(*tunnel)) *tunnel {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &tunnel{listener: l, server: server}
	if change != nil {
		change(u)
	}
	u.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			u.keep(conn)
			u.running.Go(func() { u.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		u.mu.Lock()
		for _, c := range u.conns {
			c.Close()
		}
		u.mu.Unlock()
		u.running.Wait()
	})
	return u
}

func (u *tunnel) keep(conn net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.conns = append(u.conns, conn)
}

func (u *tunnel) targets() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.wanted...)
}

func (u *tunnel) url(scheme string) string {
	if u.login {
		return scheme + "://ann:" + tunnelPassword + "@" + u.listener.Addr().String()
	}
	return scheme + "://" + u.listener.Addr().String()
}

func (u *tunnel) serve(conn net.Conn) {
	defer conn.Close()
	if u.tls != nil {
		conn = tls.Server(conn, u.tls)
	}
	in := bufio.NewReader(conn)
	first, err := in.Peek(1)
	if err != nil {
		return
	}
	var ok bool
	var answer string
	if first[0] == 0x16 { // TLS
		io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	}
	if first[0] == 5 {
		answer, ok = u.socks(in, conn)
	} else {
		answer, ok = u.connect(in)
	}
	if !ok {
		io.WriteString(conn, answer)
		return
	}
	server, err := net.Dial("tcp", u.server)
	if err != nil {
		return
	}
	defer server.Close()
	u.keep(server)
	if u.glue {
		greeting := make([]byte, 1000)
		n, _ := server.Read(greeting)
		answer += string(greeting[:n])
	}
	io.WriteString(conn, answer)
	var both sync.WaitGroup
	both.Go(func() { io.Copy(server, in); server.(*net.TCPConn).CloseWrite() })
	both.Go(func() { io.Copy(conn, server); conn.Close() })
	both.Wait()
}

func (u *tunnel) want(target string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wanted = append(u.wanted, target)
}

// socks speaks RFC 1928, with what RFC 1929 says of logins.
func (u *tunnel) socks(in *bufio.Reader, out io.Writer) (answer string, ok bool) {
	head := make([]byte, 2)
	io.ReadFull(in, head)
	io.CopyN(io.Discard, in, int64(head[1]))
	if u.login {
		io.WriteString(out, "\x05\x02")
		io.ReadFull(in, head)
		name := make([]byte, head[1])
		io.ReadFull(in, name)
		size, _ := in.ReadByte()
		password := make([]byte, size)
		io.ReadFull(in, password)
		if string(name) != "ann" || string(password) != tunnelPassword {
			return "\x01\x01", false
		}
		io.WriteString(out, "\x01\x00")
	} else {
		io.WriteString(out, "\x05\x00")
	}
	request := make([]byte, 4)
	io.ReadFull(in, request)
	size := map[byte]int{1: 4, 4: 16}[request[3]]
	if request[3] == 3 {
		n, _ := in.ReadByte()
		size = int(n)
	}
	name := make([]byte, size)
	io.ReadFull(in, name)
	io.CopyN(io.Discard, in, 2)
	host := string(name)
	if request[3] != 3 {
		host = net.IP(name).String()
	}
	u.want(host)
	return "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", true
}

func (u *tunnel) connect(in *bufio.Reader) (answer string, ok bool) {
	var lines []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", false
		}
		if line == "\r\n" {
			break
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+tunnelPassword))
	if u.login && !strings.Contains(strings.Join(lines, "\n"), basic) {
		return "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", false
	}
	u.want(strings.Fields(lines[0])[1])
	return "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n", true
}

// cutting breaks in the middle of a write once it is armed.
type cutting struct {
	*net.TCPConn
	armed bool
}

func (c *cutting) Write(p []byte) (int, error) {
	if !c.armed {
		return c.TCPConn.Write(p)
	}
	n, _ := c.TCPConn.Write(p[:len(p)/2])
	c.TCPConn.CloseWrite()
	return n, errors.New("cut")
}

// verdictOfCut is what becomes of a message whose last write left by half.
func verdictOfCut(t *testing.T, config smtp.Config) *smtp.Result {
	t.Helper()
	var conn *cutting
	config.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			conn = &cutting{TCPConn: c.(*net.TCPConn)}
		}
		return conn, err
	}
	c, err := smtp.Dial(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tx := note()
	tx.Commit = func() error { conn.armed = true; return nil }
	result, _ := hand(t, c, tx)
	return result
}
