package kaizen_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// stateful is a client that keeps its state in dir.
func stateful(t *testing.T, dir string) *kaizen.Client {
	t.Helper()
	client := kaizen.New(kaizen.Config{StateDir: dir})
	client.UseTestClock()
	t.Cleanup(func() { client.Close() })
	return client
}

// noSecretIn looks through all files of a folder.
func noSecretIn(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) || bytes.Contains(content, []byte(base64.StdEncoding.EncodeToString([]byte(secret)))) {
				t.Errorf("%s has the secret: %s", path, content)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func wantStopped(t *testing.T, client *kaizen.Client, a kaizen.Account) {
	t.Helper()
	_, err := client.Send(t.Context(), a, note("stopped"))
	var stopped *kaizen.StoppedError
	if !errors.Is(err, kaizen.ErrAuth) || !errors.As(err, &stopped) || stopped.Since.IsZero() || !strings.Contains(err.Error(), "535") {
		t.Errorf("not told that the account is stopped: %v", err)
	}
}

// A program that is started every minute does not knock every minute.
func TestStopOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	login := &fickle{refuses: true}
	s := memoryServer(t, smtptest.Config{Auth: &smtptest.Auth{AnySecret: true, Verdict: login.verdict}})
	dir := t.TempDir()
	a := account(s)
	a.Name, a.Username, a.Password = "work", "ann", password
	first := stateful(t, dir)
	if _, err := first.Send(t.Context(), a, note("1")); !errors.Is(err, kaizen.ErrAuth) {
		t.Fatalf("%v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	for range 3 {
		client := stateful(t, dir)
		wantStopped(t, client, a)
		wantStopped(t, client, a)
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := s.Stats().LoginsRefused; n != 1 {
		t.Errorf("knocked %d times", n)
	}
	noSecretIn(t, dir, password)

	// Another password is another login. That it works does not make the refused one
	// worth another try, until somebody says so.
	login.set(false)
	changed := a
	changed.Password = password + "!"
	second := stateful(t, dir)
	if _, err := second.Send(t.Context(), changed, note("2")); err != nil {
		t.Errorf("a changed password: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	third := stateful(t, dir)
	wantStopped(t, third, a)
	if err := third.Resume(t.Context(), a); err != nil {
		t.Error(err)
	}
	if _, err := third.Send(t.Context(), a, note("3")); err != nil {
		t.Errorf("the stop is still there: %v", err)
	}
}

// What one process lifts, another one notices.
func TestStopIsLiftedElsewhere(t *testing.T) {
	for name, lift := range map[string]func(*kaizen.Client, kaizen.Account) error{
		"verified": func(c *kaizen.Client, a kaizen.Account) error { return c.Verify(context.Background(), a) },
		"resumed":  func(c *kaizen.Client, a kaizen.Account) error { return c.Resume(context.Background(), a) },
	} {
		t.Run(name, func(t *testing.T) {
			login := &fickle{refuses: true}
			bubble(t, smtptest.Config{Auth: &smtptest.Auth{AnySecret: true, Verdict: login.verdict}}, func(t *testing.T, s *smtptest.Server) {
				dir := t.TempDir()
				a := account(s)
				a.Name, a.Username, a.Password = "work", "ann", password
				client, other := stateful(t, dir), stateful(t, dir)
				_, _ = client.Send(t.Context(), a, note("x"))
				login.set(false)
				time.Sleep(2 * time.Second)
				if _, err := client.Send(t.Context(), a, note("x")); !errors.Is(err, kaizen.ErrAuth) {
					t.Errorf("%v", err)
				}
				wantStopped(t, other, a)
				if err := lift(other, a); err != nil {
					t.Error(err)
				}
				time.Sleep(2 * time.Second)
				for i, c := range []*kaizen.Client{client, other} {
					if _, err := c.Send(t.Context(), a, note(fmt.Sprint(i))); err != nil {
						t.Errorf("client %d: %v", i, err)
					}
				}
				closeAll(t, client, other)
			})
		})
	}
}

func closeAll(t *testing.T, clients ...*kaizen.Client) {
	t.Helper()
	for _, c := range clients {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Limits hold for the clients that share a folder together, one after the other
// and at the same time.
func TestLimitsAreShared(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name = "work"
		a.Limits.Rates = []kaizen.Rate{{Count: 10, Per: time.Second}, {Count: 50, Per: time.Minute}, {Count: 120, Per: 10 * time.Minute, Unit: kaizen.Recipients}}
		began := time.Now()
		for range 3 {
			clients := []*kaizen.Client{stateful(t, dir), stateful(t, dir), stateful(t, dir)}
			var senders sync.WaitGroup
			for _, c := range clients {
				senders.Go(func() { sendAll(t, c, a, 20) })
			}
			senders.Wait()
			closeAll(t, clients...)
		}
		times := s.MailTimes()
		slices.SortFunc(times, time.Time.Compare)
		for _, r := range a.Limits.Rates {
			for i := range times {
				if j := i + r.Count; j < len(times) && times[j].Sub(times[i]) < r.Per {
					t.Errorf("%v: %d messages within %v", r, r.Count+1, times[j].Sub(times[i]))
				}
			}
		}
		if len(times) != 180 || time.Since(began) > 13*time.Minute {
			t.Errorf("%d messages took %v", len(times), time.Since(began))
		}
	})
}

// So is what one process says of an allowance that was used up.
func TestPauseIsLiftedElsewhere(t *testing.T) {
	quota := smtptest.Rate{N: 1, Per: time.Minute, AtFinal: true, Reply: smtptest.Reply{Code: 454, Text: "Throttling failure: Daily message quota exceeded."}}
	bubble(t, smtptest.Config{Limits: smtptest.Limits{Quota: quota}}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name = "work"
		client, other := stateful(t, dir), stateful(t, dir)
		sendAll(t, client, a, 1)
		for range 3 {
			if _, err := client.Send(t.Context(), a, note("x")); !errors.Is(err, kaizen.ErrQuota) {
				t.Errorf("%v", err)
			}
			time.Sleep(time.Minute) // it has not asked again, so it does not know
		}
		if err := other.Resume(t.Context(), a); err != nil {
			t.Error(err)
		}
		sendAll(t, client, a, 1)
		closeAll(t, client, other)
		if n := len(s.MailTimes()); n != 3 {
			t.Errorf("the server was asked %d times", n)
		}
	})
}

// A client that ends gives back what it has not used.
func TestCloseGivesBack(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name = "work"
		a.Limits.Rates = []kaizen.Rate{{Count: 1000, Per: time.Hour}}
		client := stateful(t, dir)
		sendAll(t, client, a, 60)
		closeAll(t, client)
		status, err := kaizen.ReadStatus(dir)
		if err != nil || len(status) != 1 || len(status[0].Limits) != 1 || status[0].Limits[0].Used != 60 {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

// What a server was learned to take is known to the next process.
func TestLearnedLimitsAreKept(t *testing.T) {
	bubble(t, smtptest.Config{Limits: smtptest.Limits{Connections: 2, MessagesPerConnection: 7}, Latency: 20 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name = "work"
		client := stateful(t, dir)
		sendAll(t, client, a, 100)
		learned := client.Health()[0].Learned
		if len(learned) != 2 || learned[0].Limit != "connections" || learned[0].Value != "2" || !strings.Contains(learned[0].Reason, "421") ||
			learned[1].Limit != "messages per connection" || learned[1].Value != "7" {
			t.Errorf("%+v", learned)
		}
		closeAll(t, client)
		before := s.Stats()
		client = stateful(t, dir)
		sendAll(t, client, a, 100)
		if n := s.Stats().Connections - before.Connections; n > 16 {
			t.Errorf("%d connections for 100 messages, 7 on each", n)
		}
		closeAll(t, client)
	})
}

// An allowance that is used up is not asked for again and again.
func TestQuotaPausesTheAccount(t *testing.T) {
	quota := smtptest.Rate{N: 5, Per: time.Hour, AtFinal: true, Reply: smtptest.Reply{Code: 454, Text: "Throttling failure: Daily message quota exceeded."}}
	bubble(t, smtptest.Config{Limits: smtptest.Limits{Quota: quota}}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name = "work"
		client := stateful(t, dir)
		sendAll(t, client, a, 5)
		refused := func(c *kaizen.Client, n int) {
			t.Helper()
			for range n {
				_, err := c.Send(t.Context(), a, note("x"))
				var e *kaizen.Error
				if !errors.Is(err, kaizen.ErrQuota) || !errors.As(err, &e) || !e.Temporary() || !e.SafeToRetry() || !strings.Contains(err.Error(), "Daily message quota") {
					t.Errorf("%v", err)
				}
			}
		}
		refused(client, 20)
		h := client.Health()[0]
		if h.Condition != kaizen.Down || h.Cause != kaizen.CauseQuota || h.NextProbe.Before(time.Now()) {
			t.Errorf("%+v", h)
		}
		closeAll(t, client)
		client = stateful(t, dir)
		refused(client, 20)
		if n := len(s.MailTimes()); n != 6 {
			t.Errorf("the server was asked %d times", n)
		}
		for range 120 {
			time.Sleep(time.Minute)
			_, _ = client.Send(t.Context(), a, note("y"))
		}
		if n := s.Stats().Accepted; n < 7 {
			t.Errorf("it never recovered: %d accepted", n)
		}
		if n := len(s.MailTimes()); n > 30 {
			t.Errorf("the server was asked %d times in two hours", n)
		}
		closeAll(t, client)
	})
}

func TestUnusableStateDir(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	client := stateful(t, file)
	_, err := client.Send(t.Context(), account(s), note("1"))
	var e *kaizen.Error
	if !errors.Is(err, kaizen.ErrState) || !errors.As(err, &e) || !e.SafeToRetry() || !e.Temporary() || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}

// A full disk: nothing is sent that could not be counted, and it goes on when
// there is room again.
func TestLedgerFails(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name = "work"
		a.Limits.Rates = []kaizen.Rate{{Count: 100, Per: time.Second}}
		client := stateful(t, dir)
		sendAll(t, client, a, 1)
		time.Sleep(time.Second)
		limits := filepath.Join(dir, "limits")
		if err := os.Rename(limits, limits+".away"); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Send(t.Context(), a, note("2")); !errors.Is(err, kaizen.ErrState) {
			t.Errorf("%v", err)
		}
		if n := s.Stats().Accepted; n != 1 {
			t.Errorf("%d were sent", n)
		}
		if err := os.Rename(limits+".away", limits); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		sendAll(t, client, a, 3)
		closeAll(t, client)
	})
}

// Down, and up again: told in order, and seen from outside.
func TestHealthIsTold(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		var mu sync.Mutex
		var events []string
		down := false
		client := kaizen.New(kaizen.Config{StateDir: dir, OnHealth: func(h kaizen.Health) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, fmt.Sprint(h.Condition, " ", h.Cause))
		}})
		a := account(s)
		a.Name = "work"
		reach := a.DialContext
		a.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return nil, errors.New("connection refused")
			}
			return reach(ctx, network, address)
		}
		set := func(is bool) {
			mu.Lock()
			defer mu.Unlock()
			down = is
		}
		sendAll(t, client, a, 1)
		set(true)
		s.CloseConnections(smtptest.CloseRST)
		synctest.Wait()
		for range 5 {
			if _, err := client.Send(t.Context(), a, note("x")); !errors.Is(err, kaizen.ErrConnect) {
				t.Errorf("%v", err)
			}
			time.Sleep(time.Second)
		}
		status, err := kaizen.ReadStatus(dir)
		if err != nil || len(status) != 1 || status[0].Health.Condition != kaizen.Down || status[0].Health.Cause != kaizen.CauseOutage ||
			!strings.Contains(status[0].Health.Reason, "connection refused") || len(status[0].Processes) != 1 || status[0].Processes[0].Stats.Accepted != 1 {
			t.Errorf("%+v, %v", status, err)
		}
		set(false)
		time.Sleep(20 * time.Second)
		sendAll(t, client, a, 1)
		time.Sleep(2 * time.Second)
		status, err = kaizen.ReadStatus(dir)
		if err != nil || status[0].Health.Condition != kaizen.Healthy {
			t.Errorf("%+v, %v", status, err)
		}
		closeAll(t, client)
		if want := []string{"down outage", "degraded trouble", "healthy "}; !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
		if status, err = kaizen.ReadStatus(dir); err != nil || len(status) > 0 && len(status[0].Processes) > 0 {
			t.Errorf("after the end: %+v, %v", status, err)
		}
	})
}

