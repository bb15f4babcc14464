package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"strconv"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// transcript writes a dialogue as it happens: the time since its start, who
// speaks (C: this side, S: the server, *: neither), and what is said. Secrets
// are replaced before they get here.
func transcript(w io.Writer) *smtp.Trace {
	began := time.Now()
	lines := log.New(w, "", 0) // several addresses may be tried at once
	say := func(who, what string) {
		ms := float64(time.Since(began)) / float64(time.Millisecond)
		lines.Printf("%9.1f ms %s %s", ms, who, what)
	}
	return &smtp.Trace{
		ConnectStart: func(_, addr string) { say("*", "connecting to "+addr) },
		ConnectDone:  func(_, addr string, err error) { say("*", ended("connected to "+addr, err)) },
		TLSStart:     func() { say("*", "TLS handshake") },
		TLSDone:      func(s tls.ConnectionState, err error) { say("*", ended(tlsName(s), err)) },
		Sent:         func(line string) { say("C", line) },
		Received: func(r smtp.Reply) {
			for _, line := range replyLines(r) {
				say("S", line)
			}
		},
		Closed: func(err error) { say("*", ended("closed", err)) },
	}
}

func ended(well string, err error) string {
	if err != nil {
		return "failed: " + err.Error()
	}
	return well
}

// replyLines is the reply as it was on the wire (RFC 5321 §4.2.1).
func replyLines(r smtp.Reply) []string {
	lines := strings.Split(r.Text, "\n")
	code, enhanced := strconv.Itoa(r.Code), r.Enhanced.String()
	if enhanced != "" {
		enhanced += " "
	}
	for i, text := range lines {
		mark := "-"
		if i == len(lines)-1 {
			mark = " "
		}
		lines[i] = code + mark + enhanced + text
	}
	return lines
}

func tlsName(s tls.ConnectionState) string {
	return fmt.Sprintf("%s, %s", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite))
}

// both makes one trace of two, the second of which may be nil.
func both(a, b *smtp.Trace) *smtp.Trace {
	if b == nil {
		return a
	}
	return &smtp.Trace{
		ConnectStart: func(network, addr string) { a.ConnectStart(network, addr); b.ConnectStart(network, addr) },
		ConnectDone: func(network, addr string, err error) {
			a.ConnectDone(network, addr, err)
			b.ConnectDone(network, addr, err)
		},
		TLSStart: b.TLSStart,
		TLSDone:  func(s tls.ConnectionState, err error) { a.TLSDone(s, err); b.TLSDone(s, err) },
		Sent:     func(line string) { a.Sent(line); b.Sent(line) },
		Received: func(r smtp.Reply) { a.Received(r); b.Received(r) },
		Closed:   b.Closed,
	}
}
