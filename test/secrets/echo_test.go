package main_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// moment is when an echo repeats what it was told.
type moment string

const (
	atLogin     moment = "at login"     // and refuses it
	atMail      moment = "at MAIL"      // likewise
	atRecipient moment = "at RCPT"      // likewise
	atEnd       moment = "at the end"   // and takes the message
	instead     moment = "for a reply"  // what it says then is none
	atGoodbye   moment = "at a goodbye" // 421 to MAIL, and it closes
)

// echo is the most talkative of servers: it repeats the login it was told, in every
// way it can think of. It takes one connection after the other.
type echo struct {
	listener net.Listener
	moment   moment
	method   string
	heard    sync.Map // passwords, so that tests know that the login took place
}

func newEcho(t *testing.T, m moment, method string) *echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{listener: listener, moment: m, method: method}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() { e.serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); done.Wait() })
	return e
}

func (e *echo) addr() string { return e.listener.Addr().String() }

func (e *echo) knows(password string) bool {
	_, known := e.heard.Load(password)
	return known
}

func (e *echo) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	say("220 mx.example.com")
	login := "" // what there is to repeat
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-mx.example.com\r\n250 AUTH %s", e.method)
		case "AUTH":
			login = e.login(say, r, rest)
			if !e.repeats(conn, atLogin, 535, "5.7.8 ", login) {
				say("235 2.7.0 welcome")
			}
		case "MAIL":
			if e.moment == instead {
				say("%s\r\nAUTH %s", secretOf(login), rest)
				return
			}
			if e.repeats(conn, atGoodbye, 421, "4.7.0 ", login) {
				return
			}
			if !e.repeats(conn, atMail, 550, "5.7.1 ", login) {
				say("250 2.1.0 ok")
			}
		case "RCPT":
			if !e.repeats(conn, atRecipient, 550, "5.7.1 ", login) {
				say("250 2.1.5 ok")
			}
		case "DATA":
			say("354 go on")
			for line != ".\r\n" && err == nil {
				line, err = r.ReadString('\n')
			}
			if !e.repeats(conn, atEnd, 250, "2.0.0 ", login) {
				say("250 2.0.0 Ok: queued as 4711")
			}
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default:
			say("250 2.0.0 ok")
		}
	}
}

// login returns what was sent, in base64, and its parts behind it.
func (e *echo) login(say func(string, ...any), r *bufio.Reader, rest string) string {
	_, initial, _ := strings.Cut(rest, " ")
	if e.method == "LOGIN" {
		say("334 VXNlcm5hbWU6")
		_, _ = r.ReadString('\n')
		initial = ""
	}
	if initial == "" {
		say("334 ")
		line, _ := r.ReadString('\n')
		initial = strings.TrimSpace(line)
	}
	e.heard.Store(secretOf(initial), true)
	return initial
}

// secretOf is the password or token in a response.
func secretOf(response string) string {
	decoded, _ := base64.StdEncoding.DecodeString(response)
	if _, token, found := bytes.Cut(decoded, []byte("Bearer ")); found {
		return strings.TrimRight(string(token), "\x01")
	}
	return string(decoded[bytes.LastIndexByte(decoded, 0)+1:])
}

// repeats says no, or yes, with all that it knows, if it is the moment for it.
func (e *echo) repeats(conn net.Conn, m moment, code int, enhanced, login string) bool {
	if e.moment != m {
		return false
	}
	lines := sayings(login)
	for i, line := range lines {
		mark := "-"
		if i == len(lines)-1 {
			mark = " "
		}
		fmt.Fprintf(conn, "%d%s%s%s\r\n", code, mark, enhanced, line)
	}
	return true
}

// sayings are the ways in which servers have been seen to repeat a login, and some
// more.
func sayings(login string) []string {
	secret := secretOf(login)
	encode := base64.StdEncoding.EncodeToString
	decoded, _ := base64.StdEncoding.DecodeString(login)
	half := len(secret) / 2
	for half > 0 && (secret[half-1] == ' ' || secret[half] == ' ' || !utf8.RuneStart(secret[half])) {
		half-- // blanks at the end of a line are nobody's
	}
	lines := []string{
		"unknown command: AUTH PLAIN " + login, "unknown command: AUTH PLAIN " + login[:len(login)*3/4] + "...",
		"user and password: " + strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' '
			}
			return r
		}, string(decoded)),
		"no such password: " + secret, "(" + secret + ")", encode([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		encode([]byte("the password " + secret + " is wrong")), encode([]byte("a password " + secret + " is wrong")), encode([]byte("password " + secret)),
		"in hex: " + hex.EncodeToString([]byte(secret)), "in hex: " + fmt.Sprintf("%X", secret),
		"quoted: " + fmt.Sprintf("%q", secret), "quoted: " + fmt.Sprintf("%+q", secret),
		"https://help.example.com/?p=" + url.QueryEscape(secret), "https://help.example.com/" + url.PathEscape(secret),
		"on two lines: " + secret[:half], secret[half:], "on two lines: " + login[:len(login)/2], login[len(login)/2:],
	}
	if len(secret) >= 16 {
		lines = append(lines, "cut short: "+strings.ToValidUTF8(secret[:len(secret)*3/4], "")+"…")
	}
	return append(lines, "that is all")
}
