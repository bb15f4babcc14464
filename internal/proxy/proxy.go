package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Proxy is where a proxy is, and its login. It prints without the login.
type Proxy struct {
	scheme         string
	host, port     string
	login          bool
	user, password string
}

// ports are the schemes with their default ports.
var ports = map[string]string{"socks5": "1080", "socks5h": "1080", "http": "80", "https": "443"}

var errForm = errors.New("must be a URL like socks5://host:1080, http://host:3128 or https://host:443, with user:password@ before the host if there is a login (percent-encode special characters)")

// Parse reads the URL of a proxy: socks5, socks5h, http or https, user and password
// if need be, host and port (default 1080, 80 and 443). Its errors never hold the
// password.
func Parse(s string) (*Proxy, error) {
	u, err := url.Parse(s)
	// An @ behind the authority: a password with / ? or # in it was cut there.
	if err != nil || u.Host == "" || u.Opaque != "" || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		return nil, errForm
	}
	scheme := strings.ToLower(u.Scheme)
	port, known := ports[scheme]
	switch {
	case !known:
		return nil, fmt.Errorf("%q is none of socks5, socks5h, http, https", u.Scheme)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("nothing may follow host and port")
	}
	p := &Proxy{scheme: scheme, host: u.Hostname(), port: port}
	if u.Port() != "" {
		p.port = u.Port()
	}
	if u.User != nil {
		p.login, p.user = true, u.User.Username()
		p.password, _ = u.User.Password()
	}
	return p, p.check()
}

func (p *Proxy) check() error {
	if n, err := strconv.ParseUint(p.port, 10, 16); err != nil || n == 0 {
		return errors.New("the port is not a number from 1 to 65535")
	}
	host, err := ASCII(p.host)
	if err != nil {
		return err
	}
	p.host = host
	switch {
	case !p.login:
	case strings.ContainsFunc(p.user+p.password, unicode.IsControl):
		return errors.New("user name or password has a control character")
	case p.user == "":
		return errors.New("no user name stands before the @")
	case p.socks() && (len(p.user) > 255 || len(p.password) > 255):
		return errors.New("user name or password is longer than the 255 octets of SOCKS")
	case !p.socks() && strings.Contains(p.user, ":"):
		return errors.New("the user name has a colon, which HTTP's Basic login cannot carry")
	}
	return nil
}

// SetPassword replaces the password. A URL without a user name is refused.
func SetPassword(s, password string) (string, error) {
	p, err := Parse(s)
	if err != nil {
		return "", err
	}
	if !p.login {
		return "", errors.New("a password needs a user name in the proxy's URL (socks5://user@host:1080)")
	}
	u := url.URL{Scheme: p.scheme, User: url.UserPassword(p.user, password), Host: p.Address()}
	_, err = Parse(u.String())
	return u.String(), err
}

// HasPassword reports whether the URL of a proxy holds a password.
func HasPassword(s string) bool {
	p, err := Parse(s)
	return err == nil && p.password != ""
}

// Address is host:port of the proxy.
func (p *Proxy) Address() string { return net.JoinHostPort(p.host, p.port) }

// String is scheme, host and port.
func (p *Proxy) String() string { return p.scheme + "://" + p.Address() }

// Format writes String, whatever the verb.
func (p Proxy) Format(f fmt.State, _ rune) { fmt.Fprint(f, p.String()) }

func (p *Proxy) socks() bool { return strings.HasPrefix(p.scheme, "socks") }

// secrets are what no error may show.
func (p *Proxy) secrets() []string {
	all := []string{p.password, p.basic(), url.QueryEscape(p.password)}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}
