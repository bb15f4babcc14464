package main

import (
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// loginReport is what is told of tokens.
type loginReport struct {
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"token_until,omitzero"`
	Renews  bool      `json:"renews"` // without a person
	Scopes  []string  `json:"scopes,omitempty"`
	Missing []string  `json:"missing_scopes,omitempty"` // asked for, not granted
}

func newLoginReport(t oauth.Token, c oauth.Config) loginReport {
	if complete, err := c.Complete(); err == nil {
		c = complete
	}
	return loginReport{t.Login, t.Expires, t.Refresh != "" || !c.Flow.Interactive(), t.Scopes, missingScopes(c.Scopes, t.Scopes)}
}

// missingScopes are those of mail that were asked for and not granted, as where a box
// was not ticked. Servers leave out those that are about the login itself, and write
// the others with another host, or in other letters.
func missingScopes(asked, granted []string) (missing []string) {
	silent := []string{"offline_access", "openid", "profile", "email"}
	for _, scope := range asked {
		if strings.HasSuffix(scope, "/.default") || slices.Contains(silent, scope) {
			continue
		}
		if !slices.ContainsFunc(granted, func(g string) bool { return strings.EqualFold(lastPart(g), lastPart(scope)) }) {
			missing = append(missing, scope)
		}
	}
	return missing
}

func lastPart(scope string) string {
	path := strings.TrimRight(scope, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

func (r loginReport) print(row func(name, value string)) {
	if !r.Since.IsZero() {
		row("", "since "+r.Since.Local().Format(time.DateTime))
	}
	if until := r.Until; !until.IsZero() {
		row("", "access token until "+until.Local().Format(time.DateTime)+map[bool]string{true: ", renewed by itself",
			false: "; then somebody has to log in again: the provider gave no refresh token (some want the scope offline_access)"}[r.Renews])
	}
	if len(r.Scopes) > 0 {
		row("Scopes", printable(strings.Join(r.Scopes, " ")))
	}
	if len(r.Missing) > 0 {
		row("Missing", printable(strings.Join(r.Missing, " "))+": not granted, so that mail may be refused; log in again and permit it")
	}
}
