package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/spf13/cobra"
)

const routeLong = `Tell which account a message would go through, by which rule, and why the rules
before it do not match. Nothing is sent, and no server is asked.

The rules are the [[routes]] of kaizen.toml; docs/routes.md describes them. They
choose for 'kaizen send' and 'kaizen bulk --queue' where no account is named.`

const routeExample = `  kaizen route --from ann@example.com --to bob@example.org --to eve@example.net
  kaizen route --from ann@example.com --to bob@example.org --tag news --shares 1000
  kaizen route list`

func newRouteCommand(app *app) *cobra.Command {
	q := &routeQuestion{app: app}
	cmd := &cobra.Command{
		Use:     "route --from ADDRESS --to ADDRESS",
		Short:   "Tell which account a message would go through, and why",
		Long:    routeLong,
		Example: routeExample,
		Args:    noSuchCommand,
		RunE:    q.run,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&q.from, "from", "", "sender's `ADDRESS`, '<>' for none (default: the default account's address)")
	flags.StringSliceVar(&q.to, "to", nil, "a recipient's `ADDRESS`; may be repeated")
	flags.StringArrayVar(&q.tags, "tag", nil, "a `WORD` that the message has; may be repeated")
	flags.StringVar(&q.key, "key", "", "the `WORD` of send --key, which chooses among the accounts of a rule")
	flags.IntVar(&q.shares, "shares", 0, "route `N` such messages, and tell how many each account gets")
	flags.BoolVar(&q.json, "json", false, "print JSON")
	cmd.AddCommand(newRouteListCommand(app))
	return cmd
}

// routeQuestion is the command line as it was written.
type routeQuestion struct {
	app      *app
	from     string
	to, tags []string
	key      string
	shares   int
	json     bool
}

// routeReport is what --json prints.
type routeReport struct {
	From       string           `json:"from"`
	Tags       []string         `json:"tags,omitempty"`
	Recipients []route.Decision `json:"recipients"`
	Accounts   []routeAccount   `json:"accounts"`
	Shares     []accountShare   `json:"shares,omitempty"`
	Error      *failure         `json:"error,omitempty"`
}

// routeAccount is how an account is doing that a recipient may go through.
type routeAccount struct {
	Name  string `json:"name"`
	State string `json:"state"`
}

// accountShare is how many messages went through an account.
type accountShare struct {
	Account  route.Chain `json:"account"`
	Messages int         `json:"messages"`
}

func (q *routeQuestion) run(cmd *cobra.Command, _ []string) error {
	report, err := q.ask(cmd)
	if q.json {
		report.Error = failureOf(cmd.Context(), err)
		return errors.Join(err, q.app.printJSON(report))
	}
	return errors.Join(err, q.print(&report))
}

func (q *routeQuestion) ask(cmd *cobra.Command) (report routeReport, err error) {
	table, err := q.table(cmd)
	if err != nil {
		return report, err
	}
	m, err := q.message(cmd, table)
	if err != nil {
		return report, err
	}
	report = routeReport{From: m.Envelope.From, Tags: m.Tags, Recipients: table.Explain(m)}
	report.Accounts = q.app.routeAccounts(report.Recipients)
	for range q.shares {
		if report.Shares, err = addShares(cmd.Context(), report.Shares, table, m); err != nil {
			return report, err
		}
	}
	slices.SortFunc(report.Shares, func(a, b accountShare) int {
		return cmp.Or(b.Messages-a.Messages, strings.Compare(a.Account.String(), b.Account.String()))
	})
	if _, err = table.Route(m); is[*route.NoRouteError](err) {
		err = withCode(exitData, err)
	}
	return report, err
}

func (q *routeQuestion) table(cmd *cobra.Command) (*route.Table, error) {
	store, err := q.app.store()
	if err != nil {
		return nil, err
	}
	table, err := store.Routes()
	if none, ok := errors.AsType[*accounts.NoDefaultError](err); ok {
		return nil, misuse(cmd, whichAccount(none))
	}
	return table, err
}

// maxShares bounds --shares: more tells nothing more.
const maxShares = 10_000_000

