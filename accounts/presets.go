package accounts

import (
	"net/mail"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"golang.org/x/net/idna"
)

// Preset is what is known about a mail service: the server that relays, how to
// log in, and the limits it publishes. All of it stands in one file,
// presets.toml, and any of it can be overridden by an account. Presets are
// shared: do not change one.
type Preset struct {
	Name    string   // lower-case letters, digits and dashes, as "gmail"
	Title   string   // as the service calls itself
	Aliases []string // other names to look it up by
	Region  string   // of a service that has a server for each region, else ""

	Domains []string // of the mail addresses that the service gives out
	MX      []string // the service takes the mail of domains whose MX is, or is below, one of these

	Host string
	Port int
	TLS  smtp.TLSMode // implicit, STARTTLS, or none for programs on this machine

	Username UsernameForm
	// FixedUsername is the user name of everybody, with UsernameFixed.
	FixedUsername string
	// Secret is what the service calls the password: "app password", "API key".
	Secret string
	// Hint says in a sentence what a person must know before the login; HelpURL is
	// the service's page where the secret is made, or that describes it.
	Hint, HelpURL string
	// OAuth tells that the service refuses all passwords: it takes OAuth 2 tokens
	// only.
	OAuth bool
	// OAuthProvider is who gives out tokens for the service, as oauth.LookupProvider
	// knows it; "" where nobody is known.
	OAuthProvider string

	Limits PresetLimits
}

// PresetLimits are the limits a service publishes: what it allows at most, which
// is not what is wise. What is zero or nil is not known, or there is no limit.
type PresetLimits struct {
	Connections           int // at once
	MessagesPerConnection int
	RecipientsPerMessage  int
	Rates                 []kaizen.Rate
	// Source is where the limits stand: the address of a page of the service, or
	// what kind of fact they are. It is set whenever a limit is.
	Source string
}

// Limits are the limits of an account that says nothing itself: those that hold
// for every account (see [kaizen.Limits]), lowered to what the service allows.
func (l PresetLimits) Limits() kaizen.Limits {
	limits := kaizen.Limits{Connections: lower(defaultConnections, l.Connections),
		MessagesPerConnection: lower(defaultMessagesPerConnection, l.MessagesPerConnection)}
	if len(l.Rates) > 0 {
		limits.Rates = append([]kaizen.Rate{defaultRate}, l.Rates...)
	}
	return limits
}

// The defaults of [kaizen.Limits].
const (
	defaultConnections           = 5
	defaultMessagesPerConnection = 100
)

var defaultRate = kaizen.Rate{Count: 10, Per: time.Second}

// lower is 0, for the default, where the service allows at least that.
func lower(standard, allowed int) int {
	if allowed == 0 || allowed >= standard {
		return 0
	}
	return allowed
}

// UsernameForm is how the user name of a login is made.
type UsernameForm string

// The forms.
const (
	UsernameAddress   UsernameForm = "address"    // the mail address
	UsernameLocalPart UsernameForm = "local-part" // the mail address up to its @
	UsernameFixed     UsernameForm = "fixed"      // the same for everybody
	UsernameToken     UsernameForm = "token"      // the secret itself
	UsernameIssued    UsernameForm = "issued"     // the service hands one out
	UsernameNone      UsernameForm = "none"       // there is no login
)

// Presets returns all presets in the order of their names; those of a service
// with regions follow each other.
func Presets() []*Preset { return book().presets }

// LookupPreset finds a preset by its name, an alias, or a domain of its
// addresses. Case, spaces, dots, dashes and underscores make no difference.
// [FindPreset] says more about a name that is not there.
func LookupPreset(name string) (*Preset, bool) {
	if p, ok := book().byName[plainName(name)]; ok {
		return p, true
	}
	p, ok := book().byDomain[strings.ToLower(strings.TrimSpace(name))]
	return p, ok
}

// FindPreset is [LookupPreset] with an error, of type [*UnknownPresetError],
// that suggests names.
func FindPreset(name string) (*Preset, error) {
	if p, ok := LookupPreset(name); ok {
		return p, nil
	}
	return nil, unknownPreset(name)
}

// PresetForAddress finds the service that gave out the mail address, as
// "ann@gmail.com" or "Ann <ann@gmail.com>". An address at a domain of one's own
// is found by [Discover].
func PresetForAddress(address string) (*Preset, bool) {
	domain, err := domainOf(address)
	if err != nil {
		return nil, false
	}
	p, ok := book().byDomain[domain]
	return p, ok
}

// UsernameFor makes the user name of a mail address. It is "" where a person has
// to be asked, or where there is no login; [UsernameToken] takes the secret.
func (p *Preset) UsernameFor(address string) string {
	switch p.Username {
	case UsernameAddress:
		return bareAddress(address)
	case UsernameLocalPart:
		bare := bareAddress(address)
		return bare[:max(0, strings.LastIndexByte(bare, '@'))]
	case UsernameFixed:
		return p.FixedUsername
	}
	return ""
}

// plainName is a name without what people write differently.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-_&'", r) {
			return -1
		}
		return r
	}, strings.ToLower(strings.TrimSpace(name)))
}

// bareAddress is the address alone, of "Ann <ann@example.com>" too.
func bareAddress(address string) string {
	if parsed, err := mail.ParseAddress(address); err == nil {
		return parsed.Address
	}
	return strings.TrimSpace(address)
}

// domainOf is the domain of a mail address, in lower-case A-labels.
func domainOf(address string) (string, error) {
	bare := bareAddress(address)
	at := strings.LastIndexByte(bare, '@')
	if at < 1 || at == len(bare)-1 {
		return "", &AddressError{Address: address}
	}
	domain, err := domainNames.ToASCII(strings.TrimSuffix(bare[at+1:], "."))
	if err != nil {
		return "", &AddressError{Address: address, Err: err}
	}
	return domain, nil
}

// domainNames turns names into lower-case A-labels, and refuses what is none.
var domainNames = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))
