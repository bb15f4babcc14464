package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	// longestDevice is how long a code is asked about that does not say when it ends.
	longestDevice = 15 * time.Minute
	// mostFailures of the network or the server are waited out while a person types.
	mostFailures = 5
	// standardInterval is what RFC 8628 §3.2 has where nothing is said.
	standardInterval = 5
)

const hintStartAgain = "start again, and type in the new code in time"

var errCodeEnded = errors.New("the code has ended before anybody typed it in")

// loginByDevice shows a code, and asks until the person has typed it in elsewhere
// (RFC 8628).
func (c *Config) loginByDevice(ctx context.Context, o LoginOptions) (Token, error) {
	begun, err := c.beginDevice(ctx)
	if err != nil {
		return c.finish(ctx, nil, err)
	}
	config := c.oauth2Config()
	o.Show(Prompt{URL: begun.VerificationURI, Code: begun.UserCode, Expires: begun.Expiry})
	for failures := 0; ; failures++ {
		answer, err := config.DeviceAccessToken(c.with(ctx), begun)
		t, err := c.finish(ctx, answer, err, begun.DeviceCode)
		e, ok := err.(*Error)
		if ok && ctx.Err() == nil && !time.Now().Before(begun.Expiry) {
			e.Err, e.Hint = errCodeEnded, hintStartAgain
			return t, err
		}
		if ok && e.Code == "expired_token" {
			e.Hint = hintStartAgain
		}
		if !ok || e.Permanent() || ctx.Err() != nil || failures == mostFailures {
			return t, err
		}
		begun.Interval *= 2 // §3.5
	}
}

// beginDevice asks for a code. Package oauth2 has a client with a secret say only
// its name, and ends the program where the answer is "null".
func (c *Config) beginDevice(ctx context.Context) (*oauth2.DeviceAuthResponse, error) {
	now := time.Now()
	body, err := c.post(ctx, c.DeviceURL, url.Values{"client_id": {c.ClientID}, "scope": {strings.Join(c.Scopes, " ")}})
	if err != nil {
		return nil, err
	}
	var said struct {
		DeviceCode string      `json:"device_code"`
		UserCode   string      `json:"user_code"`
		URI        string      `json:"verification_uri"`
		URL        string      `json:"verification_url"` // as some write it
		ExpiresIn  json.Number `json:"expires_in"`
		Interval   json.Number `json:"interval"`
	}
	if json.Unmarshal(body, &said) != nil || said.DeviceCode == "" || said.UserCode == "" || said.URI+said.URL == "" {
		return nil, errNoAnswer
	}
	if said.URI == "" {
		said.URI = said.URL
	}
	return &oauth2.DeviceAuthResponse{DeviceCode: said.DeviceCode, UserCode: said.UserCode, VerificationURI: said.URI,
		Expiry: now.Add(seconds(said.ExpiresIn, longestDevice)), Interval: int64(seconds(said.Interval, standardInterval*time.Second) / time.Second)}, nil
}

// seconds reads a time that a server gives a person: none, or one of more than a
// day, is the usual one.
func seconds(n json.Number, usual time.Duration) time.Duration {
	const day = 24 * 60 * 60
	said, err := n.Int64()
	if err != nil || said <= 0 || said > day {
		return usual
	}
	return time.Duration(said) * time.Second
}
