package oauth_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// shelf is a Keep that several sources share, as several processes would.
type shelf struct {
	mu    sync.Mutex
	token oauth.Token
	saved []oauth.Token
	lock  chan struct{}
	fails error
	slow  chan struct{} // if set, saving waits for it
}

func newShelf(t oauth.Token) *shelf { return &shelf{token: t, lock: make(chan struct{}, 1)} }

func (s *shelf) Lock(ctx context.Context) (func(), error) {
	select {
	case s.lock <- struct{}{}:
		return func() { <-s.lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *shelf) Load(context.Context) (oauth.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token, nil
}

func (s *shelf) Save(_ context.Context, t oauth.Token) error {
	if s.slow != nil {
		<-s.slow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return s.fails
	}
	s.token = t
	s.saved = append(s.saved, t)
	return nil
}

func (s *shelf) become(fails error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = fails
}

// login is a token that lasts an hour from now.
func login() oauth.Token {
	now := time.Now()
	return oauth.Token{Access: firstAccess, Refresh: firstRefresh, Expires: now.Add(time.Hour), Renewed: now, Login: now,
		ClientID: "client", TokenURL: "https://login.example/token"}
}

func source(t *testing.T, a *authority, o oauth.SourceOptions) *oauth.Source {
	t.Helper()
	s, err := oauth.NewSource(config(a), o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func want(t *testing.T, s *oauth.Source, token string) {
	t.Helper()
	if got, err := s.Token(t.Context()); got != token || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, token)
	}
}

// crowd asks for tokens from many goroutines at once.
func crowd(s *oauth.Source, n int) (tokens []string, errs []error) {
	tokens, errs = make([]string, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { tokens[i], errs[i] = s.Token(context.Background()) })
	}
	all.Wait()
	return tokens, errs
}

func TestOneRenewalHoweverManyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		s := source(t, a, oauth.SourceOptions{Token: login()})
		want(t, s, firstAccess)
		if a.count() != 0 {
			t.Errorf("%d requests for a token that is good", a.count())
		}
		time.Sleep(2 * time.Hour)
		tokens, errs := crowd(s, 100)
		if a.count() != 1 || errors.Join(errs...) != nil {
			t.Errorf("%d requests, %v", a.count(), errors.Join(errs...))
		}
		if slices.ContainsFunc(tokens, func(got string) bool { return got != numbered("access", 1) }) {
			t.Errorf("%q", tokens)
		}
		form := a.requests[0]
		if form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != firstRefresh {
			t.Errorf("%v", form)
		}
	})
}

func TestEarlyRenewalKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600), gate: make(chan struct{})}
		s := source(t, a, oauth.SourceOptions{Token: login()})
		want(t, s, firstAccess)
		time.Sleep(56 * time.Minute) // 5 minutes before the end it is due
		crowd(s, 20)
		want(t, s, firstAccess)
		close(a.gate)
		synctest.Wait()
		want(t, s, numbered("access", 1))
		if a.count() != 1 {
			t.Errorf("%d requests", a.count())
		}
	})
}

func TestTokenThatIsGoodIsUsedWhileRenewingFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: refusing(503, "", "")}
		s := source(t, a, oauth.SourceOptions{Token: login()})
		want(t, s, firstAccess)
		time.Sleep(57 * time.Minute)
		for range 60 {
			want(t, s, firstAccess)
			time.Sleep(time.Second)
		}
		if n := a.count(); n < 4 || n > 8 {
			t.Errorf("%d requests in a minute", n)
		}
		time.Sleep(5 * time.Minute)
		_, err := s.Token(t.Context())
		var e *oauth.Error
		if !errors.As(err, &e) || e.Permanent() || e.Status != 503 {
			t.Errorf("%v", err)
		}
		a.become(granting(3600))
		time.Sleep(2 * time.Minute)
		want(t, s, numbered("access", 1))
	})
}

func TestFailureIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: refusing(500, "server_error", "down")}
		s := source(t, a, oauth.SourceOptions{Token: login()})
		time.Sleep(2 * time.Hour)
		_, errs := crowd(s, 100)
		_, more := crowd(s, 100)
		if a.count() != 1 {
			t.Errorf("%d requests", a.count())
		}
		for _, err := range append(errs, more...) {
			if err == nil {
				t.Fatal("no error")
			}
		}
	})
}

func TestWaiterLeavesAndRenewalGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600), gate: make(chan struct{})}
		s := source(t, a, oauth.SourceOptions{Token: login()})
		time.Sleep(2 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		close(a.gate)
		want(t, s, numbered("access", 1))
		if a.count() != 1 {
			t.Errorf("%d requests", a.count())
		}
	})
}

func TestRenewalHasItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600), gate: make(chan struct{})}
		s := source(t, a, oauth.SourceOptions{Token: login()})
		time.Sleep(2 * time.Hour)
		began := time.Now()
		_, err := s.Token(t.Context())
		if took := time.Since(began); took != 30*time.Second || err == nil || !strings.Contains(err.Error(), "no answer in time") {
			t.Errorf("%v: %v", took, err)
		}
		close(a.gate)
	})
}

