package oauth

import (
	"net/url"
	"slices"
	"strings"
)

// Provider is an authorization server that is known.
type Provider struct {
	Name   string // "google"
	Title  string // "Google"
	Scopes []string
	Flows  []Flow

	clientScopes                            []string // of FlowClientCredentials, where they differ
	authURL, tokenURL, deviceURL, revokeURL string   // {tenant} stands for the tenant
	// redirectHost is how the loopback address is called in redirect URIs. Microsoft
	// compares the port of all but localhost.
	redirectHost string
	authParams   map[string]string
}

// tenantMark is where the tenant goes in a URL.
const tenantMark = "{tenant}"

// providers: Google's endpoints are those of accounts.google.com/.well-known/openid-configuration
// and its scope is that of developers.google.com/workspace/gmail/imap/xoauth2-protocol;
// Microsoft's are those of learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth.
var providers = []Provider{
	{Name: "google", Title: "Google", Scopes: []string{"https://mail.google.com/"},
		// The device flow exists, but not for scopes of mail
		// (developers.google.com/identity/protocols/oauth2/limited-input-device#allowedscopes).
		Flows:   []Flow{FlowCode, FlowServiceAccount},
		authURL: "https://accounts.google.com/o/oauth2/v2/auth", tokenURL: "https://oauth2.googleapis.com/token",
		revokeURL: "https://oauth2.googleapis.com/revoke", redirectHost: "127.0.0.1",
		// Without these there is no refresh token, or only at the first consent.
		authParams: map[string]string{"access_type": "offline", "prompt": "consent"}},
	{Name: "microsoft", Title: "Microsoft", Scopes: []string{"https://outlook.office.com/SMTP.Send", "offline_access"},
		Flows:        []Flow{FlowCode, FlowDevice, FlowClientCredentials},
		clientScopes: []string{"https://outlook.office365.com/.default"},
		authURL:      "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
		tokenURL:     "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
		deviceURL:    "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode", redirectHost: "localhost"},
}

// Providers returns those that are known, by name.
func Providers() []Provider { return slices.Clone(providers) }

// LookupProvider finds one by its name.
func LookupProvider(name string) (Provider, bool) {
	i := slices.IndexFunc(providers, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, false
	}
	return providers[i], true
}

// provider is empty where there is none.
func (c *Config) provider() Provider {
	p, _ := LookupProvider(c.Provider)
	return p
}

// fromProvider fills in what is not given.
func (c *Config) fromProvider() error {
	if c.Provider == "" {
		return nil
	}
	p, ok := LookupProvider(c.Provider)
	if !ok {
		return wrong("provider", "%q is neither google nor microsoft: leave it out, and give auth_url and token_url", c.Provider)
	}
	if err := c.checkFlow(&p); err != nil {
		return err
	}
	if err := c.fillTenant(&p); err != nil {
		return err
	}
	if len(c.Scopes) == 0 {
		c.Scopes = p.Scopes
		if c.Flow == FlowClientCredentials {
			c.Scopes = p.clientScopes
		}
	}
	if c.ClientAuth == "" {
		c.ClientAuth = AuthPost
	}
	return nil
}

// checkFlow lets settings of one's own have their way.
func (c *Config) checkFlow(p *Provider) error {
	switch {
	case slices.Contains(p.Flows, c.Flow), c.TokenURL != "":
		return nil
	case c.Provider == "google" && c.Flow == FlowDevice:
		return wrong("flow", "Google permits no mail with the device flow: use code (on a machine without a browser: --no-browser, and --port behind ssh -L), or service-account")
	case c.Provider == "google":
		return wrong("flow", "Google has no %s: use service-account", c.Flow)
	}
	return wrong("flow", "%s has no %s: use one of code, device, client-credentials", p.Title, c.Flow)
}

func (c *Config) fillTenant(p *Provider) error {
	tenant := c.Tenant
	switch {
	case !strings.Contains(p.tokenURL, tenantMark):
		if tenant != "" {
			return wrong("tenant", "is for microsoft only")
		}
	case strings.ContainsAny(tenant, "/?# "):
		return wrong("tenant", "is neither the id of a tenant nor a domain")
	case tenant == "" && c.Flow == FlowClientCredentials && c.TokenURL == "":
		return wrong("tenant", "missing: client-credentials needs the tenant, its id or a domain of it")
	case tenant == "":
		tenant = "common"
	}
	for _, u := range []struct {
		to   *string
		from string
	}{{&c.AuthURL, p.authURL}, {&c.TokenURL, p.tokenURL}, {&c.DeviceURL, p.deviceURL}, {&c.RevokeURL, p.revokeURL}} {
		if *u.to == "" {
			*u.to = strings.ReplaceAll(u.from, tenantMark, url.PathEscape(tenant))
		}
	}
	return nil
}
