package main

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// serverReport is what verify found. What was not reached is absent.
type serverReport struct {
	Server      string             `json:"server"`
	LMTP        bool               `json:"lmtp,omitempty"`
	Security    string             `json:"security"`
	Attempts    []attempt          `json:"attempts,omitempty"`
	Proxy       string             `json:"proxy,omitempty"` // on the way, without its login
	Answered    string             `json:"answered,omitempty"`
	TLS         *tlsReport         `json:"tls,omitempty"`
	Certificate *certificateReport `json:"certificate,omitempty"`
	Greeting    string             `json:"greeting,omitempty"`
	Extensions  []string           `json:"extensions,omitempty"` // with their parameters
	Session     *sessionReport     `json:"session,omitempty"`
	Error       *failure           `json:"error,omitempty"`
	Others      []*serverReport    `json:"others,omitempty"` // further servers of the account
}

type tlsReport struct {
	Version string `json:"version"`
	Cipher  string `json:"cipher"`
	Resumed bool   `json:"resumed"`
}

type certificateReport struct {
	Subject    string    `json:"subject"`
	Names      []string  `json:"names"`
	Issuer     string    `json:"issuer"`
	ValidFrom  time.Time `json:"valid_from"`
	ValidUntil time.Time `json:"valid_until"`
	DaysLeft   int       `json:"days_left"` // whole days; negative once it has expired
	Verified   bool      `json:"verified"`  // its chain leads to a trusted root, and it is for this host
	Pin        string    `json:"pin"`       // of its key
}

// sessionReport is about a connection that was established.
type sessionReport struct {
	Mechanisms []string    `json:"mechanisms,omitempty"` // that the server offers
	Login      string      `json:"login,omitempty"`      // the one that worked
	User       string      `json:"user,omitempty"`
	MaxSize    int64       `json:"max_size,omitempty"` // octets
	Limits     smtp.Limits `json:"limits,omitzero"`
	Sending    string      `json:"sending"`
	RoundTrips int         `json:"round_trips"`
	Times      []phaseTime `json:"times"`
}

type phaseTime struct {
	Phase        string  `json:"phase"`
	Milliseconds float64 `json:"milliseconds"`
}

func newCertificateReport(c *x509.Certificate, verified bool, now time.Time) *certificateReport {
	r := &certificateReport{Subject: printable(c.Subject.String()), Issuer: printable(c.Issuer.String()),
		ValidFrom: c.NotBefore, ValidUntil: c.NotAfter, Verified: verified}
	r.Pin = smtp.KeyPin(c)
	r.DaysLeft = int(c.NotAfter.Sub(now) / (24 * time.Hour))
	for _, name := range c.DNSNames {
		r.Names = append(r.Names, printable(name))
	}
	for _, ip := range c.IPAddresses {
		r.Names = append(r.Names, ip.String())
	}
	return r
}

// printable disarms what would drive a terminal: a certificate that nobody
// vouches for is shown too.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// fill adds what a connection tells.
func (r *serverReport) fill(conn *smtp.Conn, config smtp.Config) {
	info, caps := conn.Info(), conn.Capabilities()
	r.Answered, r.Proxy = info.RemoteAddr, info.Proxy
	s := &sessionReport{Mechanisms: caps.Auth, Login: info.Mechanism, MaxSize: caps.MaxSize, Limits: caps.Limits,
		Sending: sendingLevel(conn, config.MaxLevel), RoundTrips: info.RoundTrips}
	if config.Auth != nil {
		s.User = shownUser(config.Auth)
	}
	for _, p := range []struct {
		phase string
		took  time.Duration
	}{{"connect", info.ConnectTime}, {"TLS", info.TLSTime}, {"greeting", info.GreetingTime},
		{"hello", info.HelloTime}, {"login", info.AuthTime}} {
		if p.took > 0 {
			s.Times = append(s.Times, phaseTime{p.phase, float64(p.took.Microseconds()) / 1000})
		}
	}
	r.Session = s
}

