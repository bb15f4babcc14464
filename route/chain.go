package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// separator stands between the accounts of a chain; no name has it.
const separator = ">"

// MaxChain is how many octets a chain has at most, as it names a lane of a queue.
const MaxChain = 255

// Chain is accounts in the order in which they are tried with a message: the next
// one only if it was certainly not sent, for a reason that lies in the account.
type Chain []string

// ParseChain reads a chain as [Chain.String] writes it. There may be spaces around
// the names. A single name is a chain of one.
func ParseChain(text string) (Chain, error) {
	c := Chain(strings.Split(text, separator))
	for i := range c {
		c[i] = strings.Trim(c[i], " ")
	}
	return c, c.check()
}

// IsChain reports whether a name is that of several accounts.
func IsChain(name string) bool { return strings.Contains(name, separator) }

// String writes the chain as "office>backup".
func (c Chain) String() string { return strings.Join(c, separator) }

// MarshalText writes the chain as String does.
func (c Chain) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a chain as ParseChain does.
func (c *Chain) UnmarshalText(b []byte) (err error) {
	*c, err = ParseChain(string(b))
	return err
}

func (c Chain) check() error {
	for i, name := range c {
		if err := checkAccount(name); err != nil {
			return fmt.Errorf("%q is no chain of accounts like \"office>backup\": %w", c.String(), err)
		}
		if slices.Contains(c[:i], name) {
			return fmt.Errorf("account %q stands twice in %q", name, c.String())
		}
	}
	if text := c.String(); len(text) > MaxChain {
		return fmt.Errorf("%.40q… is too long for a chain of accounts: %d octets, at most %d", text, len(text), MaxChain)
	}
	return nil
}

func checkAccount(name string) error {
	switch {
	case name == "":
		return errors.New("a name is empty")
	case strings.Contains(name, separator):
		return fmt.Errorf("%q is several accounts: name one", name)
	case strings.TrimSpace(name) != name, strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q cannot be the name of an account", name)
	}
	return nil
}
