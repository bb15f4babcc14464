package accounts

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/pelletier/go-toml/v2"
)

//go:embed presets.toml
var presetsFile []byte

// presetBook is the presets, indexed.
type presetBook struct {
	presets  []*Preset
	byName   map[string]*Preset // plain names and aliases
	byDomain map[string]*Preset
	byMX     map[string]*Preset   // host names, without a dot at either end
	byHost   map[string]*Preset   // of several with one server, one that serves domains of customers
	regional map[string][]*Preset // names that need a region behind them
}

// book is read at its first use. A fault in the file is one of the program: the
// tests read it too.
var book = sync.OnceValue(func() *presetBook {
	b, err := readPresets(presetsFile)
	if err != nil {
		panic("accounts: presets.toml: " + err.Error())
	}
	return b
})

// presetEntry is a preset as the file has it.
type presetEntry struct {
	Name          string       `toml:"name"`
	Title         string       `toml:"title"`
	Aliases       []string     `toml:"aliases"`
	Regions       []string     `toml:"regions"`
	Domains       []string     `toml:"domains"`
	MX            []string     `toml:"mx"`
	Host          string       `toml:"host"`
	Port          int          `toml:"port"`
	TLS           string       `toml:"tls"`
	Username      UsernameForm `toml:"username"`
	FixedUsername string       `toml:"fixed_username"`
	Secret        string       `toml:"secret"`
	Hint          string       `toml:"hint"`
	HelpURL       string       `toml:"url"`
	OAuth         bool         `toml:"oauth_only"`
	OAuthProvider string       `toml:"oauth"`
	Limits        limitsEntry  `toml:"limits"`
}

type limitsEntry struct {
	Connections           int      `toml:"connections"`
	MessagesPerConnection int      `toml:"messages_per_connection"`
	RecipientsPerMessage  int      `toml:"recipients_per_message"`
	Rates                 []string `toml:"rates"`
	Source                string   `toml:"source"`
}

// regionMark is where the name of a region goes in a host name.
const regionMark = "{region}"

func readPresets(file []byte) (*presetBook, error) {
	var content struct {
		Preset []presetEntry `toml:"preset"`
	}
	if err := toml.NewDecoder(bytes.NewReader(file)).DisallowUnknownFields().Decode(&content); err != nil {
		return nil, err
	}
	b := &presetBook{byName: map[string]*Preset{}, byDomain: map[string]*Preset{}, byMX: map[string]*Preset{},
		byHost: map[string]*Preset{}, regional: map[string][]*Preset{}}
	for _, entry := range content.Preset {
		if err := b.add(entry); err != nil {
			return nil, fmt.Errorf("preset %q: %w", entry.Name, err)
		}
	}
	slices.SortStableFunc(b.presets, func(p, q *Preset) int { return strings.Compare(p.Name, q.Name) })
	return b, nil
}

// add takes an entry, as one preset for each of its regions if it has any.
func (b *presetBook) add(e presetEntry) error {
	p, err := e.preset()
	if err != nil {
		return err
	}
	if len(e.Regions) == 0 {
		return b.index(p)
	}
	for _, where := range e.Regions {
		one := *p
		one.Name, one.Region, one.Title = p.Name+"-"+where, where, p.Title+" ("+where+")"
		one.Host = strings.ReplaceAll(p.Host, regionMark, where)
		one.Aliases = nil
		for _, alias := range p.Aliases {
			one.Aliases = append(one.Aliases, alias+"-"+where)
		}
		if err := b.index(&one); err != nil {
			return err
		}
		for _, name := range append(p.Aliases, p.Name) {
			b.regional[plainName(name)] = append(b.regional[plainName(name)], &one)
		}
	}
	return nil
}

func (b *presetBook) index(p *Preset) error {
	b.presets = append(b.presets, p)
	for _, name := range append([]string{p.Name}, p.Aliases...) {
		if err := claim(b.byName, plainName(name), p); err != nil {
			return err
		}
	}
	for _, domain := range p.Domains {
		if err := claim(b.byDomain, domain, p); err != nil {
			return err
		}
	}
	if known := b.byHost[p.Host]; known == nil || len(known.MX) == 0 {
		b.byHost[p.Host] = p
	}
	for _, host := range p.MX {
		if err := claim(b.byMX, host, p); err != nil {
			return err
		}
	}
	return nil
}

// claim gives key to p alone.
func claim(index map[string]*Preset, key string, p *Preset) error {
	if other := index[key]; other != nil {
		return fmt.Errorf("%q is taken by %q", key, other.Name)
	}
	index[key] = p
	return nil
}

func (e *presetEntry) preset() (*Preset, error) {
	p := &Preset{Name: e.Name, Title: e.Title, Aliases: e.Aliases, Domains: e.Domains, MX: e.MX,
		Host: e.Host, Port: e.Port, Username: e.Username, FixedUsername: e.FixedUsername,
		Secret: e.Secret, Hint: e.Hint, HelpURL: e.HelpURL, OAuth: e.OAuth, OAuthProvider: e.OAuthProvider}
	modes := map[string]smtp.TLSMode{"implicit": smtp.TLSImplicit, "starttls": smtp.TLSStartTLS, "none": smtp.TLSNone}
	var known bool
	if p.TLS, known = modes[e.TLS]; !known {
		return nil, fmt.Errorf("tls %q is none of implicit, starttls, none", e.TLS)
	}
	p.Limits = PresetLimits{Connections: e.Limits.Connections, MessagesPerConnection: e.Limits.MessagesPerConnection,
		RecipientsPerMessage: e.Limits.RecipientsPerMessage, Source: e.Limits.Source}
	for _, text := range e.Limits.Rates {
		rates, err := kaizen.ParseRates(text)
		if err != nil {
			return nil, err
		}
		p.Limits.Rates = append(p.Limits.Rates, rates...)
	}
	return p, nil
}