// message is the one that is asked about.
func (q *routeQuestion) message(cmd *cobra.Command, table *route.Table) (m route.Message, err error) {
	from := q.from
	if standard := table.Default(); from == "" && standard != nil {
		if from, err = q.app.addressOf(standard[0]); err != nil {
			return m, err
		}
	}
	switch {
	case len(q.to) == 0:
		return m, misuse(cmd, errors.New("to whom? Give --to"))
	case from == "":
		return m, misuse(cmd, errors.New("who sends it? Give --from"))
	case q.shares < 0 || q.shares > maxShares:
		return m, misuse(cmd, fmt.Errorf("--shares %d is not between 1 and %d", q.shares, maxShares))
	case from == "<>":
		from = ""
	}
	m = route.Message{Envelope: &smtp.Envelope{From: from, To: smtp.To(q.to...)}, Tags: q.tags, Key: q.key}
	if err := m.Envelope.Validate(); err != nil {
		return m, misuse(cmd, err)
	}
	return m, nil
}

// addShares routes one message more.
func addShares(ctx context.Context, shares []accountShare, table *route.Table, m route.Message) ([]accountShare, error) {
	parts, err := table.Route(m)
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return nil, err
	}
	for _, p := range parts {
		i := slices.IndexFunc(shares, func(s accountShare) bool { return s.Account.String() == p.Account })
		if i < 0 {
			chain, err := route.ParseChain(p.Account)
			if err != nil {
				return nil, err
			}
			i, shares = len(shares), append(shares, accountShare{Account: chain})
		}
		shares[i].Messages++
	}
	return shares, nil
}

// routeAccounts are those that the recipients may go through.
func (a *app) routeAccounts(decisions []route.Decision) (list []routeAccount) {
	names := map[string]bool{}
	for i := range decisions {
		for _, choice := range decisions[i].Choices {
			for _, name := range choice.Chain {
				names[name] = true
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	situation := kaizen.Situation{}
	a.readAccounts(&situation)
	status := a.statuses()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		account := routeAccount{name, stateInWords(status[name])}
		if situation.Unusable != nil {
			if err := situation.Unusable(name); err != nil {
				account.State = "wrong: " + err.Error()
			}
		}
		list = append(list, account)
	}
	return list
}

func (q *routeQuestion) print(r *routeReport) error {
	p := q.app.page()
	for i := range r.Recipients {
		if i > 0 {
			p.blank()
		}
		p.decision(&r.Recipients[i])
	}
	if len(r.Accounts) > 0 {
		p.blank()
	}
	for i, account := range r.Accounts {
		p.row([]string{"State", ""}[min(i, 1)], "%s: %s", printable(account.Name), flat(account.State))
	}
	for i, s := range r.Shares {
		p.row([]string{"Shares", ""}[min(i, 1)], "%s: %d of %s", printable(s.Account.String()), s.Messages, plural(q.shares, "message"))
	}
	return p.err
}

func (p *page) decision(d *route.Decision) {
	p.row("Recipient", "%s", printable(d.Recipient))
	for i, choice := range d.Choices {
		p.row([]string{"Account", "or"}[min(i, 1)], "%s", choiceInWords(&choice))
	}
	p.row("Why", "%s", flat(d.Why))
	for _, check := range d.Checks {
		if check.Matches {
			break
		}
		p.row("Not", "%s", flat(rulesInWords([]string{check.Rule})+": "+check.Why))
	}
}

// choiceInWords names the accounts in the order in which they are tried.
func choiceInWords(c *route.Choice) string {
	text := printable(c.Chain[0])
	if c.Weight < c.Total {
		text += fmt.Sprintf(" (%d of %s)", c.Weight, plural(c.Total, "message"))
	}
	if len(c.Chain) > 1 {
		text += ", else " + printable(strings.Join(c.Chain[1:], ", "))
	}
	return text
}

// blank writes an empty line.
func (p *page) blank() {
	if p.err == nil {
		_, err := fmt.Fprintln(p.app.stdout)
		p.err = written(err)
	}
}
