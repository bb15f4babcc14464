package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/smtp"
)

// Tokens that have ended: the server's life of three seconds is less than what a token
// must have left.
const ended = 3 * time.Second

func TestHundredConnectionsMakeOneRenewal(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.authority.library.lasting(ended)
	s := p.store(t)
	p.login(t, s)
	p.authority.library.lasting(5 * time.Minute)
	account, err := s.Account(t.Context(), "work")
	must(t, err)
	host, port, err := net.SplitHostPort(p.server.Addr())
	must(t, err)
	number, err := strconv.Atoi(port)
	must(t, err)
	const n = 100
	conns, errs := make([]*smtp.Conn, n), make([]error, n)
	for i := range conns {
		conns[i], err = smtp.Dial(t.Context(), smtp.Config{Host: host, Port: number, TLS: smtp.TLSNone, Auth: account.Auth})
		must(t, err)
	}
	before := p.authority.asked.Load()
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() { errs[i] = c.Authenticate(context.Background()) })
	}
	all.Wait()
	must(t, errors.Join(errs...))
	if got := p.authority.asked.Load() - before; got != 1 {
		t.Errorf("%d requests at the token endpoint", got)
	}
	if stats := p.server.Stats(); stats.LoginsAccepted != n || stats.LoginsRefused != 0 {
		t.Errorf("%d logins, %d refused", stats.LoginsAccepted, stats.LoginsRefused)
	}
	for _, c := range conns {
		_ = c.Quit(t.Context())
	}
}

func TestClientSendsThroughExpiry(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.authority.library.lasting(ended)
	s := p.store(t)
	p.login(t, s)
	p.authority.library.lasting(5 * time.Minute)
	c := p.client(t, s)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if err := send(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := p.authority.renewed.Load(); got != 1 || p.server.Stats().Accepted != 100 {
		t.Errorf("%d renewals, %d accepted", got, p.server.Stats().Accepted)
	}
}

// Stores that know nothing of each other are as processes are: they have only the
// files in common.
func TestProcessesAtOnceMakeOneRenewal(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.authority.library.lasting(ended)
	p.login(t, p.store(t))
	p.authority.library.lasting(5 * time.Minute)
	var all sync.WaitGroup
	for range 5 {
		account, err := p.store(t).Account(t.Context(), "work")
		must(t, err)
		for range 10 {
			all.Go(func() {
				if token, err := account.Auth.Token(t.Context()); err != nil || !p.authority.takes(mailbox, token) {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if got := p.authority.renewed.Load(); got != 1 {
		t.Errorf("%d renewals", got)
	}
}

// What one process has got is used by the next, and the token before is gone.
func TestNextProcessHasTheRotatedToken(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.authority.library.lasting(ended)
	first := p.store(t)
	login := p.login(t, first)
	for range 3 {
		must(t, p.client(t, first).Verify(t.Context(), kaizen.Account{Name: "work"}))
		must(t, p.client(t, p.store(t)).Verify(t.Context(), kaizen.Account{Name: "work"}))
	}
	kept, err := p.store(t).Token(t.Context(), "work")
	must(t, err)
	if kept.Refresh == login.Refresh || !kept.Login.Equal(login.Login) || p.authority.renewed.Load() != 6 {
		t.Errorf("%v, %d renewals", kept, p.authority.renewed.Load())
	}
	for _, file := range []string{"tokens/work.age", "secrets.age", "key.txt", "tokens/work.lock"} {
		info, err := os.Stat(filepath.Join(p.dir, file))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", file, info.Mode())
		}
		content, err := os.ReadFile(filepath.Join(p.dir, file))
		must(t, err)
		noToken(t, file, string(content), login, kept)
	}
}

func TestRevokedConsentStopsTheAccount(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.authority.library.lasting(ended)
	s := p.store(t)
	login := p.login(t, s)
	p.authority.revoke(t, login.Refresh)
	c := p.client(t, s)
	for i := range 5 {
		err := send(t.Context(), c)
		if !errors.Is(err, kaizen.ErrAuth) || !strings.Contains(err.Error(), "kaizen account login work") || i == 0 && !strings.Contains(err.Error(), "invalid_grant") {
			t.Fatalf("%v", err)
		}
		noToken(t, "the error", fmt.Sprintf("%v %+v %#v", err, err, err), login)
	}
	if got := p.authority.renewed.Load(); got != 1 {
		t.Errorf("%d requests", got)
	}
	other := p.client(t, p.store(t))
	if err := send(t.Context(), other); !errors.As(err, new(*kaizen.StoppedError)) || !strings.Contains(err.Error(), "kaizen account login work") {
		t.Errorf("another client: %v", err)
	}
	if got := p.authority.renewed.Load(); got != 1 {
		t.Errorf("%d requests", got)
	}
	// Somebody logs in again, in yet another process: all go on.
	p.authority.library.lasting(5 * time.Minute)
	third := p.store(t)
	p.login(t, third)
	must(t, p.client(t, third).Verify(t.Context(), kaizen.Account{Name: "work"}))
	must(t, send(t.Context(), c))
	must(t, send(t.Context(), other))
}

func TestAuthorityThatIsDownStopsNothing(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.authority.library.lasting(ended)
	s := p.store(t)
	p.login(t, s)
	c := p.client(t, s)
	p.authority.down.Store(true)
	err := send(t.Context(), c)
	var e *kaizen.Error
	if !errors.As(err, &e) || !e.Temporary() || !e.SafeToRetry() || e.Class != smtp.ClassAuthTemporary {
		t.Errorf("%v", err)
	}
	if all, err := kaizen.ReadStatus(filepath.Join(p.dir, "state")); err != nil || len(all) > 0 && all[0].Health.Stopped() {
		t.Errorf("stopped: %v %v", all, err)
	}
	p.authority.down.Store(false)
	p.authority.library.lasting(5 * time.Minute)
	deadline := time.Now().Add(30 * time.Second)
	for err = send(t.Context(), c); err != nil && time.Now().Before(deadline); err = send(t.Context(), c) {
		select {
		case <-t.Context().Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	must(t, err)
}

func TestTokenThatEndedBeforeItsTimeIsRenewedOnce(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	s := p.store(t)
	p.login(t, s)
	p.authority.library.endAll()
	c := p.client(t, s)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := send(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := p.authority.renewed.Load(); got != 1 || p.server.Stats().LoginsRefused != 1 {
		t.Errorf("%d renewals, %d refused", got, p.server.Stats().LoginsRefused)
	}
}

func TestAnotherClientIDNeedsAnotherLogin(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	s := p.store(t)
	p.login(t, s)
	e, err := s.Entry("work")
	must(t, err)
	must(t, e.Set("oauth.client_id", "another"))
	must(t, s.Put(t.Context(), e))
	if _, err := s.Account(t.Context(), "work"); !errors.Is(err, accounts.ErrNoSecret) || !strings.Contains(err.Error(), "kaizen account login work") {
		t.Errorf("%v", err)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	s := p.store(t)
	login := p.login(t, s)
	must(t, p.client(t, s).Verify(t.Context(), kaizen.Account{Name: "work"}))
	revoked, err := s.Logout(t.Context(), "work")
	if !revoked || err != nil {
		t.Errorf("%v %v", revoked, err)
	}
	if p.authority.takes(mailbox, login.Access) {
		t.Log("the example's server lets access tokens end by themselves")
	}
	if _, err := s.Account(t.Context(), "work"); !errors.Is(err, accounts.ErrNoSecret) {
		t.Errorf("%v", err)
	}
}
