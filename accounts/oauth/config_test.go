package oauth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

func TestSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	for part, c := range map[string]oauth.Config{
		"oauth.client_id: missing: register a client":                   {Provider: "google"},
		"oauth.provider: \"gogle\"":                                     {Provider: "gogle", ClientID: "x"},
		"Google permits no mail with the device flow":                   {Provider: "google", ClientID: "x", Flow: oauth.FlowDevice},
		"Google has no client-credentials":                              {Provider: "google", ClientID: "x", Flow: oauth.FlowClientCredentials},
		"Microsoft has no service-account":                              {Provider: "microsoft", Flow: oauth.FlowServiceAccount},
		"oauth.tenant: missing":                                         {Provider: "microsoft", ClientID: "x", ClientSecret: "s", Flow: oauth.FlowClientCredentials},
		"oauth.tenant: is for microsoft only":                           {Provider: "google", ClientID: "x", Tenant: "t"},
		"oauth.tenant: is neither":                                      {Provider: "microsoft", ClientID: "x", Tenant: "../evil"},
		"oauth.client_secret: missing":                                  {Provider: "microsoft", ClientID: "x", Tenant: "t", Flow: oauth.FlowClientCredentials},
		"oauth.key_file: missing":                                       {Provider: "google", Flow: oauth.FlowServiceAccount},
		"oauth.auth_url: missing":                                       {ClientID: "x"},
		"oauth.token_url: missing":                                      {ClientID: "x", AuthURL: "https://a"},
		"oauth.device_url: missing":                                     {ClientID: "x", TokenURL: "https://a", Flow: oauth.FlowDevice},
		"oauth.token_url: must begin with https":                        {ClientID: "x", AuthURL: "https://a", TokenURL: "http://example.com/t"},
		"oauth.token_url: must not have a user":                         {ClientID: "x", AuthURL: "https://a", TokenURL: "https://u:" + clientSecret + "@example.com/t"},
		"oauth.token_url: is no URL":                                    {ClientID: "x", AuthURL: "https://a", TokenURL: "example.com"},
		"oauth.flow: \"magic\" is none of code, device":                 {ClientID: "x", Flow: "magic"},
		"oauth.client_auth: \"jwt\" is neither basic nor post":          {ClientID: "x", ClientAuth: "jwt", AuthURL: "https://a", TokenURL: "https://a"},
		"oauth.key_file: is JSON, but no key of a service account":      {Flow: oauth.FlowServiceAccount, Key: []byte(`{"type":"authorized_user"}`)},
		"oauth.key_file: has no private_key that can sign (RSA, in PEM": {Flow: oauth.FlowServiceAccount, Key: []byte(`{"type":"service_account","client_email":"a@b","private_key":"` + clientSecret + `"}`)},
	} {
		_, err := c.Complete()
		var wrong *oauth.ConfigError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), clientSecret) {
			t.Errorf("%v, want %s", err, part)
		}
		if _, err := oauth.NewSource(c, oauth.SourceOptions{}); err == nil {
			t.Errorf("a source of %v", c)
		}
	}
	if _, err := (oauth.Config{Provider: "google"}).Complete(); !errors.Is(err, oauth.ErrNoClient) {
		t.Errorf("%v", err)
	}
}

func TestProvidersFillIn(t *testing.T) {
	t.Parallel()
	c, err := oauth.Config{Provider: "microsoft", Flow: oauth.FlowClientCredentials, ClientID: "x", ClientSecret: "s", Tenant: "example.com"}.Complete()
	must(t, err)
	if c.TokenURL != "https://login.microsoftonline.com/example.com/oauth2/v2.0/token" || c.Scopes[0] != "https://outlook.office365.com/.default" || c.ClientAuth != oauth.AuthPost {
		t.Errorf("%s %s %s", c.TokenURL, c.Scopes, c.ClientAuth)
	}
	c, err = oauth.Config{ClientID: "x", AuthURL: "http://127.0.0.1:1/a", TokenURL: "http://localhost/t"}.Complete()
	must(t, err)
	if c.ClientAuth != oauth.AuthBasic || c.Flow != oauth.FlowCode {
		t.Errorf("%s %s", c.ClientAuth, c.Flow)
	}
}