// Somebody has to consent again: the server is asked once, and not again before a
// token is kept that it has not refused.
func TestRevokedForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: refusing(400, "invalid_grant", "Token has been expired or revoked: "+firstRefresh)}
		keep := newShelf(login())
		s := source(t, a, oauth.SourceOptions{Keep: keep, Hint: "run it again"})
		time.Sleep(2 * time.Hour)
		for range 10 {
			_, err := s.Token(t.Context())
			var e *oauth.Error
			if !errors.As(err, &e) || !e.Permanent() || e.Code != "invalid_grant" || !strings.Contains(err.Error(), "(run it again)") || strings.Contains(err.Error(), firstRefresh) {
				t.Fatalf("%v", err)
			}
			time.Sleep(time.Minute)
		}
		if a.count() != 1 {
			t.Errorf("%d requests", a.count())
		}
		again := login()
		again.Access, again.Refresh = numbered("access", 20), numbered("refresh", 20)
		must(t, keep.Save(t.Context(), again))
		want(t, s, again.Access)
	})
}

func TestWithoutRefreshTokenALoginIsNeeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		other := login()
		other.ClientID = "another"
		for _, kept := range []oauth.Token{{}, other, {Access: firstAccess, Expires: time.Now(), ClientID: "client", TokenURL: "https://login.example/token"}} {
			s := source(t, a, oauth.SourceOptions{Token: kept})
			_, err := s.Token(t.Context())
			var e *oauth.Error
			if !errors.Is(err, oauth.ErrLogin) || !errors.As(err, &e) || !e.Permanent() {
				t.Errorf("%v", err)
			}
		}
		if a.count() != 0 {
			t.Errorf("%d requests", a.count())
		}
	})
}

// The refresh token that came with the new access token is kept before anybody has
// that.
func TestKeptBeforeUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		keep := newShelf(login())
		keep.slow = make(chan struct{})
		s := source(t, a, oauth.SourceOptions{Keep: keep})
		time.Sleep(2 * time.Hour)
		got := make(chan string, 1)
		go func() {
			token, _ := s.Token(context.Background())
			got <- token
		}()
		time.Sleep(10 * time.Second)
		select {
		case <-got:
			t.Error("handed out before it was kept")
		default:
		}
		close(keep.slow)
		if token := <-got; token != numbered("access", 1) || len(keep.saved) != 1 || keep.saved[0].Refresh != numbered("refresh", 1) {
			t.Errorf("%q, %d saved", token, len(keep.saved))
		}
	})
}

func TestTokenThatCannotBeKeptIsUsedAndTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		keep := newShelf(login())
		keep.fails = errors.New("disk full")
		var told []error
		s := source(t, a, oauth.SourceOptions{Keep: keep, Trouble: func(err error) { told = append(told, err) }})
		time.Sleep(2 * time.Hour)
		want(t, s, numbered("access", 1))
		if len(told) != 1 || told[0].Error() != "keep the renewed token: disk full" {
			t.Errorf("%v", told)
		}
	})
}

func TestTwoProcessesRenewOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		keep := newShelf(login())
		one, other := source(t, a, oauth.SourceOptions{Keep: keep}), source(t, a, oauth.SourceOptions{Keep: keep})
		time.Sleep(2 * time.Hour)
		var all sync.WaitGroup
		for _, s := range []*oauth.Source{one, other, one, other} {
			all.Go(func() { want(t, s, numbered("access", 1)) })
		}
		all.Wait()
		if a.count() != 1 {
			t.Errorf("%d requests", a.count())
		}
	})
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		s := source(t, a, oauth.SourceOptions{Token: login()})
		want(t, s, firstAccess)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if !s.Refused(firstAccess) {
					t.Error("not again")
				}
				want(t, s, numbered("access", 1))
			})
		}
		all.Wait()
		if a.count() != 1 {
			t.Errorf("%d requests", a.count())
		}
		if s.Refused(numbered("access", 1)) {
			t.Error("again for a second token in the same minute")
		}
		time.Sleep(time.Minute)
		if !s.Refused(numbered("access", 1)) {
			t.Error("not again after a minute")
		}
		want(t, s, numbered("access", 2))
	})
}

func TestCloseWaitsForTheRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600), gate: make(chan struct{})}
		keep := newShelf(login())
		s := source(t, a, oauth.SourceOptions{Keep: keep})
		time.Sleep(2 * time.Hour)
		go func() { _, _ = s.Token(context.Background()) }()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { close(a.gate) })
		must(t, s.Close())
		if len(keep.saved) != 1 {
			t.Errorf("%d saved", len(keep.saved))
		}
		time.Sleep(2 * time.Hour)
		if _, err := s.Token(t.Context()); !errors.Is(err, oauth.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

func TestRefreshTokenThatDoesNotChangeIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: func(url.Values) (int, any) {
			return 200, map[string]any{"access_token": numbered("access", 1), "token_type": "bearer", "expires_in": "3600"}
		}}
		keep := newShelf(login())
		s := source(t, a, oauth.SourceOptions{Keep: keep})
		time.Sleep(2 * time.Hour)
		want(t, s, numbered("access", 1))
		if got := keep.saved[0]; got.Refresh != firstRefresh || !got.Login.Equal(keep.saved[0].Login) || got.Login.IsZero() {
			t.Errorf("%+v", got)
		}
	})
}

