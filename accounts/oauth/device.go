package oauth

import (
	"context"
	"time"

	"golang.org/x/oauth2"
)

// longestDevice is how long a code is asked about that does not say when it ends.
const longestDevice = 15 * time.Minute

// mostFailures of the network or the server are waited out while a person is typing.
const mostFailures = 5

// loginByDevice shows a code, and asks until the person has typed it in elsewhere
// (RFC 8628).
func (c *Config) loginByDevice(ctx context.Context, o LoginOptions) (Token, error) {
	config := c.oauth2Config()
	begun, err := config.DeviceAuth(c.with(ctx), c.deviceOptions()...)
	if err != nil {
		return c.finish(ctx, nil, err)
	}
	if begun.Expiry.IsZero() {
		begun.Expiry = time.Now().Add(longestDevice)
	}
	o.Show(Prompt{URL: begun.VerificationURI, Code: begun.UserCode, Expires: begun.Expiry})
	for failures := 0; ; failures++ {
		answer, err := config.DeviceAccessToken(c.with(ctx), begun)
		t, err := c.finish(ctx, answer, err, begun.DeviceCode)
		e, ok := err.(*Error)
		if !ok || e.Permanent() || ctx.Err() != nil || failures == mostFailures {
			return t, err
		}
		if !time.Now().Before(begun.Expiry) {
			e.Err, e.Hint = context.DeadlineExceeded, "nobody has typed in the code in time: start again"
			return t, err
		}
	}
}

// deviceOptions: package oauth2 has a client with a secret say only its name.
func (c *Config) deviceOptions() []oauth2.AuthCodeOption {
	if c.ClientSecret == "" {
		return nil
	}
	return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("client_secret", c.ClientSecret)}
}
