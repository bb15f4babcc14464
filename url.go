package kaizen

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/smtp"
)

// URLError says which part of a connection URL is wrong. It never holds the
// password.
type URLError struct {
	Part string // "scheme", "host", "port", "user", "tls", …
	Err  error
}

// Error names the part.
func (e *URLError) Error() string { return "connection URL: " + e.Part + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *URLError) Unwrap() error { return e.Err }

// ParseURL makes an account of a connection URL:
//
//	smtps://user:password@smtp.example.com          implicit TLS, port 465
//	smtp://user@smtp.example.com:587                STARTTLS, required
//	smtp://localhost:1025?tls=none                  no TLS, by explicit choice
//	lmtp://mail.example.com                         LMTP, port 24; STARTTLS, required, but not on this machine
//	smtp://localhost?socket=/run/relay.sock         a UNIX socket, without TLS
//	sendmail:                                       the sendmail command
//	sendmail:///usr/bin/msmtp?args=-a+work          another one, with arguments
//	maildir:///tmp/preview                          a folder, see package maildrop
//	eml:///tmp/preview                              the same, as .eml files
//
// What is not a letter or digit in user or password is percent-encoded.
// Parameters: tls (starttls, implicit, opportunistic, none), server (further ones,
// each as [ParseServer] reads it, separated by commas), name, local-name,
// connections, messages-per-connection, rate (as [ParseRates] reads it), level
// (lock-step, group, look-ahead), insecure-auth (true); socket (a path), proxy (a
// URL, percent-encoded, or environment), local-address (an IP address), pin (keys as
// [smtp.KeyPin] writes them, separated by commas), tls-min (1.2, 1.3; 1.0 and 1.1 by
// explicit choice). Of sendmail: args (divided at spaces), dsn (true), timeout (30s);
// of folders: bare (true), sync (false); of both: name, connections, rate. Errors are
// of type [*URLError].
func ParseURL(s string) (Account, error) {
	if a, ok, err := parseMailerURL(s); ok {
		return a, err
	}
	u, err := url.Parse(s)
	// An @ behind the authority: a password with / ? or # in it was cut there, and
	// its pieces look like a port, a path or parameters.
	if err != nil || strings.ContainsAny(u.Path+u.RawQuery+u.Fragment+u.Opaque, "@") {
		return Account{}, errURLForm
	}
	var a Account
	for _, read := range []func(*Account, *url.URL) error{readScheme, readHost, readUser, readParameters} {
		if err := read(&a, u); err != nil {
			return Account{}, err
		}
	}
	return a, nil
}

var errURLForm = &URLError{Part: "form", Err: errors.New("not a URL like smtps://user@host:465 (percent-encode special characters, above all @ : / ? #)")}

func readScheme(a *Account, u *url.URL) error {
	switch strings.ToLower(u.Scheme) {
	case "smtps":
		a.TLS = smtp.TLSImplicit
	case "smtp":
	case "lmtp":
		a.LMTP = true
	default:
		return &URLError{"scheme", fmt.Errorf("%q is none of smtp, smtps, lmtp, sendmail, maildir and eml", u.Scheme)}
	}
	if u.Path != "" && u.Path != "/" || u.Fragment != "" || u.Opaque != "" {
		return &URLError{"path", errors.New("nothing may follow host and port but ?parameters")}
	}
	return nil
}

func readHost(a *Account, u *url.URL) error {
	a.Host = u.Hostname()
	if a.Host == "" {
		return &URLError{"host", errors.New("missing")}
	}
	if strings.ContainsFunc(a.Host, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return &URLError{"host", fmt.Errorf("%q has a character that no host name has", a.Host)}
	}
	if p := u.Port(); p != "" {
		port, err := strconv.ParseUint(p, 10, 16)
		if err != nil || port == 0 {
			// Not quoted: without a host, "user:password" looks like "host:port".
			return &URLError{"port", errors.New("not a number from 1 to 65535")}
		}
		a.Port = int(port)
	}
	return nil
}

func readUser(a *Account, u *url.URL) error {
	if u.User == nil {
		return nil
	}
	a.Username = u.User.Username()
	a.Password, _ = u.User.Password()
	switch {
	case a.Username == "" && a.Password != "":
		return &URLError{"user", errors.New("a password needs a user name before it")}
	case a.Username == "":
		return &URLError{"user", errors.New("nothing stands before the @")}
	case hasControl(a.Username):
		return &URLError{"user", errControl}
	case hasControl(a.Password):
		return &URLError{"password", errControl}
	}
	return nil
}

var errControl = errors.New("has a control character")

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

func readParameters(a *Account, u *url.URL) error {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return &URLError{"parameters", errors.New("not of the form ?name=value&name=value")}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		read, all := parameters[name], values[name]
		switch {
		case read == nil:
			return &URLError{"parameters", fmt.Errorf("%q is none of %s", name, knownParameters)}
		case len(all) != 1:
			return &URLError{name, errors.New("given more than once")}
		}
		if err := read(a, all[0]); err != nil {
			return &URLError{name, err}
		}
	}
	return nil
}

const knownParameters = "tls, server, name, local-name, connections, messages-per-connection, rate, level, insecure-auth, socket, proxy, local-address, pin, tls-min"

var parameters = map[string]func(a *Account, value string) error{
	"tls":                     readTLS,
	"server":                  readServers,
	"name":                    func(a *Account, v string) error { return readName(&a.Name, v) },
	"local-name":              func(a *Account, v string) error { return readName(&a.LocalName, v) },
	"connections":             func(a *Account, v string) error { return readCount(&a.Limits.Connections, v) },
	"messages-per-connection": func(a *Account, v string) error { return readCount(&a.Limits.MessagesPerConnection, v) },
	"rate":                    readRate,
	"level":                   func(a *Account, v string) error { return a.MaxLevel.UnmarshalText([]byte(v)) },
	"insecure-auth":           readInsecureAuth,
	"socket":                  func(a *Account, v string) error { return readName(&a.Socket, v) },
	"proxy":                   readProxy,
	"local-address":           readLocalAddress,
	"pin":                     readPins,
	"tls-min":                 readTLSMin,
}

func readName(to *string, v string) error {
	if v == "" || hasControl(v) || !utf8.ValidString(v) {
		return fmt.Errorf("%q is no name", v)
	}
	*to = v
	return nil
}

func readInsecureAuth(a *Account, v string) error {
	yes, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", v)
	}
	a.InsecureAuth = yes
	return nil
}

func readTLS(a *Account, v string) error {
	mode, err := tlsMode(v)
	if err != nil {
		return err
	}
	if a.TLS == smtp.TLSImplicit && mode != smtp.TLSImplicit {
		return fmt.Errorf("%q contradicts smtps, which is implicit TLS: write smtp://", v)
	}
	a.TLS = mode
	return nil
}

func readServers(a *Account, v string) error {
	for one := range strings.SplitSeq(v, ",") {
		s, err := ParseServer(one)
		if err != nil {
			return err
		}
		a.Servers = append(a.Servers, s)
	}
	return nil
}

func readCount(to *int, v string) error {
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not a positive number", v)
	}
	*to = int(n)
	return nil
}

func readRate(a *Account, v string) error {
	rates, err := ParseRates(v)
	a.Limits.Rates = rates
	return err
}