// The refresh token before is of no use any more: what could not be kept is what the
// next renewal goes on from.
func TestTokenThatCouldNotBeKeptIsRenewedAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		keep := newShelf(login())
		keep.become(errors.New("disk full"))
		told := 0
		s := source(t, a, oauth.SourceOptions{Keep: keep, Trouble: func(error) { told++ }})
		time.Sleep(2 * time.Hour)
		want(t, s, numbered("access", 1))
		for range 30 {
			time.Sleep(time.Minute)
			want(t, s, numbered("access", 1))
			synctest.Wait()
		}
		if told != 1 {
			t.Errorf("told %d times of the same token", told)
		}
		time.Sleep(2 * time.Hour)
		want(t, s, numbered("access", 2))
		if got := a.requests[1].Get("refresh_token"); got != numbered("refresh", 1) {
			t.Errorf("renewed with %q", got)
		}
		if told != 2 {
			t.Errorf("told %d times of two tokens", told)
		}
	})
}

func TestTokenIsKeptOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		keep := newShelf(login())
		keep.become(errors.New("disk full"))
		s := source(t, a, oauth.SourceOptions{Keep: keep})
		time.Sleep(2 * time.Hour)
		want(t, s, numbered("access", 1))
		keep.become(nil)
		time.Sleep(time.Minute)
		want(t, s, numbered("access", 1))
		synctest.Wait()
		if kept, _ := keep.Load(t.Context()); kept.Refresh != numbered("refresh", 1) || a.count() != 1 {
			t.Errorf("%d saved, %d requests", len(keep.saved), a.count())
		}
	})
}

func TestTokenIsKeptAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		keep := newShelf(login())
		keep.become(errors.New("disk full"))
		s := source(t, a, oauth.SourceOptions{Keep: keep})
		time.Sleep(2 * time.Hour)
		want(t, s, numbered("access", 1))
		keep.become(nil)
		must(t, s.Close())
		if kept, _ := keep.Load(t.Context()); kept.Refresh != numbered("refresh", 1) {
			t.Errorf("%d saved", len(keep.saved))
		}
	})
}

// Another consent does not help a client that is refused.
func TestClientThatIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for code, hint := range map[string]string{"invalid_grant": "(consent)", "invalid_client": "(client)", "unauthorized_client": "(client)"} {
			s := source(t, &authority{answer: refusing(401, code, "")}, oauth.SourceOptions{Token: login(), Hint: "consent", ClientHint: "client"})
			time.Sleep(2 * time.Hour)
			if _, err := s.Token(t.Context()); err == nil || !strings.HasSuffix(err.Error(), hint) {
				t.Errorf("%s: %v", code, err)
			}
		}
	})
}

// Somebody has logged in while a token could not be kept: that login counts.
func TestLoginReplacesATokenThatCouldNotBeKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &authority{answer: granting(3600)}
		keep := newShelf(login())
		keep.become(errors.New("disk full"))
		s := source(t, a, oauth.SourceOptions{Keep: keep})
		time.Sleep(2 * time.Hour)
		want(t, s, numbered("access", 1))
		keep.become(nil)
		again := login()
		again.Access, again.Refresh = numbered("access", 20), numbered("refresh", 20)
		must(t, keep.Save(t.Context(), again))
		time.Sleep(58 * time.Minute)
		_, _ = s.Token(t.Context())
		synctest.Wait()
		if kept, _ := keep.Load(t.Context()); a.requests[len(a.requests)-1].Get("refresh_token") == numbered("refresh", 1) || kept.Refresh == numbered("refresh", 1) {
			t.Error("the login was undone")
		}
	})
}

// A machine that slept must not take a token for good: only the clock on the wall
// goes on.
func TestTokensGoByTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	a := &authority{answer: granting(3600)}
	c := config(a)
	c.Flow = oauth.FlowClientCredentials
	got, err := c.Login(t.Context(), oauth.LoginOptions{})
	must(t, err)
	for _, at := range []time.Time{got.Expires, got.Renewed} {
		if strings.Contains(at.String(), "m=") {
			t.Errorf("%v", at)
		}
	}
}

// Some servers say 0 or less where they mean that they do not say.
func TestLifeThatIsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, seconds := range []int{0, -1, -3_000_000_000} {
			a := &authority{answer: granting(seconds)}
			s := source(t, a, oauth.SourceOptions{Token: oauth.Token{Refresh: firstRefresh, ClientID: "client", TokenURL: "https://login.example/token"}})
			for range 10 {
				want(t, s, numbered("access", 1))
				time.Sleep(time.Minute)
			}
			if a.count() != 1 {
				t.Errorf("%d: %d requests", seconds, a.count())
			}
		}
	})
}
