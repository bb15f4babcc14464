package kaizen

import (
	"errors"
	"fmt"
	"strings"

	routing "github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
)

// Router chooses the accounts of messages for which none is named. A
// [*routing.Table] is one, and what Router of an accounts.Store returns. It must be
// safe for concurrent use and quick: it is asked for each message. Each recipient
// must be in exactly one part.
type Router interface {
	Route(m routing.Message) ([]routing.Part, error)
}

// parts tells how a message goes: through the account or chain that is named, else
// as the router says.
func (c *Client) parts(account string, p *Prepared, tags []string, key string) ([]routing.Part, error) {
	if account != "" || c.config.Router == nil {
		chain, err := chainOf(account)
		if err != nil {
			return nil, err
		}
		return []routing.Part{{Account: chain.String(), Recipients: everyPlace(len(p.Envelope.To))}}, nil
	}
	parts, err := c.config.Router.Route(routing.Message{Envelope: &p.Envelope, Tags: tags, Key: key})
	if err == nil {
		parts, err = completePartition(parts, len(p.Envelope.To))
	}
	if err == nil {
		return parts, nil
	}
	e := &Error{Phase: smtp.PhaseWaiting, Class: ErrConnect, Err: fmt.Errorf("choose the account: %w", err)}
	if none := (*routing.NoRouteError)(nil); errors.As(err, &none) {
		e.Class, e.Err, e.Hint = ErrRecipient, err, "name an account, or add a rule or a default account"
	}
	return nil, e
}

func everyPlace(n int) []int {
	places := make([]int, n)
	for i := range places {
		places[i] = i
	}
	return places
}

// completePartition fails unless each of n recipients is in exactly one part. The
// accounts are written as lanes are called.
func completePartition(given []routing.Part, n int) (parts []routing.Part, err error) {
	seen := make([]bool, n)
	for _, p := range given {
		chain, err := routing.ParseChain(p.Account)
		if err != nil {
			return nil, err
		}
		p.Account = chain.String()
		parts = append(parts, p)
		for _, place := range p.Recipients {
			if place < 0 || place >= n || seen[place] {
				return nil, fmt.Errorf("the router gave recipient %d of %d twice, or it is none", place+1, n)
			}
			seen[place] = true
		}
	}
	for place, done := range seen {
		if !done {
			return nil, fmt.Errorf("the router gave no account for recipient %d", place+1)
		}
	}
	return parts, nil
}

// divisible tells why a message cannot go in these parts.
func divisible(p *Prepared, parts []routing.Part) error {
	if len(parts) < 2 {
		return nil
	}
	e := &Error{Phase: smtp.PhaseWaiting, Class: ErrContent, Hint: "name an account, or send it to each part's recipients by itself"}
	switch {
	case p.AllOrNothing:
		e.Err = fmt.Errorf("%s, so it cannot be all or nothing", partsInWords(parts))
	case !p.Content.Reusable():
		e.Err = fmt.Errorf("%s, and %w", partsInWords(parts), errOnlyOnce)
	default:
		return nil
	}
	return e
}

func partsInWords(parts []routing.Part) string {
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = fmt.Sprintf("%s (%d)", p.Account, len(p.Recipients))
	}
	return "the rules send it through " + strings.Join(words, " and ")
}
