package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/internal/proxy"
)

const secret = "tunnel-heron-4"

func TestParse(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"socks5://relay":                        "socks5://relay:1080",
		"SOCKS5h://relay:99":                    "socks5h://relay:99",
		"http://10.0.0.1":                       "http://10.0.0.1:80",
		"https://[2001:db8::1]":                 "https://[2001:db8::1]:443",
		"http://ann:" + secret + "@relay:3128/": "http://relay:3128",
		"socks5://ann%40a.test:a%2Fb@bücher.de": "socks5://xn--bcher-kva.de:1080",
	} {
		p, err := proxy.Parse(url)
		if err != nil || p.String() != want {
			t.Errorf("%s: %v, %v", url, p, err)
		}
	}
}

// Whatever is wrong with it, an error does not quote what may be a password.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "relay:1080", "ftp://u:" + secret + "@h", "socks4://h", "socks5://", "socks5://h:0", "socks5://h:99999", "socks5://h:x" + secret,
		"http://u:" + secret + "/x@h", "http://u:" + secret + "#x@h", "http://u:" + secret + "?x@h", "http://h/path", "http://h?q=1", "http://h#f",
		"http://:" + secret + "@h", "http://u%0d%0a:" + secret + "@h", "http://u:" + secret + "%0a@h", "http://a%3Ab:" + secret + "@h",
		"socks5://u:" + secret + strings.Repeat("x", 256) + "@h", "http://u:%zz" + secret + "@h", "http://h\r\n:80", "http:u:" + secret + "@h",
	} {
		p, err := proxy.Parse(url)
		if err == nil {
			t.Errorf("%q was taken as %v", url, p)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestProxiesPrintWithoutTheirLogin(t *testing.T) {
	t.Parallel()
	p, err := proxy.Parse("socks5://ann:" + secret + "@relay")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%v %+v %#v %s %q %x %v %+v", p, p, p, p, p, p, *p, struct{ P *proxy.Proxy }{p})
	if strings.Contains(text, secret) || strings.Contains(text, "ann") || strings.Contains(text, fmt.Sprintf("%x", secret)) {
		t.Error(text)
	}
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	for _, password := range []string{secret, "a b/c?d#e@f:g%h", "ä", ""} {
		url, err := proxy.SetPassword("http://ann:old@relay:3128", password)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := proxy.Parse(url); err != nil || again.String() != "http://relay:3128" || proxy.HasPassword(url) != (password != "") {
			t.Errorf("%q: %v, %v", password, again, err)
		}
	}
	for _, url := range []string{"http://relay", proxy.Environment, ""} {
		if _, err := proxy.SetPassword(url, secret); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	const target = "mail.example.com:587"
	for name, test := range map[string]struct {
		setting, target, want string
		variables             map[string]string
	}{
		"none, whatever the environment says": {"", target, "", map[string]string{"ALL_PROXY": "socks5://h"}},
		"one":                                 {"socks5://one", target, "socks5://one:1080", map[string]string{"ALL_PROXY": "socks5://h", "NO_PROXY": "*"}},
		"ALL_PROXY before HTTPS_PROXY":        {proxy.Environment, target, "socks5://all:1080", map[string]string{"ALL_PROXY": "socks5://all", "HTTPS_PROXY": "http://h"}},
		"HTTPS_PROXY":                         {proxy.Environment, target, "http://h:3128", map[string]string{"HTTPS_PROXY": "h:3128", "HTTP_PROXY": "http://x"}},
		"lower case":                          {proxy.Environment, target, "http://low:80", map[string]string{"all_proxy": "http://low"}},
		"upper case first":                    {proxy.Environment, target, "http://up:80", map[string]string{"all_proxy": "http://low", "ALL_PROXY": "http://up"}},
		"nothing set":                         {proxy.Environment, target, "", nil},
		"HTTP_PROXY is not for mail":          {proxy.Environment, target, "", map[string]string{"HTTP_PROXY": "http://x"}},
		"NO_PROXY by domain":                  {proxy.Environment, target, "", map[string]string{"ALL_PROXY": "http://h", "NO_PROXY": "other.test,.example.com"}},
		"NO_PROXY by port":                    {proxy.Environment, target, "http://h:80", map[string]string{"ALL_PROXY": "http://h", "NO_PROXY": "mail.example.com:25"}},
		"NO_PROXY by network":                 {proxy.Environment, "10.1.2.3:25", "", map[string]string{"ALL_PROXY": "http://h", "no_proxy": "10.0.0.0/8"}},
		"NO_PROXY for all":                    {proxy.Environment, target, "", map[string]string{"ALL_PROXY": "http://h", "NO_PROXY": "*"}},
		"localhost is not proxied":            {proxy.Environment, "localhost:25", "", map[string]string{"ALL_PROXY": "http://h"}},
		"nor is an address of ours":           {proxy.Environment, "[::1]:25", "", map[string]string{"ALL_PROXY": "http://h"}},
		"localhost, if it is said so":         {"http://h", "localhost:25", "http://h:80", nil},
		"an IPv6 literal":                     {proxy.Environment, "[2001:db8::1]:25", "http://h:80", map[string]string{"ALL_PROXY": "http://h"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := proxy.For(test.setting, test.target, func(name string) string { return test.variables[name] })
			got := ""
			if p != nil {
				got = p.String()
			}
			if err != nil || got != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
	broken := func(name string) string { return map[string]string{"HTTPS_PROXY": "ftp://u:" + secret + "@h"}[name] }
	if _, err := proxy.For(proxy.Environment, target, broken); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "HTTPS_PROXY") {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for setting, ok := range map[string]bool{"": true, proxy.Environment: true, "socks5://h": true, "h": false, "Environment": false} {
		if err := proxy.Check(setting); (err == nil) != ok {
			t.Errorf("%q: %v", setting, err)
		}
	}
}
