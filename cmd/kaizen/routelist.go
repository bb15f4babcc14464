package main

import (
	"fmt"
	"strings"

	"github.com/kaizenmail/kaizen/route"
	"github.com/spf13/cobra"
)

// routesReport is what route list --json prints.
type routesReport struct {
	Rules   []route.Rule `json:"rules"`
	Default route.Chain  `json:"default,omitempty"`
}

func newRouteListCommand(app *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the rules in their order",
		Long:    "List the rules of kaizen.toml in their order: the first that matches is taken.",
		Example: "  kaizen route list",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.listRoutes(cmd, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) listRoutes(cmd *cobra.Command, asJSON bool) error {
	table, err := (&routeQuestion{app: a}).table(cmd)
	if err != nil {
		return err
	}
	report := routesReport{Rules: table.Rules(), Default: table.Default()}
	if asJSON {
		return a.printJSON(report)
	}
	if len(report.Rules) == 0 {
		fmt.Fprintln(a.stderr, "No rules: [[routes]] in kaizen.toml make them, see docs/routes.md.")
	}
	p := a.page()
	for i := range report.Rules {
		p.rule(&report.Rules[i])
		p.blank()
	}
	if report.Default != nil {
		p.row("Otherwise", "%s", printable(report.Default.String()))
	} else {
		p.row("Otherwise", "refused: there is no default account")
	}
	return p.err
}

func (p *page) rule(r *route.Rule) {
	p.row("Rule", "%s", printable(r.Name))
	p.row("From", "%s", flat(strings.Join(r.From, ", ")))
	p.row("To", "%s", flat(strings.Join(r.To, ", ")))
	p.row("Tag", "%s", flat(strings.Join(r.Tags, ", ")))
	if len(r.From)+len(r.To)+len(r.Tags) == 0 {
		p.row("For", "every message")
	}
	p.row("Accounts", "%s", sharesInWords(r.Accounts))
	p.row("Fallback", "%s", printable(strings.Join(r.Fallback, ", ")))
}

func sharesInWords(shares []route.Share) string {
	total := 0
	for _, s := range shares {
		total += s.Weight
	}
	words := make([]string, len(shares))
	for i, s := range shares {
		words[i] = printable(s.Account)
		if len(shares) > 1 {
			words[i] += fmt.Sprintf(" (%d of %d)", s.Weight, total)
		}
	}
	return strings.Join(words, ", ")
}
