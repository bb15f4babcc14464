package oauth

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// mostRead of an answer is enough for any.
const mostRead = 1 << 20

// post sends a form as this client, and returns what was answered. An answer that is
// no success is an [oauth2.RetrieveError].
func (c *Config) post(ctx context.Context, endpoint string, form url.Values) ([]byte, error) {
	r, err := c.request(ctx, endpoint, form)
	if err != nil {
		return nil, err
	}
	answer, err := c.client(ctx).Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostRead))
	if err != nil {
		return nil, errBroken
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return nil, &oauth2.RetrieveError{Response: answer, Body: body}
	}
	return body, nil
}

func (c *Config) request(ctx context.Context, endpoint string, form url.Values) (*http.Request, error) {
	basic := c.style() == oauth2.AuthStyleInHeader
	if !basic {
		form.Set("client_id", c.ClientID)
		if c.ClientSecret != "" {
			form.Set("client_secret", c.ClientSecret)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if basic {
		r.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(c.ClientSecret))
	}
	return r, nil
}
