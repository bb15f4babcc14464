package main

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/spf13/cobra"
)

func newAccountProvidersCommand(app *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "providers [WORD]",
		Short: "List the mail services whose servers are known",
		Long: `List the mail services whose server, login and limits are known, or those whose
name, title or mail domain contains WORD. Any other server works too: --server.`,
		Example:           "  kaizen account providers\n  kaizen account providers zoho",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			word := strings.ToLower(strings.Join(args, ""))
			found := providers(word)
			if asJSON {
				return app.printJSON(map[string]any{"providers": found})
			}
			return app.printProviders(found, word)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// providerReport is what is told of a provider.
type providerReport struct {
	Name     string                `json:"name"`
	Title    string                `json:"title"`
	Server   string                `json:"server"`
	TLS      string                `json:"tls"`
	Username accounts.UsernameForm `json:"username"`
	Secret   string                `json:"secret,omitempty"`
	OAuth    bool                  `json:"oauth_only,omitempty"`
	Tokens   string                `json:"oauth_provider,omitempty"` // who gives out OAuth 2 tokens
	Hint     string                `json:"hint,omitempty"`
	HelpURL  string                `json:"url,omitempty"`
	Domains  []string              `json:"domains,omitempty"`
	Limits   *limitReport          `json:"limits,omitempty"`

	region string
}

type limitReport struct {
	Connections           int      `json:"connections,omitempty"`
	MessagesPerConnection int      `json:"messages_per_connection,omitempty"`
	RecipientsPerMessage  int      `json:"recipients_per_message,omitempty"`
	Rates                 []string `json:"rates,omitempty"`
	Source                string   `json:"source"`
}

func providers(word string) []providerReport {
	found := []providerReport{}
	for _, p := range accounts.Presets() {
		if slices.ContainsFunc(slices.Concat(p.Aliases, p.Domains, []string{p.Name, strings.ToLower(p.Title)}), func(s string) bool { return strings.Contains(s, word) }) {
			found = append(found, providerOf(p))
		}
	}
	return found
}

func providerOf(p *accounts.Preset) providerReport {
	r := providerReport{Name: p.Name, Title: p.Title, Server: net.JoinHostPort(p.Host, strconv.Itoa(p.Port)),
		TLS:      map[smtp.TLSMode]string{smtp.TLSImplicit: "implicit", smtp.TLSStartTLS: "starttls", smtp.TLSNone: "none"}[p.TLS],
		Username: p.Username, Secret: p.Secret, OAuth: p.OAuth, Tokens: p.OAuthProvider, Hint: p.Hint, HelpURL: p.HelpURL, Domains: p.Domains, region: p.Region}
	if l := p.Limits; l.Source != "" {
		r.Limits = &limitReport{Connections: l.Connections, MessagesPerConnection: l.MessagesPerConnection,
			RecipientsPerMessage: l.RecipientsPerMessage, Source: l.Source}
		if len(l.Rates) > 0 {
			r.Limits.Rates = rateTexts(l.Rates)
		}
	}
	return r
}

func (a *app) printProviders(found []providerReport, word string) error {
	if len(found) == 0 {
		return withCode(exitUsage, fmt.Errorf("no provider contains that word: name the server itself (--server)"))
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tPROVIDER\tSERVER\tLOGIN")
	for _, p := range withoutRegions(found) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", p.Name, p.Title, p.Server, p.login())
	}
	if err := table.Flush(); err != nil {
		return withCode(exitIO, err)
	}
	if p, ok := accounts.LookupPreset(word); ok {
		a.printProvider(providerOf(p))
	} else if len(found) == 1 {
		a.printProvider(found[0])
	}
	return nil
}

// printProvider says what the table has no room for.
func (a *app) printProvider(p providerReport) {
	fmt.Fprintln(a.stdout)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(a.stdout, "%-9s %s\n", name, value)
		}
	}
	row("Login", p.Hint)
	row("See", p.HelpURL)
	if p.Tokens != "" {
		row("OAuth 2", "kaizen account add --oauth; docs/oauth.md")
	}
	row("Domains", strings.Join(p.Domains, " "))
	if p.Limits != nil {
		row("Limits", p.Limits.inWords())
		row("Source", p.Limits.Source)
	}
}

// withoutRegions has one line for all regions of a service.
func withoutRegions(found []providerReport) (lines []providerReport) {
	services := map[string]int{}
	for _, p := range found {
		services[p.service()]++
	}
	for _, p := range found {
		service := p.service()
		if services[service] == 1 || p.region == "" {
			lines = append(lines, p)
			continue
		}
		if last := len(lines) - 1; last >= 0 && lines[last].service() == service {
			continue
		}
		general := strings.NewReplacer(p.region, "REGION")
		p.Name, p.Title, p.Server = general.Replace(p.Name), general.Replace(p.Title), general.Replace(p.Server)
		lines = append(lines, p)
	}
	return lines
}

// service is the name without a region.
func (p *providerReport) service() string {
	if p.region == "" {
		return p.Name
	}
	return strings.TrimSuffix(strings.TrimSuffix(p.Name, "-REGION"), "-"+p.region)
}

func (p *providerReport) login() string {
	if p.OAuth {
		return "OAuth 2 only"
	}
	return cmp.Or(p.Secret, "none")
}

func (l *limitReport) inWords() string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+what)
		}
	}
	add(l.Connections, "connections")
	add(l.MessagesPerConnection, "messages of a connection")
	add(l.RecipientsPerMessage, "recipients of a message")
	return strings.Join(append(parts, l.Rates...), ", ")
}
