package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// plan chooses the mechanisms to try, in order, from those that the server
// offers; never none without an error. The one that worked before goes first.
func (a *Auth) plan(offered []string, tls *tls.ConnectionState, remembered string) ([]string, error) {
	offered = upper(offered)
	wanted := a.wanted(tls)
	if a.New != nil && len(a.Mechanisms) == 0 {
		wanted = unique(append(wanted, offered...))
	}
	var names, possible []string
	for _, name := range wanted {
		switch isOffered := slices.Contains(offered, name); {
		// Channel binding data costs a key derivation: only where it is of use.
		case strings.HasSuffix(name, plus) && !isOffered && len(a.Mechanisms) == 0:
		case !a.can(name, tls):
		default:
			possible = append(possible, name)
			if isOffered {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil, a.nothingInCommon(offered, wanted, possible, tls != nil)
	}
	if i := slices.Index(names, strings.ToUpper(remembered)); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, strings.ToUpper(remembered))
	}
	return names, nil
}

// wanted lists what this login would use, best first, whatever is offered.
func (a *Auth) wanted(tls *tls.ConnectionState) []string {
	scram := []string{"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"}
	switch {
	case len(a.Mechanisms) > 0:
		return unique(upper(a.Mechanisms))
	case a.Token != nil && a.New == nil:
		return []string{"XOAUTH2", "OAUTHBEARER"}
	case a.Username == "" && a.Password == "" && a.New == nil:
		return []string{"EXTERNAL"}
	case tls == nil:
		return append(scram, "CRAM-MD5", "PLAIN", "LOGIN")
	}
	bound := []string{"SCRAM-SHA-512" + plus, "SCRAM-SHA-256" + plus, "SCRAM-SHA-1" + plus}
	return slices.Concat(bound, scram, []string{"PLAIN", "LOGIN", "CRAM-MD5"})
}

// can reports whether what the login holds and the link allow the mechanism.
func (a *Auth) can(name string, tls *tls.ConnectionState) bool {
	switch name {
	case "PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL":
		return true
	case "XOAUTH2", "OAUTHBEARER":
		return a.Token != nil || a.New != nil
	}
	if a.New != nil {
		return true
	}
	if isScram(name) && strings.HasSuffix(name, plus) {
		_, err := channelBinding(tls)
		return err == nil
	}
	return isScram(name)
}

func (a *Auth) nothingInCommon(offered, wanted, possible []string, encrypted bool) error {
	switch {
	case len(offered) == 0 && encrypted:
		return errors.New("the server offers no login at all (no AUTH in its answer to EHLO): use its submission port (465 or 587), or send without a login if it needs none")
	case len(offered) == 0:
		return errors.New("the server offers no login at all (no AUTH in its answer to EHLO): many offer it only over TLS or on the submission port (465 or 587)")
	case len(possible) == 0:
		return fmt.Errorf("the server offers the logins %s, but of those wanted (%s) none can be used here: OAuth needs Auth.Token, %s needs TLS",
			strings.Join(offered, " "), strings.Join(wanted, " "), plus)
	}
	return fmt.Errorf("no login in common: the server offers %s, we could do %s",
		strings.Join(offered, " "), strings.Join(possible, " "))
}

func upper(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.ToUpper(name)
	}
	return out
}

// unique keeps the first of each name.
func unique(names []string) []string {
	var out []string
	for _, name := range names {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
