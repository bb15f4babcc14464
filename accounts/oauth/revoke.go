package oauth

import (
	"context"
	"net/url"
)

// Revoke tells the authorization server that the token is not used any more (RFC
// 7009). It reports false if there is nobody to tell, or nothing.
func (c Config) Revoke(ctx context.Context, t Token) (bool, error) {
	c, err := c.Complete()
	if err != nil {
		return false, err
	}
	token, hint := t.Refresh, "refresh_token"
	if token == "" {
		token, hint = t.Access, "access_token"
	}
	if token == "" || c.RevokeURL == "" {
		return false, nil
	}
	if _, err = c.post(ctx, c.RevokeURL, url.Values{"token": {token}, "token_type_hint": {hint}}); err == nil {
		return true, nil
	}
	e := c.failure("revoke the token", c.RevokeURL, err, t.Access, t.Refresh)
	if e.Code == "invalid_token" {
		return true, nil // it has ended already: §2.2 has that be a success, Google has not
	}
	return false, e
}