// shownUser is the user name, unless it is the secret itself, as with services
// that take a token as both.
func shownUser(a *smtp.Auth) string {
	if a.Username != "" && a.Username == a.Password {
		return "the token"
	}
	return a.Username
}

// printReport writes the report for people: what it says first stands first.
func (a *app) printReport(r *serverReport) {
	row := func(name, format string, values ...any) {
		fmt.Fprintf(a.stdout, "%-12s %s\n", name, fmt.Sprintf(format, values...))
	}
	row("Server", "%s (%s)", r.Server, r.Security)
	for _, t := range r.Attempts {
		if t.Error != "" {
			row("Tried", "%s: %s", t.Address, a.bad(t.Error))
		} else {
			row("Tried", "%s: connected", t.Address)
		}
	}
	switch {
	case r.Proxy != "":
		row("Answered", "%s, through the proxy %s", r.Answered, r.Proxy)
	case r.Answered != "":
		row("Answered", "%s", r.Answered)
	}
	if r.TLS != nil {
		row("Encrypted", "%s, %s%s", r.TLS.Version, r.TLS.Cipher, map[bool]string{true: ", resumed"}[r.TLS.Resumed])
	}
	a.printCertificate(r.Certificate, row)
	if r.Greeting != "" {
		row("Greeting", "%s", r.Greeting)
	}
	for i, line := range r.Extensions {
		row([]string{"Extensions", ""}[min(i, 1)], "%s", line)
	}
	a.printSession(r.Session, row)
	if r.Error == nil {
		row("Result", "%s", a.paint(a.stdout, "32", "ready to send"))
		return
	}
	row("Result", "%s", a.bad("failed at "+r.Error.phase()))
}

func (a *app) printCertificate(c *certificateReport, row func(name, format string, values ...any)) {
	if c == nil {
		return
	}
	row("Certificate", "%s, for %s", c.Subject, strings.Join(c.Names, ", "))
	row("", "issued by %s", c.Issuer)
	row("", "pin %s", c.Pin)
	left := fmt.Sprintf("%d days left", c.DaysLeft)
	if c.DaysLeft < 14 {
		left = a.bad(left)
	}
	row("", "valid until %s (%s)", c.ValidUntil.Format(time.DateOnly), left)
	if c.Verified {
		row("", "trusted")
	} else {
		row("", "%s", a.bad("not trusted"))
	}
}

func (a *app) printSession(s *sessionReport, row func(name, format string, values ...any)) {
	if s == nil {
		return
	}
	if s.MaxSize > 0 {
		row("Size limit", "%s (%d octets)", octets(s.MaxSize), s.MaxSize)
	}
	printLimit := func(n int, what string) {
		if n > 0 {
			row("Limit", "%d %s", n, what)
		}
	}
	printLimit(s.Limits.MailMax, "messages on a connection")
	printLimit(s.Limits.RcptMax, "recipients of a message")
	printLimit(s.Limits.RcptDomainMax, "recipient domains on a connection")
	row("Login", "%s", s.login())
	row("Sending", "%s", s.Sending)
	times := make([]string, len(s.Times))
	for i, t := range s.Times {
		times[i] = fmt.Sprintf("%s %.1f ms", t.Phase, t.Milliseconds)
	}
	row("Time", "%s; %d round trips", strings.Join(times, ", "), s.RoundTrips)
}

func (s *sessionReport) login() string {
	offered := "the server offers none"
	if len(s.Mechanisms) > 0 {
		offered = "offered: " + strings.Join(s.Mechanisms, " ")
	}
	switch {
	case s.Login != "":
		return fmt.Sprintf("%s as %s (%s)", s.Login, s.User, offered)
	case s.User != "":
		return fmt.Sprintf("failed as %s (%s)", s.User, offered)
	}
	return "none, for there is no user name (" + offered + ")"
}

func (a *app) bad(text string) string { return a.paint(a.stdout, "31", text) }
