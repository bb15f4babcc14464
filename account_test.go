package kaizen_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const (
	password    = "correct-horse-7"
	accessToken = "ya29.token-8"
)

// shows writes values in every way a program is likely to and looks for a
// secret in it.
func shows(t *testing.T, what string, values ...any) {
	t.Helper()
	for _, v := range values {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		if octets, err := json.Marshal(v); err == nil {
			out.Write(octets)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", v)
		if err, ok := v.(error); ok {
			for ; err != nil; err = errors.Unwrap(err) {
				fmt.Fprintln(&out, err)
			}
		}
		mustNotShow(t, what, out.String())
	}
}

func mustNotShow(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range []string{password, accessToken} {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
			if i := strings.Index(text, form); i >= 0 {
				t.Fatalf("%s shows %q: …%.200s", what, secret, text[max(0, i-100):])
			}
		}
	}
}

func TestAccountsShowNoSecret(t *testing.T) {
	t.Parallel()
	withPassword := kaizen.Account{Name: "work", Host: "mx.example.com", Username: "ann", Password: password, TLSConfig: new(tls.Config)}
	withAuth := kaizen.Account{Host: "mx.example.com", Auth: &smtp.Auth{Username: "ann", Password: password,
		Token: func(context.Context) (string, error) { return accessToken, nil }}}
	// Some providers take a token as both user name and password.
	twice := kaizen.Account{Host: "mx.example.com", Username: password, Password: password}
	for _, a := range []kaizen.Account{withPassword, withAuth, twice} {
		shows(t, "an account", a, &a,
			struct{ A kaizen.Account }{a}, struct{ A *kaizen.Account }{&a},
			[]kaizen.Account{a}, []*kaizen.Account{&a}, [1]kaizen.Account{a},
			map[string]kaizen.Account{"k": a}, map[string]*kaizen.Account{"k": &a}, []any{a},
			fmt.Errorf("account %v: %+v", a, &a))
	}
	if s := fmt.Sprint(withPassword); s != "account work" {
		t.Errorf("an account prints as %q", s)
	}
	if s := fmt.Sprint(kaizen.Account{Host: "mx", Username: "ann"}); s != "account ann@mx:587" {
		t.Errorf("an account without a name prints as %q", s)
	}
}

// Accounts whose user name is a secret stay apart all the same.
func TestAccountsOfDifferentTokensAreDifferent(t *testing.T) {
	t.Parallel()
	one := fmt.Sprint(kaizen.Account{Host: "mx", Username: "token-a", Password: "token-a"})
	two := fmt.Sprint(kaizen.Account{Host: "mx", Username: "token-b", Password: "token-b"})
	if one == two {
		t.Errorf("both print as %q", one)
	}
}

// echo is a server that repeats the secrets, in the clear and encoded as they
// came, in every reply it can.
func echo(t *testing.T, phase smtptest.Phase, code int, secret string, users map[string]string, mechanisms ...string) *smtptest.Server {
	secrets := secret + " " + base64.StdEncoding.EncodeToString([]byte(secret))
	return memoryServer(t, smtptest.Config{
		Auth: &smtptest.Auth{Users: users, Mechanisms: mechanisms,
			Refused: smtptest.Reply{Code: 535, Text: "5.7.8 wrong: " + secrets}},
		Faults: []smtptest.Fault{{Phase: phase, Action: smtptest.Answer, Reply: smtptest.Reply{Code: code, Text: "you said " + secrets}}},
	})
}

// secretive keeps all that leaves a client on the side: logs and traces.
type secretive struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *secretive) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *secretive) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

func (s *secretive) trace() *smtp.Trace {
	return &smtp.Trace{
		Sent:     func(line string) { fmt.Fprintln(s, line) },
		Received: func(r smtp.Reply) { fmt.Fprintln(s, r) },
		Closed:   func(err error) { fmt.Fprintln(s, err) },
	}
}

// A server that repeats password or token anywhere in a session does not get
// them into anything a program sees.
func TestSessionsShowNoSecretThatTheServerEchoes(t *testing.T) {
	t.Parallel()
	withPassword := &smtp.Auth{Username: "ann", Password: password}
	withToken := &smtp.Auth{Username: "ann", Password: password, Token: func(context.Context) (string, error) { return accessToken, nil }}
	for name, s := range map[string]struct {
		auth      *smtp.Auth
		phase     smtptest.Phase
		code      int
		users     map[string]string
		mechanism string
	}{
		"login refused":         {withPassword, smtptest.PhaseAUTH, 535, nil, "PLAIN"},
		"LOGIN refused":         {withPassword, smtptest.PhaseAUTH, 454, nil, "LOGIN"},
		"CRAM refused":          {withPassword, smtptest.PhaseAUTH, 535, nil, "CRAM-MD5"},
		"greeting":              {withPassword, smtptest.PhaseGreeting, 554, nil, "PLAIN"},
		"hello":                 {withPassword, smtptest.PhaseEHLO, 554, nil, "PLAIN"},
		"sender refused":        {withPassword, smtptest.PhaseMAIL, 550, map[string]string{"ann": password}, "PLAIN"},
		"recipient refused":     {withPassword, smtptest.PhaseRCPT, 550, map[string]string{"ann": password}, "PLAIN"},
		"content refused":       {withPassword, smtptest.PhaseFinal, 550, map[string]string{"ann": password}, "PLAIN"},
		"accepted":              {withPassword, smtptest.PhaseFinal, 250, map[string]string{"ann": password}, "PLAIN"},
		"token refused":         {withToken, smtptest.PhaseAUTH, 535, nil, "XOAUTH2"},
		"bearer refused":        {withToken, smtptest.PhaseAUTH, 535, nil, "OAUTHBEARER"},
		"token, accepted":       {withToken, smtptest.PhaseFinal, 250, map[string]string{"ann": accessToken}, "XOAUTH2"},
		"bearer, refused later": {withToken, smtptest.PhaseMAIL, 550, map[string]string{"ann": accessToken}, "OAUTHBEARER"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret := password
			if s.auth.Token != nil {
				secret = accessToken
			}
			server := echo(t, s.phase, s.code, secret, s.users, s.mechanism)
			aside := &secretive{}
			a := account(server)
			a.Auth, a.Trace = s.auth, aside.trace()
			client := kaizen.New(kaizen.Config{Logger: slog.New(slog.NewTextHandler(aside, nil))})
			defer client.Close()

			receipt, err := client.Send(t.Context(), a, note("1"))
			verified := client.Verify(t.Context(), a)
			transport, terr := client.Transport(t.Context(), a)
			shows(t, "a session", receipt, err, verified, transport, terr, client, client.Stats())
			if receipt != nil {
				shows(t, "a transaction", receipt.Transactions[0], *receipt)
			}
			if (err == nil) != (s.code == 250) {
				t.Errorf("answered %d, got %v", s.code, err)
			}
			mustNotShow(t, "log or trace", aside.String())
		})
	}
}
