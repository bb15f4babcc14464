package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Flow is how the first token is got.
type Flow string

// The flows.
const (
	FlowCode              Flow = "code"               // a person consents in a browser (RFC 6749 §4.1, RFC 7636, RFC 8252)
	FlowDevice            Flow = "device"             // a person consents on another device (RFC 8628)
	FlowClientCredentials Flow = "client-credentials" // the program is trusted by itself (RFC 6749 §4.4)
	FlowServiceAccount    Flow = "service-account"    // a signed assertion (RFC 7523), Google's service accounts
)

// Flows returns all of them.
func Flows() []Flow {
	return []Flow{FlowCode, FlowDevice, FlowClientCredentials, FlowServiceAccount}
}

// Interactive reports whether a person has to consent.
func (f Flow) Interactive() bool { return f == FlowCode || f == FlowDevice || f == "" }

// ClientAuth is how a client with a secret proves who it is (RFC 6749 §2.3.1).
type ClientAuth string

// The ways.
const (
	AuthBasic ClientAuth = "basic" // in the header, as every server must take it
	AuthPost  ClientAuth = "post"  // in the request's body
)

// Config says who asks for tokens, whom and how. It prints without its secrets and
// is not changed once it is in use. It is safe to copy.
type Config struct {
	// Provider is "google", "microsoft" or empty: then the URLs are required that the
	// flow needs. What a provider's are can be replaced.
	Provider string
	Flow     Flow // default FlowCode

	ClientID     string // of your own registration; not needed for a service account
	ClientSecret string // none for public clients
	// Tenant is the organisation at Microsoft, as its id or a domain. Default
	// "common": any account; FlowClientCredentials needs one.
	Tenant string
	Scopes []string // default: the provider's for sending mail

	AuthURL, TokenURL, DeviceURL, RevokeURL string // https, or http on this machine

	ClientAuth ClientAuth // default AuthBasic; with a Provider AuthPost

	// Key is the JSON file of a service account, and Subject the user in whose name it
	// acts, mostly the mail address.
	Key     []byte
	Subject string

	// HTTP sends the requests. Redirections are never followed, whatever it says:
	// they would take secrets along. Default: one with the system's proxy settings.
	HTTP *http.Client
}

// Complete fills in what the provider says, and checks that the flow has all it
// needs. Errors are of type [*ConfigError].
func (c Config) Complete() (Config, error) {
	if c.Flow == "" {
		c.Flow = FlowCode
	}
	if !slices.Contains(Flows(), c.Flow) {
		return c, wrong("flow", "%q is none of code, device, client-credentials, service-account", c.Flow)
	}
	if err := c.fromProvider(); err != nil {
		return c, err
	}
	if c.ClientAuth == "" {
		c.ClientAuth = AuthBasic
	}
	if c.ClientAuth != AuthBasic && c.ClientAuth != AuthPost {
		return c, wrong("client_auth", "%q is neither basic nor post", c.ClientAuth)
	}
	if err := c.fromKey(); err != nil {
		return c, err
	}
	return c, errors.Join(c.checkURLs(), c.checkClient())
}

func (c *Config) checkURLs() error {
	needed := map[string]bool{"token_url": true, "auth_url": c.Flow == FlowCode, "device_url": c.Flow == FlowDevice}
	for _, u := range []struct{ key, url string }{
		{"auth_url", c.AuthURL}, {"token_url", c.TokenURL}, {"device_url", c.DeviceURL}, {"revoke_url", c.RevokeURL},
	} {
		switch {
		case u.url != "":
			if err := checkURL(u.key, u.url); err != nil {
				return err
			}
		case needed[u.key] && c.Provider == "":
			return wrong(u.key, "missing: give it, or a provider (google, microsoft)")
		case needed[u.key]:
			return wrong(u.key, "missing")
		}
	}
	return nil
}

// checkURL does not repeat what it refuses: it may have a password in it.
func checkURL(key, raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "":
		return wrong(key, "is no URL like https://login.example.com/token")
	case u.User != nil:
		return wrong(key, "must not have a user name or password in it")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return wrong(key, "must begin with https://: tokens would be readable on the way")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Config) checkClient() error {
	switch {
	case c.Flow != FlowServiceAccount && c.ClientID == "":
		return &ConfigError{Key: "client_id", Err: ErrNoClient}
	case c.Flow == FlowClientCredentials && c.ClientSecret == "":
		return wrong("client_secret", "missing: client-credentials needs the client's secret")
	case c.Flow == FlowServiceAccount && len(c.Key) == 0:
		return wrong("key_file", "missing: a service account needs its key, a JSON file")
	}
	return nil
}

// ConfigError says what of a [Config] cannot be. It holds no secret.
type ConfigError struct {
	Key string // as in accounts files, without "oauth.": "client_id", "tenant"
	Err error
}

// Error names the key.
func (e *ConfigError) Error() string { return "oauth." + e.Key + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// ErrNoClient is the cause if there is no client id.
var ErrNoClient = errors.New("missing: register a client of your own with the provider (docs/oauth.md says how), and give its id")

func wrong(key, format string, values ...any) error {
	return &ConfigError{Key: key, Err: fmt.Errorf(format, values...)}
}

// shown is what may be seen of a Config.
type shownConfig struct {
	Provider string   `json:"provider,omitempty"`
	Flow     Flow     `json:"flow,omitempty"`
	ClientID string   `json:"client_id,omitempty"`
	Tenant   string   `json:"tenant,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
	TokenURL string   `json:"token_url,omitempty"`
}

// Format writes the settings without their secrets, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "OAuth 2 client %s (%s)", strings.TrimSpace(c.Provider+" "+c.ClientID), c.Flow)
}

// LogValue logs the settings without their secrets.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON writes the settings without their secrets.
func (c Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(shownConfig{c.Provider, c.Flow, c.ClientID, c.Tenant, c.Scopes, c.TokenURL})
}