func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	status, err := kaizen.ReadStatus(filepath.Join(t.TempDir(), "nothing"))
	if err != nil || len(status) != 0 {
		t.Errorf("%+v, %v", status, err)
	}
}

// rotating gives the password that it has cached until it is told to forget it.
type rotating struct {
	mu            sync.Mutex
	account       kaizen.Account
	cached, fresh string
}

func (r *rotating) Account(context.Context, string) (kaizen.Account, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.account
	a.Password = r.cached
	return a, nil
}

func (r *rotating) Forget(string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cached = r.fresh
}

// A password that somebody else keeps may have been changed there.
func TestRefusedPasswordIsAskedForAnew(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": "new"}}})
	r := &rotating{account: account(s), cached: "old", fresh: "new"}
	r.account.Username = "ann"
	client := kaizen.New(kaizen.Config{Accounts: r})
	defer client.Close()
	named := kaizen.Account{Name: "work"}
	if _, err := client.Send(t.Context(), named, note("1")); !errors.Is(err, kaizen.ErrAuth) {
		t.Errorf("%v", err)
	}
	if _, err := client.Send(t.Context(), named, note("2")); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if n := s.Stats().LoginsRefused; n != 1 {
		t.Errorf("%d logins were refused", n)
	}
}

// A state directory that cannot be made at first is tried again.
func TestStateDirComesLater(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		dir := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		client := stateful(t, dir)
		if _, err := client.Send(t.Context(), account(s), note("1")); !errors.Is(err, kaizen.ErrState) {
			t.Errorf("%v", err)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if _, err := client.Send(t.Context(), account(s), note("2")); err != nil {
			t.Errorf("the folder can be made now: %v", err)
		}
		closeAll(t, client)
	})
}

