package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/smtp"
)

// takeServer takes the server that --provider and --server name. Together, the
// provider says what the URL does not.
func (c *accountAdd) takeServer() error {
	if c.provider != "" {
		p, err := accounts.FindPreset(c.provider)
		if err != nil {
			return fmt.Errorf("--provider: %w ('kaizen account providers' lists all)", err)
		}
		c.take(p)
	}
	if c.server == "" {
		return nil
	}
	a, err := kaizen.ParseURL(c.server)
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	if a.Password != "" {
		c.app.warn("others on this machine can see the password in --server; --password-stdin hides it")
	}
	return c.takeURL(a)
}

// findServer goes by what is known of the address, unless the command line names
// the server, and at last by what a person says.
func (c *accountAdd) findServer(ctx context.Context) error {
	if err := c.takeWay(); err != nil {
		return err
	}
	if c.provider == "" && c.server == "" {
		return c.discover(ctx)
	}
	return nil
}

func (c *accountAdd) take(p *accounts.Preset) { c.preset, c.entry.Provider = p, p.Name }

func (c *accountAdd) takeURL(a kaizen.Account) error {
	e := &c.entry
	if a.Mailer != nil {
		if c.provider != "" {
			return errors.New("--provider or a --server that is none, not both")
		}
		if err := e.SetMailer(a.Mailer); err != nil {
			return fmt.Errorf("--server: %w", err)
		}
	}
	e.Host, e.Port, e.LMTP, e.TLS, e.Username, e.LocalName = a.Host, a.Port, a.LMTP, a.TLS, a.Username, a.LocalName
	for _, s := range a.Servers {
		e.Servers = append(e.Servers, s.String())
	}
	e.InsecureAuth, e.Level, c.secret = a.InsecureAuth, a.MaxLevel, a.Password
	e.Connections, e.MessagesPerConnection = a.Limits.Connections, a.Limits.MessagesPerConnection
	if a.Limits.Rates != nil {
		e.Rates = rateTexts(a.Limits.Rates)
	}
	e.Socket, e.Proxy, e.LocalAddress, e.PinnedKeys = a.Socket, a.Proxy, a.LocalAddress, a.PinnedKeys
	e.TLSMin = tlsMinOf(a.TLSConfig)
	if c.name == "" {
		c.name = a.Name
	}
	return nil
}

// rateTexts writes rates as kaizen.ParseRates reads them.
func rateTexts(rates []kaizen.Rate) []string {
	if len(rates) == 0 {
		return []string{"none"}
	}
	texts := make([]string, len(rates))
	for i, r := range rates {
		texts[i] = r.String()
	}
	return texts
}

// takeWay takes how the server is to be reached.
func (c *accountAdd) takeWay() (err error) {
	n := 0
	for _, given := range []string{c.proxySecret.env, c.proxySecret.file, c.proxySecret.command} {
		if given != "" {
			n++
		}
	}
	if n > 1 {
		return misuse(c.cmd, errors.New("the proxy's password comes from one place: give one of --proxy-password-env, --proxy-password-file and --proxy-password-command"))
	}
	if c.entry.ProxySecret, err = c.proxySecret.source(); err != nil {
		return err
	}
	// That of --server may hold a password, which no file takes.
	if err := c.entry.Set("proxy", c.entry.Proxy); err != nil {
		return misuse(c.cmd, fmt.Errorf("--server: proxy: %w", causeOf(err)))
	}
	return c.keep(&c.entry)
}

// discover looks for the server of the address's domain.
func (c *accountAdd) discover(ctx context.Context) error {
	if _, known := accounts.PresetForAddress(c.address); !known && c.person != nil {
		c.person.say("Looking for the mail server of %s …", domainPart(c.address))
	}
	found, err := accounts.Discover(ctx, c.address, accounts.DiscoverOptions{Resolver: c.app.resolver})
	if err != nil {
		return err
	}
	for _, failure := range found.Failures {
		c.app.warn("%v", failure)
	}
	if len(found.Candidates) > 0 {
		taken, err := c.consider(ctx, found.Candidates[0])
		if taken || err != nil {
			return err
		}
	}
	return c.askServer(ctx, found)
}

// consider takes a server that was found, if a person agrees where one has to.
func (c *accountAdd) consider(ctx context.Context, found accounts.Candidate) (taken bool, err error) {
	server := net.JoinHostPort(found.Host, strconv.Itoa(found.Port))
	taken = true
	switch {
	case found.Origin == accounts.OriginDomain:
		c.tell("%s: %s, %s.", found.Preset.Title, server, security(smtp.Config{Port: found.Port, TLS: found.TLS}))
	case c.yes:
	case found.Foreign && c.person == nil:
		return false, misuse(c.cmd, fmt.Errorf("DNS names the server %s, which is not of the domain %s: if it is yours, give --yes, or --server", server, domainPart(c.address)))
	case found.Foreign:
		c.person.say("DNS names the server %s, which is not of the domain %s: your password would go there.", server, domainPart(c.address))
		taken, err = c.person.confirm(ctx, "Is that your provider's?", false)
	case c.person != nil && found.Origin == accounts.OriginMX:
		taken, err = c.person.confirm(ctx, fmt.Sprintf("The mail of %s is with %s (%s). Send through it?", domainPart(c.address), found.Preset.Title, server), true)
	case c.person != nil:
		taken, err = c.person.confirm(ctx, fmt.Sprintf("%s names the server %s. Use it?", domainPart(c.address), server), true)
	}
	if !taken || err != nil {
		return false, err
	}
	if found.Preset != nil {
		c.take(found.Preset)
	} else {
		c.entry.Host, c.entry.Port, c.entry.TLS = found.Host, found.Port, found.TLS
	}
	return true, nil
}

