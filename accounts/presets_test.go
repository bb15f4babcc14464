package accounts_test

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/accounts/oauth"
	"github.com/kaizenmail/kaizen/smtp"
	"golang.org/x/net/idna"
)

func TestPresetsAreSound(t *testing.T) {
	t.Parallel()
	presets := accounts.Presets()
	if len(presets) < 80 {
		t.Errorf("%d presets, want 80 at least", len(presets))
	}
	domains, names := map[string]string{}, map[string]string{}
	for _, p := range presets {
		for _, complaint := range complaints(p) {
			t.Errorf("%s: %s", p.Name, complaint)
		}
		for _, d := range p.Domains {
			if other, taken := domains[d]; taken {
				t.Errorf("%s: domain %s is %s's", p.Name, d, other)
			}
			domains[d] = p.Name
		}
		for _, n := range append([]string{p.Name}, p.Aliases...) {
			if other, taken := names[n]; taken {
				t.Errorf("%s: name %s is %s's", p.Name, n, other)
			}
			names[n] = p.Name
		}
	}
	if !slices.IsSortedFunc(presets, func(a, b *accounts.Preset) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the presets are not in the order of their names")
	}
}

var nameForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func complaints(p *accounts.Preset) (found []string) {
	check := func(ok bool, complaint string) {
		if !ok {
			found = append(found, complaint)
		}
	}
	for _, n := range append([]string{p.Name}, p.Aliases...) {
		check(nameForm.MatchString(n), "the name "+n+" has other characters than a-z, 0-9 and single dashes")
	}
	check(p.Title != "" && strings.TrimSpace(p.Title) == p.Title, "no title")
	check(isHost(p.Host), "no host name: "+p.Host)
	for _, d := range slices.Concat(p.Domains, p.MX) {
		check(isHost(d) && strings.Contains(d, "."), "no domain: "+d)
	}
	check(portFits(p), "port and TLS mode do not fit")
	check(isPlain(p.Hint) && isPlain(p.Secret) && isPlain(p.Title), "control characters")
	check((p.Username == accounts.UsernameFixed) == (p.FixedUsername != ""), "a fixed user name goes with fixed_username")
	check((p.Username == accounts.UsernameNone) == (p.Secret == ""), "a login needs a name for its secret")
	check(p.Hint == "" || strings.HasSuffix(p.Hint, "."), "the hint is no sentence")
	check(p.HelpURL == "" || isPage(p.HelpURL), "no address of a page: "+p.HelpURL)
	check(!p.OAuth || p.Hint != "", "OAuth 2 needs an explanation")
	if p.OAuthProvider != "" {
		_, known := oauth.LookupProvider(p.OAuthProvider)
		check(known, "nobody knows who gives out tokens: "+p.OAuthProvider)
	}
	check(knownForms[p.Username], "unknown form of user name: "+string(p.Username))
	return append(found, limitComplaints(p.Limits)...)
}

var knownForms = map[accounts.UsernameForm]bool{accounts.UsernameAddress: true, accounts.UsernameLocalPart: true, accounts.UsernameFixed: true,
	accounts.UsernameToken: true, accounts.UsernameIssued: true, accounts.UsernameNone: true}

func limitComplaints(l accounts.PresetLimits) (found []string) {
	limited := l.Connections != 0 || l.MessagesPerConnection != 0 || l.RecipientsPerMessage != 0 || len(l.Rates) > 0
	if limited != isPage(l.Source) {
		found = append(found, "limits and the page they are from go together")
	}
	if l.Connections < 0 || l.MessagesPerConnection < 0 || l.RecipientsPerMessage < 0 {
		found = append(found, "a negative limit")
	}
	for _, r := range l.Rates {
		if r.Count <= 0 || r.Per < time.Second || r.Per > 24*time.Hour {
			found = append(found, "an odd rate")
		}
	}
	return found
}

func portFits(p *accounts.Preset) bool {
	switch p.TLS {
	case smtp.TLSImplicit:
		return p.Port == 465
	case smtp.TLSStartTLS:
		return p.Port == 587 || isLoopback(p.Host)
	case smtp.TLSNone:
		return isLoopback(p.Host) // in clear only to programs on this machine
	}
	return false
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func isHost(s string) bool {
	ascii, err := idna.Registration.ToASCII(s)
	return isLoopback(s) || err == nil && ascii == s && strings.ToLower(s) == s && strings.Contains(s, ".") && !strings.HasSuffix(s, ".")
}

func isPage(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && strings.Contains(u.Host, ".")
}

func isPlain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func TestLookupPreset(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"gmail": "gmail", "GMail": "gmail", " Google Mail ": "gmail", "gmail.com": "gmail", "GoogleMail.com": "gmail",
		"Office 365": "office365", "office-365": "office365", "Microsoft 365": "office365", "m365": "office365", "hotmail": "outlook",
		"WEB.DE": "web-de", "web_de": "web-de", "AT&T": "att", "Send Grid": "sendgrid", "Sendinblue": "brevo",
		"ses-eu-west-1": "ses-eu-west-1", "SES eu-west-1": "ses-eu-west-1", "amazon-ses-us-east-1": "ses-us-east-1",
		"email.cz": "seznam", "163": "163",
	} {
		p, ok := accounts.LookupPreset(name)
		if !ok || p.Name != want {
			t.Errorf("LookupPreset(%q) = %v, want %s", name, p, want)
		}
	}
	for _, name := range []string{"", " ", "-", "no such", "ses", "gmail.example"} {
		if p, ok := accounts.LookupPreset(name); ok {
			t.Errorf("LookupPreset(%q) = %s, want none", name, p.Name)
		}
	}
}