// onlySecret refuses all passwords but one.
func onlySecret(right string) *smtptest.Auth {
	return &smtptest.Auth{Users: map[string]string{"ann": right}}
}

// A program that is started every minute and begins with a Transport does not
// knock every minute either.
func TestTransportOfAStoppedAccount(t *testing.T) {
	bubble(t, smtptest.Config{Auth: onlySecret("right")}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := account(s)
		a.Name, a.Username, a.Password = "work", "ann", password
		for range 5 {
			client := stateful(t, dir)
			for range 2 {
				if _, err := client.Transport(t.Context(), a); !errors.Is(err, kaizen.ErrAuth) {
					t.Errorf("%v", err)
				}
			}
			if _, err := client.Send(t.Context(), a, note("x")); !errors.Is(err, kaizen.ErrAuth) {
				t.Errorf("%v", err)
			}
			closeAll(t, client)
		}
		if n := s.Stats().LoginsRefused; n != 1 {
			t.Errorf("the wrong password was tried %d times", n)
		}
	})
}

// Somebody else with the right password, again and again, is no reason to try the
// wrong one again and again.
func TestOtherCredentialsDoNotLiftAStop(t *testing.T) {
	bubble(t, smtptest.Config{Auth: onlySecret("right")}, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		wrong := account(s)
		wrong.Name, wrong.Username, wrong.Password = "work", "ann", password
		right := wrong
		right.Password = "right"
		daemon := stateful(t, dir)
		for range 5 {
			if _, err := daemon.Send(t.Context(), wrong, note("x")); !errors.Is(err, kaizen.ErrAuth) {
				t.Errorf("%v", err)
			}
			other := stateful(t, dir)
			if _, err := other.Send(t.Context(), right, note("y")); err != nil {
				t.Errorf("%v", err)
			}
			closeAll(t, other)
			time.Sleep(time.Minute)
		}
		if n := s.Stats().LoginsRefused; n != 1 {
			t.Errorf("the wrong password was tried %d times", n)
		}
		status, err := kaizen.ReadStatus(dir)
		if err != nil || len(status) != 1 {
			t.Errorf("%+v, %v", status, err)
		}
		closeAll(t, daemon)
		if status, err = kaizen.ReadStatus(dir); err != nil || status[0].Health.Stopped() {
			t.Errorf("stopped though other credentials work: %+v, %v", status, err)
		}
	})
}

