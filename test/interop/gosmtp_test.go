package interop_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// startGoSMTP runs in this process.
func startGoSMTP(t *testing.T, w *workshop, l limits) *instance {
	dir, err := os.MkdirTemp(w.dir, "go-smtp-")
	must(t, err)
	box := &maildir{dir}
	logFile, err := os.Create(filepath.Join(dir, "log"))
	must(t, err)
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) {
		return &goSession{conn: c, box: box}, nil
	}))
	server.Domain, server.TLSConfig, server.AllowInsecureAuth = "mx."+domain, w.serverTLS(t), true
	server.MaxMessageBytes, server.MaxRecipients = maxSize, l.recipients
	server.EnableSMTPUTF8, server.EnableBINARYMIME, server.EnableDSN, server.EnableREQUIRETLS = true, true, true, true
	server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
	server.ErrorLog = logger{logFile}
	served := make(chan error, 3)
	listen := func(secure bool) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		address := listener.Addr().String()
		if secure {
			listener = tls.NewListener(listener, server.TLSConfig)
		}
		go func() { served <- server.Serve(listener) }()
		return address
	}
	in := &instance{version: moduleVersion(t, "github.com/emersion/go-smtp"), plain: listen(false), implicit: listen(true),
		mailbox: map[string]string{"bob": filepath.Join(dir, "bob"), "eve": filepath.Join(dir, "eve")},
		trace:   []string{"X-Original-To", "Received"}, knobs: knobs{},
		logs: []string{logFile.Name()}, complaints: `.`}
	servers := 2
	in.listenAlso = func(t *testing.T, socket string) {
		listener, err := net.Listen("unix", socket)
		must(t, err)
		servers++
		go func() { served <- server.Serve(listener) }()
	}
	in.stop = func(t *testing.T) {
		must(t, server.Close())
		for range servers {
			if err := <-served; err != nil && err != gosmtp.ErrServerClosed {
				t.Error(err)
			}
		}
		must(t, logFile.Close())
	}
	return in
}

func moduleVersion(t *testing.T, path string) string {
	t.Helper()
	return strings.TrimSpace(run(t, exec.Command("go", "list", "-m", "-f", "{{.Version}}", path)))
}

// logger is go-smtp's own kind.
type logger struct{ w io.Writer }

func (l logger) Printf(format string, v ...any) { fmt.Fprintf(l.w, format+"\n", v...) }
func (l logger) Println(v ...any)               { fmt.Fprintln(l.w, v...) }

// goSession keeps what it gets, octet for octet.
type goSession struct {
	conn *gosmtp.Conn
	box  *maildir
	user string
	to   []string
}

func (s *goSession) Reset()                                 { s.to = nil }
func (s *goSession) Logout() error                          { return nil }
func (s *goSession) Mail(string, *gosmtp.MailOptions) error { return nil }
func (s *goSession) AuthMechanisms() []string               { return []string{sasl.Plain} }

func (s *goSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, secret string) error {
		if name != user || secret != password {
			return gosmtp.ErrAuthFailed
		}
		s.user = name
		return nil
	}), nil
}

func (s *goSession) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	if mailboxOf(to) == "" {
		return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such recipient here"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *goSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	how := "ESMTP"
	if _, secure := s.conn.TLSConnectionState(); secure {
		how += "S"
	}
	if s.user != "" {
		how += "A"
	}
	for _, to := range s.to {
		if err := s.box.deliver(to, how, content); err != nil {
			return err
		}
	}
	return nil
}

// mailboxOf is whose an address is; nobody's: "".
func mailboxOf(address string) string {
	local, _, _ := strings.Cut(address, "@")
	if local, _, _ = strings.Cut(local, "+"); local == "bob" || local == "eve" {
		return local
	}
	return ""
}

// maildir is a folder of mailboxes.
type maildir struct{ dir string }

func (m *maildir) deliver(to, how string, content []byte) error {
	folder := filepath.Join(m.dir, mailboxOf(to))
	for _, sub := range []string{"tmp", "new"} {
		if err := os.MkdirAll(filepath.Join(folder, sub), 0o755); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(filepath.Join(folder, "tmp"), "")
	if err != nil {
		return err
	}
	defer f.Close()
	letter := bytes.Join([][]byte{[]byte("X-Original-To: " + to + "\r\nReceived: with " + how + "\r\n"), content}, nil)
	if _, err := f.Write(letter); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(folder, "new", filepath.Base(f.Name())))
}
