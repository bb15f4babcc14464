package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Rule says which accounts are for which messages. All conditions that are given
// must hold; of the words of one condition, one suffices. A word that begins with
// "!" must not match: ["example.com", "!boss@example.com"] is everybody there but
// one, ["!example.com"] everybody elsewhere. A rule without conditions is for all.
type Rule struct {
	// Name is how the rule is called in answers, other than "default". Default: "rule
	// 1" and so on.
	Name string `json:"name"`
	// From is about the reverse-path: "ann@example.com", "example.com", all below
	// "*.example.com", or "<>". Case does not matter; domains beyond ASCII can be
	// written either way.
	From []string `json:"from,omitempty"`
	// To is the same about a recipient. It is asked for each recipient, so that a
	// message may go in several parts.
	To []string `json:"to,omitempty"`
	// Tags are words of the message; case matters.
	Tags []string `json:"tags,omitempty"`
	// Accounts share the messages. At least one has a weight above 0.
	Accounts []Share `json:"accounts"`
	// Fallback are accounts to go on to, in this order, where the one whose turn it
	// was cannot send. It may name accounts of Accounts, which is how they stand in for
	// each other; otherwise they do not.
	Fallback []string `json:"fallback,omitempty"`
}

// RuleError says what is wrong with a rule.
type RuleError struct {
	Index int    // of Config.Rules
	Rule  string // its name
	Field string // "name", "from", "to", "tag", "accounts" or "fallback"
	Err   error
}

// Error names rule and field.
func (e *RuleError) Error() string {
	return fmt.Sprintf("%s: %s: %v", ruleInWords(e.Rule, e.Index), e.Field, e.Err)
}

// Unwrap returns the cause.
func (e *RuleError) Unwrap() error { return e.Err }

// DefaultRule stands for the name of a rule where none matched and the default
// account was taken.
const DefaultRule = "default"

func numbered(i int) string { return fmt.Sprintf("rule %d", i+1) }

func ruleInWords(name string, i int) string {
	if name == numbered(i) {
		return name
	}
	return fmt.Sprintf("rule %q", name)
}

// compiled is a rule ready to use.
type compiled struct {
	Rule
	shown    string // "rule 1", or its name in quotes behind the word
	from, to addresses
	tags     tagged
	chains   []Chain // one for each of Accounts
	turns    *rotation
}

func compile(i int, r Rule) (*compiled, error) {
	r = r.clone()
	if r.Name == "" {
		r.Name = numbered(i)
	}
	c := &compiled{Rule: r, shown: ruleInWords(r.Name, i)}
	wrong := func(field string, err error) error { return &RuleError{Index: i, Rule: r.Name, Field: field, Err: err} }
	if err := checkRuleName(r.Name); err != nil {
		return nil, wrong("name", err)
	}
	var err error
	if c.from, err = parseAddresses(r.From, true); err != nil {
		return nil, wrong("from", err)
	}
	if c.to, err = parseAddresses(r.To, false); err != nil {
		return nil, wrong("to", err)
	}
	if c.tags, err = parseTags(r.Tags); err != nil {
		return nil, wrong("tag", err)
	}
	if err := checkShares(r.Accounts); err != nil {
		return nil, wrong("accounts", err)
	}
	if err := c.chain(); err != nil {
		return nil, wrong("fallback", err)
	}
	return c, nil
}

func (r Rule) clone() Rule {
	r.From, r.To, r.Tags = slices.Clone(r.From), slices.Clone(r.To), slices.Clone(r.Tags)
	r.Accounts, r.Fallback = slices.Clone(r.Accounts), slices.Clone(r.Fallback)
	return r
}

func checkRuleName(name string) error {
	switch {
	case name == DefaultRule:
		return fmt.Errorf("%q is what is said where no rule matches", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("it has a control character")
	}
	return nil
}

func checkShares(shares []Share) error {
	some := false
	for i, s := range shares {
		if err := checkAccount(s.Account); err != nil {
			return err
		}
		if s.Weight < 0 || s.Weight > MaxWeight {
			return fmt.Errorf("the weight %d of %q is not between 0 and %d", s.Weight, s.Account, MaxWeight)
		}
		if slices.ContainsFunc(shares[:i], func(o Share) bool { return o.Account == s.Account }) {
			return fmt.Errorf("account %q stands twice", s.Account)
		}
		some = some || s.Weight > 0
	}
	if !some {
		return errors.New("no account has a weight above 0, so nobody would send")
	}
	return nil
}

// chain puts the accounts to fall back to behind each share.
func (c *compiled) chain() error {
	if err := Chain(c.Fallback).check(); err != nil {
		return err
	}
	for _, s := range c.Accounts {
		chain := append(Chain{s.Account}, slices.DeleteFunc(slices.Clone(c.Fallback), func(name string) bool { return name == s.Account })...)
		if err := chain.check(); err != nil {
			return err
		}
		c.chains = append(c.chains, chain)
	}
	return nil
}

// met tells whether the rule is for the message to one recipient, and why, or which
// condition does not hold.
func (c *compiled) met(q *question, to string) (ok bool, why string) {
	var reasons []string
	for _, condition := range []func() (bool, string){
		func() (bool, string) { return c.from.met("from", q.message.Envelope.From, q.from) },
		func() (bool, string) { return c.to.met("to", to, parseAddress(to)) },
		func() (bool, string) { return c.tags.met(q.message.Tags) },
	} {
		ok, why := condition()
		if !ok {
			return false, why
		}
		if why != "" {
			reasons = append(reasons, why)
		}
	}
	if len(reasons) == 0 {
		return true, "it is for every message"
	}
	return true, strings.Join(reasons, ", ")
}
