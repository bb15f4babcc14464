package route

// Decision is how a message would go to one recipient, and why.
type Decision struct {
	Recipient string `json:"recipient"`
	// Rule is the one that is taken, [DefaultRule] if there is none but a default
	// account, empty if there is no account.
	Rule string `json:"rule,omitempty"`
	Why  string `json:"why"`
	// Choices are what the rule shares the messages among; with a key it is one.
	Choices []Choice `json:"choices,omitempty"`
	// Checks are all rules in their order, those behind the one that is taken too.
	Checks []Check `json:"checks,omitempty"`
}

// Choice is a chain that gets Weight of Total messages.
type Choice struct {
	Chain  Chain `json:"account"`
	Weight int   `json:"weight"`
	Total  int   `json:"total"`
}

// Check is what one rule says to a recipient.
type Check struct {
	Rule    string `json:"rule"`
	Matches bool   `json:"matches"`
	// Why is what holds, or the first condition that does not.
	Why string `json:"why"`

	shown string
}

// Explain tells how the message would be routed, for each recipient in order. It
// takes no turn of any share.
func (t *Table) Explain(m Message) []Decision {
	q := t.ask(m)
	decisions := make([]Decision, 0, len(m.Envelope.To))
	for _, to := range m.Envelope.To {
		d := Decision{Recipient: to.Address, Checks: t.checks(q, to.Address)}
		rule := -1
		rule, d.Why = t.first(q, to.Address)
		switch {
		case rule >= 0:
			d.Rule, d.Choices = t.rules[rule].Name, t.rules[rule].choices(m.Key)
		case t.standard != nil:
			d.Rule, d.Choices = DefaultRule, []Choice{{t.Default(), 1, 1}}
		default:
			d.Why = "no rule matches, and there is no default account"
		}
		decisions = append(decisions, d)
	}
	return decisions
}

func (t *Table) checks(q *question, to string) []Check {
	checks := make([]Check, len(t.rules))
	for i, c := range t.rules {
		checks[i] = Check{Rule: c.Name, shown: c.shown}
		checks[i].Matches, checks[i].Why = c.met(q, to)
	}
	return checks
}

func (c *compiled) choices(key string) (list []Choice) {
	if key != "" {
		return []Choice{{c.chains[c.turns.keyed(key)], 1, 1}}
	}
	for i, s := range c.Accounts {
		if s.Weight > 0 {
			list = append(list, Choice{c.chains[i], s.Weight, c.turns.total})
		}
	}
	return list
}
