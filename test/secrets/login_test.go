package main_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// from is the command line of a message.
func from(args ...string) []string {
	return append([]string{"send", "--from", "ann@example.com", "--to", "bob@example.org", "--subject", "Hello", "--text", "hi"}, args...)
}

// with is a command line with some flags more.
func with(flags []string, args ...string) []string { return append(args, flags...) }

// connectionURL has the password of that name, or none.
func connectionURL(addr, secret string) string {
	u := url.URL{Scheme: "smtp", Host: addr, User: url.User("ann"), RawQuery: "tls=none&rate=none"}
	if secret != "" {
		u.User = url.UserPassword("ann", secrets[secret])
	}
	return u.String()
}

// plant gives the program a password: in the URL, in a file, or in the variable.
func (s *stage) plant(addr, secret string) (args []string) {
	s.t.Helper()
	switch secret {
	case "in a URL":
		s.env["KAIZEN_SERVER"] = connectionURL(addr, secret)
	case "in a password file":
		s.env["KAIZEN_SERVER"] = connectionURL(addr, "")
		return []string{"--password-file", s.hold("password", secrets[secret]+"\r\n")}
	default:
		s.env["KAIZEN_SERVER"], s.env["KAIZEN_PASSWORD"] = connectionURL(addr, ""), secrets[secret]
	}
	return nil
}

// Each password logs in, and is seen nowhere.
func TestLoginsThatWork(t *testing.T) {
	t.Parallel()
	for _, secret := range passwords {
		t.Run(secret, func(t *testing.T) {
			t.Parallel()
			server, err := smtptest.Listen(smtptest.Config{KeepMessages: true, Auth: &smtptest.Auth{Users: map[string]string{"ann": secrets[secret]}, Required: true}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			s := newStage(t)
			args := s.plant(server.Addr(), secret)
			s.want(0, "", from(append(args, "--transcript")...)...)
			s.want(0, "", from(append(args, "--json", "--transcript")...)...)
			s.want(0, "", with(args, "verify", "--json", "--transcript")...)
			s.want(0, "", with(args, "verify")...)
			s.write("people.csv", "email\nbob@example.org\neve@example.org\n")
			s.want(0, "", with(args, "bulk", "--rows", "people.csv", "--from", "ann@example.com", "--subject", "s", "--text", "t", "--json")...)
			for _, m := range server.Messages() {
				s.search("a message", string(m.Data))
			}
			if n := len(server.Messages()); n != 4 {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}

// A server that repeats the login, at whatever moment and in whatever way, shows
// it to nobody else.
func TestServersThatRepeatTheLogin(t *testing.T) {
	t.Parallel()
	for i, secret := range passwords {
		t.Run(secret, func(t *testing.T) {
			t.Parallel()
			for m, code := range map[moment]int{atLogin: 77, atMail: 69, atRecipient: 67, atEnd: 0, instead: -1, atGoodbye: 75} {
				if i > 1 && m != atLogin && m != atEnd { // two passwords are enough for the other moments
					continue
				}
				e := newEcho(t, m, "PLAIN")
				s := newStage(t)
				args := s.plant(e.addr(), secret)
				r := s.run("", from(append(args, "--transcript")...)...)
				if code >= 0 && r.code != code || code < 0 && r.code == 0 {
					t.Errorf("%s: exit code %d: %s", m, r.code, r.stderr)
				}
				s.run("", from(append(args, "--json")...)...)
				if m == atLogin {
					s.run("", with(args, "verify", "--json")...)
				}
				if m == atEnd || m == atRecipient {
					s.write("people.csv", "email\nbob@example.org\n")
					s.run("", with(args, "bulk", "--rows", "people.csv", "--from", "ann@example.com", "--subject", "s", "--text", "t", "--json")...)
				}
				if !e.knows(secrets[secret]) {
					t.Errorf("%s: the server was not told the password", m)
				}
			}
			e := newEcho(t, atLogin, "LOGIN")
			s := newStage(t)
			s.want(77, "", with(s.plant(e.addr(), secret), "verify", "--transcript")...)
			if !e.knows(secrets[secret]) {
				t.Error("LOGIN: the server was not told the password")
			}
		})
	}
}

// What goes wrong before a login has no chance to tell; it is tried all the same.
func TestFailuresWithoutALogin(t *testing.T) {
	t.Parallel()
	secure, err := smtptest.Listen(smtptest.Config{TLS: smtptest.TLSStartTLS})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { secure.Close() })
	open, err := smtptest.Listen(smtptest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { open.Close() })
	for _, secret := range passwords {
		t.Run(secret, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			password := url.UserPassword("ann", secrets[secret]).String()
			for _, server := range []string{
				"smtp://" + password + "@" + secure.Addr(),                        // whose certificate nobody trusts
				"smtp://" + password + "@" + open.Addr(),                          // which has no TLS
				"smtp://" + password + "@" + open.Addr() + "?tls=none",            // which has no login
				"smtp://" + password + "@127.0.0.1:1",                             // where nobody is
				"smtp://" + password + "@no.such.host.invalid",                    // which is nowhere
				"smtp://" + password + "@127.0.0.1:70000",                         // no port
				"smtp://ann:" + secrets[secret] + "@127.0.0.1:1",                  // not encoded
				"smtps://" + password,                                             // without a host
				"ann:" + secrets[secret] + "@127.0.0.1",                           // without a scheme
				"smtp://" + password + "@127.0.0.1:1?password=" + secrets[secret], // no such parameter
				"smtp://127.0.0.1:1/" + secrets[secret],
			} {
				s.env["KAIZEN_SERVER"] = server
				if r := s.run("", from("--timeout", "5s", "--transcript")...); r.code == 0 {
					t.Error("it was sent")
				}
				s.run("", "verify", "--json", "--timeout", "5s")
			}
		})
	}
}

// typed are command lines that have a secret because a test typed it there: that
// others see it then is not the program's doing.
var typed sync.Map

// typing notes such a command line, before it is run.
func typing(args ...string) {
	typed.Store(strings.Join(append([]string{program}, args...), "\x00")+"\x00", true)
}

// Passwords where no password belongs.
func TestMisplacedPasswords(t *testing.T) {
	t.Parallel()
	for _, secret := range passwords {
		t.Run(secret, func(t *testing.T) {
			t.Parallel()
			s, value := newStage(t), secrets[secret]
			s.env["KAIZEN_SERVER"] = "smtp://127.0.0.1:1"
			for _, args := range [][]string{
				{"send", "--password=" + value}, {"send", "--password", value}, {"send", "-p" + value}, {"account", "add", "-yp" + value}, {"verify", "--account=x", "--pasword=" + value},
				{"account", "add", "--password=" + value}, {"account", "set", "work", "password=" + value}, {"account", "set", "work", "pasword=" + value},
				{"account", "password", "--password=" + value},
			} {
				typing(args...)
				if r := s.run("", args...); r.code == 0 {
					t.Errorf("%s is taken", args[:2])
				}
			}
		})
	}
}

// While a login waits the process can be looked at, and killed; see also what a
// dump of all goroutines tells.
func slowServer(t *testing.T, secret string) (server *smtptest.Server, asked <-chan struct{}) {
	t.Helper()
	waiting, end := make(chan struct{}, 1), make(chan struct{})
	server, err := smtptest.Listen(smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": secrets[secret]},
		Verdict: func(string, string) *smtptest.Reply {
			waiting <- struct{}{}
			<-end
			return nil
		}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(end); server.Close() })
	return server, waiting
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal("waited a minute for", what)
	}
}

// contains fails if a text lacks something.
func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in %.2000s", w, text)
		}
	}
}
