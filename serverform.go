package kaizen

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/kaizenmail/kaizen/smtp"
)

// ParseServer reads a server as files of accounts have it: host, host:port, and what
// differs from the defaults of [Server],
//
//	mx2.example.com
//	mx2.example.com:465 priority=10
//	[2001:db8::25]:587 priority=10 weight=3 tls=starttls
func ParseServer(s string) (Server, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return Server{}, errors.New("a server is a host, or host:port")
	}
	server, err := parseAddress(words[0])
	if err != nil {
		return Server{}, err
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "priority":
			server.Priority, err = readNumber(value, 0)
		case "weight":
			server.Weight, err = readNumber(value, 1)
		case "tls":
			server.TLS, err = tlsMode(value)
		default:
			err = errors.New("is none of priority=, weight= and tls=")
		}
		if err != nil {
			return Server{}, fmt.Errorf("server %s: %s: %w", words[0], word, err)
		}
	}
	return server, nil
}

func parseAddress(s string) (Server, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), ""
	}
	if host == "" || strings.ContainsAny(host, "/@?#[]") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
		// Not quoted: a URL has a password in it.
		return Server{}, errors.New("a server is a host, or host:port, without scheme, user and path")
	}
	server := Server{Host: host}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Server{}, fmt.Errorf("server %s: its port is not a number from 1 to 65535", host)
		}
		server.Port = int(n)
	}
	return server, nil
}

// readNumber reads a priority or a weight, which are those of RFC 2782.
func readNumber(s string, least int) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || int(n) < least {
		return 0, fmt.Errorf("not a number from %d to 65535", least)
	}
	return int(n), nil
}

var tlsModes = map[string]smtp.TLSMode{"starttls": smtp.TLSStartTLS, "implicit": smtp.TLSImplicit,
	"opportunistic": smtp.TLSOpportunistic, "none": smtp.TLSNone}

func tlsMode(s string) (smtp.TLSMode, error) {
	mode, ok := tlsModes[s]
	if !ok {
		return 0, fmt.Errorf("%q is none of starttls, implicit, opportunistic, none", s)
	}
	return mode, nil
}

// String is the server as [ParseServer] reads it.
func (s Server) String() string {
	text := s.Host
	if strings.Contains(text, ":") {
		text = "[" + text + "]"
	}
	if s.Port != 0 {
		text += ":" + strconv.Itoa(s.Port)
	}
	if s.Priority != 0 {
		text += " priority=" + strconv.Itoa(s.Priority)
	}
	if s.Weight != 0 {
		text += " weight=" + strconv.Itoa(s.Weight)
	}
	for name, mode := range tlsModes {
		if mode == s.TLS {
			text += " tls=" + name
		}
	}
	return text
}
