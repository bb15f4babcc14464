package oauth

import (
	"crypto/subtle"
	"errors"
	"net/url"
)

// callback is what the browser brought back (RFC 6749 §4.1.2).
type callback struct{ code, refusal, description string }

var (
	errForeign   = errors.New("the state is not ours")
	errMalformed = errors.New("neither a code nor an error")
)

// parseCallback reads the query of the redirection. Each parameter counts only if
// it is there once (RFC 6749 §3.1).
func parseCallback(query, state string) (callback, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return callback{}, errMalformed
	}
	one := func(key string) string {
		if len(values[key]) != 1 {
			return ""
		}
		return values[key][0]
	}
	if state == "" || subtle.ConstantTimeCompare([]byte(one("state")), []byte(state)) != 1 {
		return callback{}, errForeign
	}
	a := callback{one("code"), one("error"), one("error_description")}
	if (a.code == "") == (a.refusal == "") {
		return callback{}, errMalformed
	}
	return a, nil
}
