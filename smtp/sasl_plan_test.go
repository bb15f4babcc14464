package smtp_test

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

func someToken(context.Context) (string, error) { return "ya29.token", nil }

func noMechanism(string, smtp.ServerInfo) (smtp.Mechanism, error) { return nil, nil }

func TestPlan(t *testing.T) {
	t.Parallel()
	bound := &tls.ConnectionState{Version: tls.VersionTLS12, HandshakeComplete: true, TLSUnique: []byte("finished")}
	unbound := &tls.ConnectionState{Version: tls.VersionTLS12, HandshakeComplete: true}
	password := smtp.Auth{Username: "u", Password: "p"}
	token := smtp.Auth{Username: "u", Token: someToken}
	all := "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS SCRAM-SHA-512 XOAUTH2 OAUTHBEARER EXTERNAL GSSAPI"
	for _, test := range []struct {
		name       string
		auth       smtp.Auth
		offered    string
		state      *tls.ConnectionState
		remembered string
		want       string
	}{
		{"over TLS", password, all, bound, "", "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5"},
		{"nothing to bind to", password, all, unbound, "", "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5"},
		{"without TLS", password, all, nil, "", "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN"},
		{"lower case", password, "login plain", bound, "", "PLAIN LOGIN"},
		{"remembered", password, all, nil, "plain", "PLAIN SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 LOGIN"},
		{"remembered but not offered", password, "PLAIN LOGIN", nil, "CRAM-MD5", "PLAIN LOGIN"},
		{"token", token, all, bound, "", "XOAUTH2 OAUTHBEARER"},
		{"token, one offered", token, "PLAIN OAUTHBEARER", bound, "", "OAUTHBEARER"},
		{"chosen", smtp.Auth{Mechanisms: []string{"login", "PLAIN", "LOGIN", "SCRAM-SHA-1-PLUS"}}, all, nil, "", "LOGIN PLAIN"},
		{"certificate", smtp.Auth{Identity: "me"}, all, bound, "", "EXTERNAL"},
		{"own mechanism", smtp.Auth{New: noMechanism, Mechanisms: []string{"GSSAPI", "NTLM"}}, all, bound, "", "GSSAPI"},
		{"own mechanisms, any", smtp.Auth{New: noMechanism}, "GSSAPI PLAIN", nil, "", "PLAIN GSSAPI"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.auth.Plan(strings.Fields(test.offered), test.state, test.remembered)
			if err != nil || !slices.Equal(got, strings.Fields(test.want)) {
				t.Errorf("got %q, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestPlanNothingInCommon(t *testing.T) {
	t.Parallel()
	state := &tls.ConnectionState{Version: tls.VersionTLS12, HandshakeComplete: true}
	password := smtp.Auth{Username: "u", Password: "hunter2"}
	for _, test := range []struct {
		auth    smtp.Auth
		offered []string
		state   *tls.ConnectionState
		words   []string
	}{
		{password, nil, state, []string{"no login at all", "465 or 587"}},
		{password, nil, nil, []string{"no login at all", "over TLS"}},
		{password, []string{"GSSAPI", "XOAUTH2"}, state, []string{"GSSAPI XOAUTH2", "PLAIN LOGIN CRAM-MD5"}},
		{smtp.Auth{Token: someToken}, []string{"PLAIN"}, state, []string{"offers PLAIN", "XOAUTH2 OAUTHBEARER"}},
		{smtp.Auth{Mechanisms: []string{"XOAUTH2", "SCRAM-SHA-1-PLUS"}}, []string{"XOAUTH2"}, nil, []string{"Auth.Token", "SCRAM-SHA-1-PLUS"}},
	} {
		names, err := test.auth.Plan(test.offered, test.state, "PLAIN")
		if err == nil {
			t.Errorf("%q: no error but %q", test.offered, names)
			continue
		}
		for _, word := range test.words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in: %v", word, err)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in: %v", err)
		}
	}
}

func TestAuthLine(t *testing.T) {
	t.Parallel()
	fits := make([]byte, 373) // 500 octets of base64 behind "AUTH PLAIN " would be 511
	for _, test := range []struct {
		initial []byte
		line    string
		pending bool
	}{
		{nil, "AUTH PLAIN", false},
		{[]byte{}, "AUTH PLAIN =", false},
		{[]byte("\x00u\x00p"), "AUTH PLAIN AHUAcA==", false},
		{fits[:372], "AUTH PLAIN " + strings.Repeat("A", 496), false},
		{fits, "AUTH PLAIN", true},
	} {
		line, pending := smtp.AuthLine("PLAIN", test.initial)
		if line != test.line || (pending != nil) != test.pending {
			t.Errorf("%d octets: %q, %d pending", len(test.initial), line, len(pending))
		}
	}
}

func TestMechanismTraits(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"PLAIN", "EXTERNAL", "LOGIN", "XOAUTH2", "OAUTHBEARER", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"} {
		if want := name == "PLAIN" || name == "EXTERNAL"; smtp.Groupable(name) != want {
			t.Errorf("groupable(%s) is not %t", name, want)
		}
		if want := strings.HasPrefix(name, "SCRAM") || name == "CRAM-MD5"; smtp.FallsBackToPlain(name) != want {
			t.Errorf("fallsBackToPlain(%s) is not %t", name, want)
		}
	}
}
