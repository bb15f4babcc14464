package kaizen_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// noSuchHost fails as a name look-up does.
func noSuchHost(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "nowhere.example", IsNotFound: true}}
}

// Verify says what is wrong, and what to do.
func TestVerify(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{TLS: smtptest.TLSStartTLS, Auth: &smtptest.Auth{Users: map[string]string{"ann": password}, Required: true}})
	good := kaizen.Account{Host: "localhost", Username: "ann", Password: password, DialContext: s.DialContext, TLSConfig: s.ClientTLS()}
	for name, c := range map[string]struct {
		change func(*kaizen.Account)
		class  error
		says   string
	}{
		"all is well":           {func(*kaizen.Account) {}, nil, ""},
		"no login":              {func(a *kaizen.Account) { a.Username, a.Password = "", "" }, nil, ""},
		"wrong password":        {func(a *kaizen.Account) { a.Password = "wrong" }, kaizen.ErrAuth, "check user name and password"},
		"untrusted certificate": {func(a *kaizen.Account) { a.TLSConfig = nil }, kaizen.ErrTLS, "install its CA"},
		"another's certificate": {func(a *kaizen.Account) { a.Host = "mail.example.org" }, kaizen.ErrTLS, "for another name"},
		"no such host":          {func(a *kaizen.Account) { a.DialContext = noSuchHost }, kaizen.ErrConnect, "check the host name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := kaizen.New(kaizen.Config{})
			defer client.Close()
			a := good
			c.change(&a)
			err := client.Verify(t.Context(), a)
			var e *kaizen.Error
			if c.class == nil && err != nil || c.class != nil && (!errors.Is(err, c.class) || !errors.As(err, &e) ||
				!strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "account ann@"+a.Host+":587: ")) {
				t.Errorf("%v", err)
			}
			if transport, terr := client.Transport(t.Context(), a); (terr == nil) != (c.class == nil) || terr != nil && transport != nil {
				t.Errorf("Transport: %v", terr)
			}
		})
	}
}

// fickle is a login server that refuses until it is told otherwise.
type fickle struct {
	mu      sync.Mutex
	refuses bool
}

func (f *fickle) set(refuses bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuses = refuses
}

func (f *fickle) verdict(string, string) *smtptest.Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses {
		return &smtptest.Reply{Code: 535, Text: "5.7.8 no"}
	}
	return nil
}

// A stopped account knocks no more, until its password changes, a Verify has
// succeeded, or a person resumes it.
func TestStoppedAccounts(t *testing.T) {
	t.Parallel()
	for name, resume := range map[string]func(*kaizen.Client, kaizen.Account) error{
		"verified": func(c *kaizen.Client, a kaizen.Account) error { return c.Verify(context.Background(), a) },
		"resumed":  func(c *kaizen.Client, a kaizen.Account) error { return c.Resume(context.Background(), a) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			login := &fickle{refuses: true}
			s := memoryServer(t, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": password}, Verdict: login.verdict}})
			client := kaizen.New(kaizen.Config{})
			defer client.Close()
			a := account(s)
			a.Username, a.Password = "ann", password
			stopped := func() {
				t.Helper()
				for range 3 {
					if _, err := client.Send(t.Context(), a, note("x")); !errors.Is(err, kaizen.ErrAuth) {
						t.Errorf("%v", err)
					}
				}
			}
			stopped()
			login.set(false)
			stopped() // it does not know, and does not knock
			if n := s.Stats().LoginsRefused; n != 1 {
				t.Errorf("knocked %d times", n)
			}
			if err := resume(client, a); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Send(t.Context(), a, note("1")); err != nil {
				t.Errorf("after that: %v", err)
			}
		})
	}
}

// A Verify that fails resumes nothing.
func TestFailedVerifyResumesNothing(t *testing.T) {
	t.Parallel()
	login := &fickle{refuses: true}
	s := memoryServer(t, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": password}, Verdict: login.verdict}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	a := account(s)
	a.Username, a.Password = "ann", password
	_, _ = client.Send(t.Context(), a, note("x"))
	if err := client.Verify(t.Context(), a); !errors.Is(err, kaizen.ErrAuth) {
		t.Errorf("Verify: %v", err)
	}
	_, err := client.Send(t.Context(), a, note("x"))
	if n := s.Stats().LoginsRefused; !errors.Is(err, kaizen.ErrAuth) || n != 2 {
		t.Errorf("knocked %d times: %v", n, err)
	}
}

// A new access token is used although everything else is as before: the
// function that gives it has the same code.
func TestNewAccessTokenIsUsed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	s := memoryServer(t, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": "second"}, Mechanisms: []string{"XOAUTH2"}}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	with := func(token string) kaizen.Account {
		a := account(s)
		a.Auth = &smtp.Auth{Username: "ann", Token: func(context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, token)
			return token, nil
		}}
		return a
	}
	_, _ = client.Send(t.Context(), with("first"), note("1"))
	if err := client.Resume(t.Context(), with("second")); err != nil {
		t.Error(err)
	}
	if _, err := client.Send(t.Context(), with("second"), note("2")); err != nil {
		t.Errorf("%v; tokens used: %q", err, seen)
	}
}