func (c *accountAdd) tell(format string, values ...any) {
	if c.person != nil {
		c.person.say(format, values...)
	}
}

// askServer asks a person, who may know the provider's name or the server's.
func (c *accountAdd) askServer(ctx context.Context, found accounts.Discovery) error {
	unknown := "no server is known for " + found.Domain
	if found.NotOffered {
		unknown = found.Domain + " publishes that it takes no mail from programs"
	}
	if c.person == nil {
		return misuse(c.cmd, errors.New(unknown+": give --provider NAME or --server URL"))
	}
	if found.NotOffered {
		c.person.say("%s.", unknown)
	}
	c.person.say("Which provider is it? Its name, or the server (smtp.example.com, smtps://…).")
	for {
		answer, err := c.person.ask(ctx, "Provider or server: ")
		if err != nil {
			return err
		}
		if answer == "" {
			return withCode(exitConfig, errors.New("no server given; nothing was saved"))
		}
		if err = c.understand(answer); err == nil {
			return nil
		}
		c.person.say("%v", err)
	}
}

// understand takes the name of a provider, of a server, or a URL.
func (c *accountAdd) understand(answer string) error {
	p, err := accounts.FindPreset(answer)
	if err == nil {
		c.take(p)
		return nil
	}
	if !strings.Contains(answer, "://") {
		if !strings.ContainsAny(answer, ".:") {
			return err // the name of a provider, nearly
		}
		answer = "smtp://" + answer
	}
	a, err := kaizen.ParseURL(answer)
	if err != nil {
		return err
	}
	return c.takeURL(a)
}

// explain says what a person must know before the login.
func (c *accountAdd) explain(ctx context.Context) error {
	p := c.preset
	switch {
	case c.oauth, p != nil && p.OAuth && p.OAuthProvider != "" && !c.given():
		return c.chooseOAuth()
	case p == nil:
		return nil
	case p.OAuth:
		return c.explainOAuth(ctx)
	}
	if p.Hint != "" {
		c.tell("%s", p.Hint)
	}
	if p.HelpURL != "" {
		c.tell("%s", p.HelpURL)
	}
	return nil
}

// explainOAuth leaves a way on: the provider may have changed its mind.
func (c *accountAdd) explainOAuth(ctx context.Context) error {
	needs := fmt.Sprintf("%s takes no password, but OAuth 2", c.preset.Title)
	if c.person == nil {
		if c.noVerify || c.server != "" {
			return nil
		}
		return withCode(exitConfig, fmt.Errorf("%s: leave the password out. If it takes one for you all the same, name the server: --server smtp://%s:%d", needs, c.preset.Host, c.preset.Port))
	}
	c.person.say("%s.", needs)
	c.person.say("%s", cmp.Or(c.preset.Hint, "Use an app password if the provider permits one."))
	goOn, err := c.person.confirm(ctx, "Try with a password?", false)
	if err == nil && !goOn {
		err = withCode(exitConfig, fmt.Errorf("%s; nothing was saved", needs))
	}
	return err
}

// findUsername leaves out what the provider's preset says anyway.
func (c *accountAdd) findUsername(ctx context.Context) (err error) {
	if c.mailer() != "" {
		if c.username != "" || c.source != (secretFlags{}) {
			return misuse(c.cmd, fmt.Errorf("%s needs no login: leave user name and password out", c.mailer()))
		}
		return nil
	}
	if c.username != "" {
		c.entry.Username = c.username
	}
	if c.entry.Username != "" || c.knowsUsername() {
		return nil
	}
	if c.preset == nil {
		return c.findOwnUsername(ctx)
	}
	if c.person == nil {
		return misuse(c.cmd, fmt.Errorf("%s hands out a user name: give --username", c.preset.Title))
	}
	question := "User name at " + c.preset.Title
	for c.entry.Username == "" {
		if c.entry.Username, err = c.person.askOr(ctx, question, c.preset.UsernameFor(c.address)); err != nil {
			return err
		}
	}
	return nil
}

// knowsUsername reports whether the preset makes the user name of what we have.
func (c *accountAdd) knowsUsername() bool {
	if c.preset == nil {
		return false
	}
	switch c.preset.Username {
	case accounts.UsernameNone, accounts.UsernameToken:
		return true
	}
	return c.preset.UsernameFor(c.address) != ""
}

// findOwnUsername is for a server that nothing is known about. Without a person
// the URL is complete: no user name, no login.
func (c *accountAdd) findOwnUsername(ctx context.Context) error {
	if c.person == nil {
		if c.given() || c.server == "" {
			c.entry.Username = c.address
		}
		return nil
	}
	answer, err := c.person.askOr(ctx, "User name, or - for no login", c.address)
	if answer != "-" {
		c.entry.Username = answer
	}
	return err
}

// shortName is what the account may be called, after its provider or domain.
func (c *accountAdd) shortName() string {
	if c.preset != nil {
		return c.preset.Name
	}
	if domain := domainPart(c.address); domain != "" {
		name, _, _ := strings.Cut(domain, ".")
		return name
	}
	return cmp.Or(c.mailer(), c.entry.Host)
}

// mailer is what the entry has in place of a server: "sendmail", "maildir", "eml",
// or "".
func (c *accountAdd) mailer() string {
	switch e := &c.entry; {
	case len(e.Sendmail) > 0:
		return "sendmail"
	case e.Maildir != "":
		return "maildir"
	case e.EML != "":
		return "eml"
	}
	return ""
}

func domainPart(address string) string {
	_, domain, _ := strings.Cut(address, "@")
	return domain
}

func isAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(domain, "@/ ")
}
