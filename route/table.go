package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen/smtp"
)

// Config is what a [Table] is made of.
type Config struct {
	// Rules in their order: the first one that matches is taken.
	Rules []Rule
	// Default is the account, or chain of accounts, of messages for which there is no
	// rule. Default: they are refused with a [*NoRouteError].
	Default string
	// Earlier is the table that this one replaces. Rules of the same name and shares
	// go on where they were there. Default: none.
	Earlier *Table
}

// Table answers which accounts a message goes through. It is safe for concurrent
// use.
type Table struct {
	rules    []*compiled
	standard Chain // nil: none
}

// Message is what rules look at.
type Message struct {
	Envelope *smtp.Envelope
	Tags     []string
	// Key makes the choice among the accounts of a rule by the key instead of by turns:
	// the same key gives the same account as long as the rule has it. Default: by turns.
	Key string
}

// Part is recipients of a message that go the same way.
type Part struct {
	Account    string   `json:"account"`    // a name, or a chain like "office>backup"
	Recipients []int    `json:"recipients"` // places in Envelope.To, rising
	Rules      []string `json:"rules"`      // the rules that chose it, each once
	Why        string   `json:"why"`        // in words, of its first recipient
}

// NoRouteError says that there is no account for a recipient.
type NoRouteError struct {
	Recipient string
	Checks    []Check // why no rule matched
}

// Error tells why each rule did not match.
func (e *NoRouteError) Error() string {
	text := "no rule matches " + e.Recipient + ", and there is no default account"
	const most = 8
	for _, c := range e.Checks[:min(len(e.Checks), most)] {
		text += "; " + c.shown + ": " + c.Why
	}
	if n := len(e.Checks) - most; n > 0 {
		text += fmt.Sprintf("; and %d more rules", n)
	}
	return text
}

// New makes a table. Errors are [*RuleError], or about Config.Default.
func New(config Config) (*Table, error) {
	t := &Table{}
	for i, r := range config.Rules {
		c, err := compile(i, r)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(t.rules, func(o *compiled) bool { return o.Name == c.Name }) {
			return nil, &RuleError{Index: i, Rule: c.Name, Field: "name", Err: fmt.Errorf("another rule has the name %q", c.Name)}
		}
		if c.turns = config.Earlier.turnsOf(c); c.turns == nil {
			c.turns = newRotation(c.Accounts)
		}
		t.rules = append(t.rules, c)
	}
	if config.Default != "" {
		var err error
		if t.standard, err = ParseChain(config.Default); err != nil {
			return nil, fmt.Errorf("default: %w", err)
		}
	}
	return t, nil
}

func (t *Table) turnsOf(c *compiled) *rotation {
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.rules, func(o *compiled) bool { return o.Name == c.Name && slices.Equal(o.Accounts, c.Accounts) })
	if i < 0 {
		return nil
	}
	return t.rules[i].turns
}

// Rules returns the rules in their order, each with a name.
func (t *Table) Rules() []Rule {
	rules := make([]Rule, len(t.rules))
	for i, c := range t.rules {
		rules[i] = c.Rule.clone()
	}
	return rules
}

// Default is the chain of messages that no rule is for; nil if there is none.
func (t *Table) Default() Chain { return slices.Clone(t.standard) }

// question is a message that is being routed.
type question struct {
	message Message
	from    address
	picked  []int // the share of each rule that was asked, plus 1
}

func (t *Table) ask(m Message) *question {
	return &question{message: m, from: parseAddress(m.Envelope.From), picked: make([]int, len(t.rules))}
}

// Route tells how a message goes: parts in the order of their first recipients,
// every recipient in one of them. Those with the same accounts are in one part.
// Within a message, a rule chooses among its accounts once.
func (t *Table) Route(m Message) ([]Part, error) {
	var parts []Part
	q := t.ask(m)
	if err := t.routable(q); err != nil {
		return nil, err // before any turn is taken
	}
	for i := range m.Envelope.To {
		rule, why := t.first(q, m.Envelope.To[i].Address)
		name, account := DefaultRule, t.standard.String()
		if rule >= 0 {
			name, account = t.rules[rule].Name, t.pick(q, rule).String()
		}
		at := slices.IndexFunc(parts, func(p Part) bool { return p.Account == account })
		if at < 0 {
			at = len(parts)
			parts = append(parts, Part{Account: account, Why: why})
		}
		parts[at].Recipients = append(parts[at].Recipients, i)
		if !slices.Contains(parts[at].Rules, name) {
			parts[at].Rules = append(parts[at].Rules, name)
		}
	}
	return parts, nil
}

// routable finds recipients without an account.
func (t *Table) routable(q *question) error {
	if t.standard != nil {
		return nil
	}
	for _, to := range q.message.Envelope.To {
		if rule, _ := t.first(q, to.Address); rule < 0 {
			return &NoRouteError{Recipient: to.Address, Checks: t.checks(q, to.Address)}
		}
	}
	return nil
}

// first is the first rule that is for a recipient, and why; -1 if none is.
func (t *Table) first(q *question, to string) (rule int, why string) {
	for i, c := range t.rules {
		if ok, why := c.met(q, to); ok {
			return i, c.shown + ": " + why
		}
	}
	return -1, "no rule matches: the default account"
}

// pick chooses among the accounts of a rule, once for a message.
func (t *Table) pick(q *question, rule int) Chain {
	c := t.rules[rule]
	if q.picked[rule] == 0 {
		choice := 0
		if q.message.Key != "" {
			choice = c.turns.keyed(q.message.Key)
		} else {
			choice = c.turns.next()
		}
		q.picked[rule] = choice + 1
	}
	return c.chains[q.picked[rule]-1]
}

// String names the rules.
func (t *Table) String() string {
	names := make([]string, len(t.rules))
	for i, c := range t.rules {
		names[i] = c.Name
	}
	return "routes: " + strings.Join(names, ", ")
}
