package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"
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
	err = c.post(ctx, c.RevokeURL, url.Values{"token": {token}, "token_type_hint": {hint}})
	if err != nil {
		return false, failure("revoke the token", c.RevokeURL, err, append(c.secrets(), t.Access, t.Refresh))
	}
	return true, nil
}

// post sends a form as this client.
func (c *Config) post(ctx context.Context, endpoint string, form url.Values) error {
	basic := c.ClientAuth == AuthBasic && c.ClientSecret != ""
	if !basic {
		form.Set("client_id", c.ClientID)
		if c.ClientSecret != "" {
			form.Set("client_secret", c.ClientSecret)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		r.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(c.ClientSecret))
	}
	answer, err := c.client(ctx).Do(r)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return &Error{Server: hostOf(endpoint), Status: answer.StatusCode}
	}
	return nil
}