// What one server refuses says nothing of another one: the host may have been
// the mistake.
func TestAnotherServerIsNotBarred(t *testing.T) {
	t.Parallel()
	wrong := memoryServer(t, smtptest.Config{Auth: onlySecret("of somebody else")})
	right := memoryServer(t, smtptest.Config{Auth: onlySecret(password)})
	dir := t.TempDir()
	at := func(s *smtptest.Server, host string) kaizen.Account {
		a := account(s)
		a.Name, a.Host, a.Username, a.Password, a.InsecureAuth = "work", host, "ann", password, true
		return a
	}
	first := stateful(t, dir)
	if _, err := first.Send(t.Context(), at(wrong, "wrong.test"), note("1")); !errors.Is(err, kaizen.ErrAuth) {
		t.Errorf("%v", err)
	}
	closeAll(t, first)
	second := stateful(t, dir)
	if _, err := second.Send(t.Context(), at(right, "right.test"), note("2")); err != nil {
		t.Errorf("%v", err)
	}
	wantStopped(t, second, at(wrong, "wrong.test"))
	closeAll(t, second)
}

// A callback may ask the client, and make it go on.
func TestOnHealthMayUseTheClient(t *testing.T) {
	t.Parallel()
	login := &fickle{refuses: true}
	s := memoryServer(t, smtptest.Config{Auth: &smtptest.Auth{AnySecret: true, Verdict: login.verdict}})
	a := account(s)
	a.Name, a.Username, a.Password = "work", "ann", password
	var client *kaizen.Client
	resumed := make(chan error, 1)
	client = kaizen.New(kaizen.Config{StateDir: t.TempDir(), OnHealth: func(h kaizen.Health) {
		if !h.Stopped() {
			return
		}
		login.set(false)
		if len(client.Health()) != 1 || len(client.Stats()) != 1 {
			t.Error("the account is not there")
		}
		err := client.Resume(context.Background(), a)
		if err == nil {
			_, err = client.Send(context.Background(), a, note("2"))
		}
		resumed <- err
	}})
	if _, err := client.Send(t.Context(), a, note("1")); !errors.Is(err, kaizen.ErrAuth) {
		t.Errorf("%v", err)
	}
	if err := <-resumed; err != nil {
		t.Error(err)
	}
	closeAll(t, client)
}
