package proxy

import (
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Environment, in place of a URL, takes the proxy from the environment.
const Environment = "environment"

// For is the proxy on the way to target (host:port); nil for none. The setting is a
// URL, "", or [Environment]: then it is that of the variable ALL_PROXY, else
// HTTPS_PROXY, unless NO_PROXY names the target as in
// golang.org/x/net/http/httpproxy; localhost and addresses of the loopback
// interface are never proxied then. Each variable may be written in lower case; in
// upper case it goes first. A value without a scheme is an HTTP proxy.
func For(setting, target string, getenv func(string) string) (*Proxy, error) {
	switch setting {
	case "":
		return nil, nil
	case Environment:
		return fromEnvironment(target, getenv)
	}
	return Parse(setting)
}

// Check reports what is wrong with a setting. Its errors never hold the password.
func Check(setting string) error {
	if setting == "" || setting == Environment {
		return nil
	}
	_, err := Parse(setting)
	return err
}

func fromEnvironment(target string, getenv func(string) string) (*Proxy, error) {
	name, value := variable(getenv, "ALL_PROXY", "HTTPS_PROXY")
	_, not := variable(getenv, "NO_PROXY")
	if value == "" || exempt(target, not) {
		return nil, nil
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	p, err := Parse(value)
	if err != nil {
		return nil, fmt.Errorf("variable %s: %w", name, err)
	}
	return p, nil
}

func variable(getenv func(string) string, names ...string) (name, value string) {
	for _, upper := range names {
		for _, name := range []string{upper, strings.ToLower(upper)} {
			if value := getenv(name); value != "" {
				return name, value
			}
		}
	}
	return "", ""
}

// exempt asks the library about the target alone: its errors would quote the
// proxy's URL.
func exempt(target, not string) bool {
	config := httpproxy.Config{HTTPSProxy: "http://proxy.invalid", NoProxy: not}
	found, err := config.ProxyFunc()(&url.URL{Scheme: "https", Host: target})
	return err == nil && found == nil
}
