package smtptest

import (
	"fmt"
	"strings"
)

// profiles are servers as their clients see them: what they offer, their limits
// and their words. Each takes any login over STARTTLS, as on port 587.
//
// Sources, in the comments: "capture" is a dialogue that someone recorded and
// published, "documented" is what the provider says in public, "source" is the
// server's own, "assumed" is nobody's word but ours. Providers change, and
// several give each account its own limits: a profile is there to try a program
// on, not to know what a provider will do.
var profiles = []struct {
	name   string
	config func() Config
}{
	{"exim", exim},
	{"gmail", gmail},
	{"mailgun", mailgun},
	{"office365", office365},
	{"opensmtpd", openSMTPD},
	{"postfix", postfix},
	{"sendgrid", sendGrid},
	{"ses", ses},
	{"stalwart", stalwart},
}

// Profiles returns the names that Profile knows, in order.
func Profiles() []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.name
	}
	return names
}

// Profile returns the Config of a server that behaves like a provider or a
// server's software with its default settings, as far as that is known. The
// caller may change it before it is used: it takes any name and password
// (Auth.AnySecret); Auth.Users, Network and what shall be kept are the caller's.
// The error names the profiles there are.
func Profile(name string) (Config, error) {
	for _, p := range profiles {
		if strings.EqualFold(p.name, name) {
			return p.config(), nil
		}
	}
	return Config{}, fmt.Errorf("smtptest: no profile %q; profiles are %s", name, strings.Join(Profiles(), ", "))
}