func TestFindPresetSuggests(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"gmial": "gmail", "outlok": "outlook", "sendgird": "sendgrid", "fastmial": "fastmail", "mailg": "mailgun"} {
		_, err := accounts.FindPreset(name)
		var unknown *accounts.UnknownPresetError
		if !errors.As(err, &unknown) || !slices.Contains(unknown.Suggestions, want) || len(unknown.Suggestions) > 3 || unknown.Regional {
			t.Errorf("FindPreset(%q): %v, want %s suggested", name, err, want)
		}
	}
	_, err := accounts.FindPreset("zzzzzzzz")
	var unknown *accounts.UnknownPresetError
	if !errors.As(err, &unknown) || len(unknown.Suggestions) > 0 || !strings.Contains(err.Error(), `"zzzzzzzz"`) {
		t.Errorf("far from everything: %v", err)
	}
}

func TestRegionalPresets(t *testing.T) {
	t.Parallel()
	p, err := accounts.FindPreset("ses-eu-central-1")
	if err != nil || p.Host != "email-smtp.eu-central-1.amazonaws.com" || p.Region != "eu-central-1" || p.Title != "Amazon SES (eu-central-1)" {
		t.Fatalf("got %+v, %v", p, err)
	}
	_, err = accounts.FindPreset("Amazon SES")
	var unknown *accounts.UnknownPresetError
	if !errors.As(err, &unknown) || !unknown.Regional || !slices.Contains(unknown.Suggestions, "ses-us-gov-west-1") || !strings.Contains(err.Error(), "ses-eu-west-3") {
		t.Errorf("without a region: %v", err)
	}
	for _, p := range accounts.Presets() {
		if strings.ContainsAny(p.Host, "{}") {
			t.Errorf("%s: the region is missing in %s", p.Name, p.Host)
		}
	}
}

func TestPresetForAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"ann@gmail.com": "gmail", "Ann <ann@GMAIL.com>": "gmail", `"a@b"@web.de`: "web-de", "ann@hotmail.co.uk": "outlook",
		"ann@yahoo.co.in": "yahoo", "ann@gmx.com": "gmx-com", "ann@gmx.de": "gmx", "ann@verizon.net": "aol", "ann@ＧＭＡＩＬ.com": "gmail",
	} {
		if p, ok := accounts.PresetForAddress(address); !ok || p.Name != want {
			t.Errorf("PresetForAddress(%q) = %v, want %s", address, p, want)
		}
	}
	for _, address := range []string{"", "ann", "@gmail.com", "ann@", "ann@example.com", "ann@notgmail.com", "ann@gmail.com.example", "ann@[127.0.0.1]", "ann@a b"} {
		if p, ok := accounts.PresetForAddress(address); ok {
			t.Errorf("PresetForAddress(%q) = %s, want none", address, p.Name)
		}
	}
}

func TestUsernameFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ preset, address, want string }{
		{"gmail", "Ann <ann@gmail.com>", "ann@gmail.com"},
		{"web-de", "ann@web.de", "ann"},
		{"web-de", "ann", ""},
		{"sendgrid", "ann@example.com", "apikey"},
		{"postmark", "ann@example.com", ""},
		{"ses-eu-west-1", "ann@example.com", ""},
		{"mailpit", "ann@example.com", ""},
	} {
		p, err := accounts.FindPreset(tt.preset)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.UsernameFor(tt.address); got != tt.want {
			t.Errorf("%s: the user name of %s is %q, want %q", tt.preset, tt.address, got, tt.want)
		}
	}
}

func TestPresetLimits(t *testing.T) {
	t.Parallel()
	ten := kaizen.Rate{Count: 10, Per: time.Second}
	for _, tt := range []struct {
		preset string
		want   kaizen.Limits
	}{
		{"office365", kaizen.Limits{Connections: 3, Rates: []kaizen.Rate{ten, {Count: 30, Per: time.Minute}, {Count: 10000, Per: 24 * time.Hour, Unit: kaizen.Recipients}}}},
		{"mailtrap", kaizen.Limits{}}, // it allows more than we use
		{"sendgrid", kaizen.Limits{}},
		{"posteo", kaizen.Limits{}},
	} {
		p, err := accounts.FindPreset(tt.preset)
		if err != nil {
			t.Fatal(err)
		}
		got := p.Limits.Limits()
		if got.Connections != tt.want.Connections || got.MessagesPerConnection != tt.want.MessagesPerConnection || !slices.Equal(got.Rates, tt.want.Rates) {
			t.Errorf("%s: %+v, want %+v", tt.preset, got, tt.want)
		}
	}
}

func FuzzPresetForAddress(f *testing.F) {
	for _, seed := range []string{"ann@gmail.com", "Ann <ann@web.de>", "a@b@c", "ann@bücher.example", "@", "ann@" + strings.Repeat("a.", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		p, ok := accounts.PresetForAddress(address)
		if ok != (p != nil) {
			t.Fatalf("%q: %v, %t", address, p, ok)
		}
		if !ok {
			return
		}
		if user := p.UsernameFor(address); strings.ContainsAny(user, "\r\n") && !strings.ContainsAny(address, "\r\n") {
			t.Errorf("%q: the user name %q has line ends", address, user)
		}
	})
}

func FuzzFindPreset(f *testing.F) {
	f.Add("gmail")
	f.Add("ses")
	f.Add("outlok")
	f.Fuzz(func(t *testing.T, name string) {
		p, err := accounts.FindPreset(name)
		if (p == nil) == (err == nil) {
			t.Fatalf("%q: %v, %v", name, p, err)
		}
	})
}
