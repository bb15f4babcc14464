package kaizen

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

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
//
// What is not a letter or digit in user or password is percent-encoded.
// Parameters: tls (starttls, implicit, opportunistic, none), name, local-name,
// connections, messages-per-connection, rate (as "10/1s", or "none"), level,
// insecure-auth (true). Errors are of type [*URLError].
func ParseURL(s string) (Account, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Account{}, &URLError{Part: "form", Err: errors.New("not a URL like smtps://user@host:465 (percent-encode special characters in user and password)")}
	}
	var a Account
	for _, read := range []func(*Account, *url.URL) error{readScheme, readHost, readUser, readParameters} {
		if err := read(&a, u); err != nil {
			return Account{}, err
		}
	}
	return a, nil
}

func readScheme(a *Account, u *url.URL) error {
	switch strings.ToLower(u.Scheme) {
	case "smtps":
		a.TLS = smtp.TLSImplicit
	case "smtp":
	default:
		return &URLError{"scheme", fmt.Errorf("%q is neither smtp nor smtps", u.Scheme)}
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
			return &URLError{"port", fmt.Errorf("%q is not a number from 1 to 65535", p)}
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
	if a.Username == "" {
		return &URLError{"user", errors.New("a password needs a user name before it")}
	}
	return nil
}

func readParameters(a *Account, u *url.URL) error {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return &URLError{"parameters", errors.New("not of the form ?name=value&name=value")}
	}
	for name, all := range values {
		read := parameters[name]
		if read == nil {
			return &URLError{name, fmt.Errorf("unknown parameter (known: %s)", knownParameters)}
		}
		if len(all) != 1 {
			return &URLError{name, errors.New("given more than once")}
		}
		if err := read(a, all[0]); err != nil {
			return &URLError{name, err}
		}
	}
	return nil
}

const knownParameters = "tls, name, local-name, connections, messages-per-connection, rate, level, insecure-auth"

var parameters = map[string]func(a *Account, value string) error{
	"tls":                     readTLS,
	"name":                    func(a *Account, v string) error { a.Name = v; return nil },
	"local-name":              func(a *Account, v string) error { a.LocalName = v; return nil },
	"connections":             func(a *Account, v string) error { return readCount(&a.Limits.Connections, v) },
	"messages-per-connection": func(a *Account, v string) error { return readCount(&a.Limits.MessagesPerConnection, v) },
	"rate":                    readRate,
	"level":                   func(a *Account, v string) error { return a.MaxLevel.UnmarshalText([]byte(v)) },
	"insecure-auth": func(a *Account, v string) (err error) {
		a.InsecureAuth, err = strconv.ParseBool(v)
		return err
	},
}

func readTLS(a *Account, v string) error {
	modes := map[string]smtp.TLSMode{"starttls": smtp.TLSStartTLS, "implicit": smtp.TLSImplicit,
		"opportunistic": smtp.TLSOpportunistic, "none": smtp.TLSNone}
	mode, ok := modes[v]
	if !ok {
		return fmt.Errorf("%q is none of starttls, implicit, opportunistic, none", v)
	}
	if a.TLS == smtp.TLSImplicit && mode != smtp.TLSImplicit {
		return fmt.Errorf("%q contradicts smtps, which is implicit TLS: write smtp://", v)
	}
	a.TLS = mode
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

// ParseRates reads rates as "10/1s", "30/1m,10000/24h" or "none".
func ParseRates(s string) ([]Rate, error) {
	rates := NoRate()
	if s == "none" {
		return rates, nil
	}
	for _, one := range strings.Split(s, ",") {
		count, per, _ := strings.Cut(one, "/")
		n, err := strconv.Atoi(count)
		d, err2 := time.ParseDuration(per)
		if err != nil || err2 != nil || n <= 0 || d <= 0 {
			return nil, fmt.Errorf("%q is not a rate like 10/1s, or none", one)
		}
		rates = append(rates, Rate{Count: n, Per: d})
	}
	return rates, nil
}
