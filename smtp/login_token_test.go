package smtp_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// forGood is an error of Auth.Token that no other try can help.
type forGood struct{ permanent bool }

func (forGood) Error() string     { return "the consent was withdrawn" }
func (e forGood) Permanent() bool { return e.permanent }

// renewing hands out one token after the other.
func renewing(d *desk, tokens ...string) (refused *[]string) {
	refused = new([]string)
	d.config.Auth = &smtp.Auth{Username: "ann",
		Token: func(context.Context) (string, error) { return tokens[min(len(*refused), len(tokens)-1)], nil },
		TokenRefused: func(token string) bool {
			*refused = append(*refused, token)
			return true
		}}
	return refused
}

func TestRefusedTokenIsReplacedOnTheSameConnection(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"XOAUTH2", "OAUTHBEARER"} {
		inBubble(t, mechanism, func(t *testing.T) {
			d := loginDesk(t, func(c *smtptest.Config) { c.Auth.Mechanisms = []string{mechanism} })
			refused := renewing(d, "ya29.ended-before-its-time", password)
			c := d.dial()
			if result, err := hand(t, c, note()); err != nil || result.Err != nil {
				t.Fatal(err, result)
			}
			if s := d.server.Stats(); s.Connections != 1 || s.LoginsRefused != 1 || s.LoginsAccepted != 1 || len(*refused) != 1 {
				t.Errorf("%d connections, %d refused, %d accepted, told of %q", s.Connections, s.LoginsRefused, s.LoginsAccepted, *refused)
			}
		})
	}
}

func TestTokenIsReplacedOnlyOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, "once", func(t *testing.T) {
		const first, second = "ya29.first-of-two-tokens", "ya29.second-of-two-tokens"
		d := loginDesk(t, func(c *smtptest.Config) {
			c.Auth.Mechanisms = []string{"XOAUTH2", "OAUTHBEARER"}
			c.Auth.Refused = smtptest.Reply{Code: 535, Text: "5.7.8 neither " + first + " nor " + second}
		})
		refused := renewing(d, first, second)
		c := d.dial()
		err := c.Authenticate(t.Context())
		if e := known(t, err); e.Class != smtp.ClassAuth || strings.Contains(err.Error(), "of-two-tokens") || !strings.Contains(e.Hint, "the access token is of another account") {
			t.Errorf("%v", e)
		}
		if s := d.server.Stats(); s.LoginsRefused != 2 || len(*refused) != 1 {
			t.Errorf("%d refused, told of %q", s.LoginsRefused, *refused)
		}
		dead(t, d, c)
	})
}

func TestRefusalForNowReplacesNoToken(t *testing.T) {
	t.Parallel()
	inBubble(t, "454", func(t *testing.T) {
		d := loginDesk(t, func(c *smtptest.Config) {
			c.Auth.Mechanisms = []string{"XOAUTH2"}
			c.Auth.Refused = smtptest.Reply{Code: 454, Text: "4.7.0 later"}
		})
		refused := renewing(d, "another")
		if e := known(t, d.dial().Authenticate(t.Context())); e.Class != smtp.ClassAuthTemporary || len(*refused) != 0 {
			t.Errorf("%v, told of %q", e, *refused)
		}
	})
}

func TestTokenThatCannotBeHad(t *testing.T) {
	t.Parallel()
	for class, cause := range map[smtp.Class]error{smtp.ClassAuth: forGood{true}, smtp.ClassAuthTemporary: forGood{false}} {
		inBubble(t, class.String(), func(t *testing.T) {
			d := loginDesk(t, func(c *smtptest.Config) { c.Auth.Mechanisms = []string{"XOAUTH2"} })
			d.config.Auth = &smtp.Auth{Username: "ann", Token: func(context.Context) (string, error) { return "", cause }}
			c := d.dial()
			err := c.Authenticate(t.Context())
			if e := known(t, err); e.Class != class || !errors.Is(err, cause) || !e.Reply.IsZero() {
				t.Errorf("%v is of class %v", err, e.Class)
			}
			dead(t, d, c)
		})
	}
}

func TestGrantTellsLoginsApart(t *testing.T) {
	t.Parallel()
	token := func(context.Context) (string, error) { return "", nil }
	one, same, other := smtp.Auth{Username: "ann", Token: token, Grant: "1"}, smtp.Auth{Username: "ann", Token: token, Grant: "1"}, smtp.Auth{Username: "ann", Token: token, Grant: "2"}
	if one.Fingerprint() != same.Fingerprint() || one.Fingerprint() == other.Fingerprint() {
		t.Error("the fingerprint does not go by the grant")
	}
}

// A token that no response can hold is not sent: servers break off, or wait.
func TestTokenThatIsTooLong(t *testing.T) {
	t.Parallel()
	inBubble(t, "too long", func(t *testing.T) {
		d := loginDesk(t, func(c *smtptest.Config) { c.Auth.Mechanisms = []string{"XOAUTH2"} })
		d.config.Auth = &smtp.Auth{Username: "ann", Token: func(context.Context) (string, error) { return strings.Repeat("planted", 2000), nil }}
		err := d.dial().Authenticate(t.Context())
		if e := known(t, err); e.Class != smtp.ClassAuthTemporary || !strings.Contains(err.Error(), "has 14000 octets") || strings.Contains(err.Error(), "planted") {
			t.Errorf("%v", e)
		}
	})
}
