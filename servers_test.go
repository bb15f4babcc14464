package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// road leads to a server, and can be blocked.
type road struct {
	*smtptest.Server

	mu     sync.Mutex
	closed bool          // connections are refused
	silent chan struct{} // nothing gets through until it is closed
	ends   []net.Conn
}

// roads are those to the servers of an account, by host.
type roads map[string]*road

// newRoads are an account with servers in memory, mx0, mx1, … by priority.
func newRoads(t *testing.T, n int, config smtptest.Config) (kaizen.Account, roads) {
	t.Helper()
	all := roads{}
	a := kaizen.Account{Name: "farm", TLS: smtp.TLSNone, Limits: kaizen.Limits{Rates: kaizen.NoRate()}}
	for i := range n {
		host := fmt.Sprintf("mx%d.test", i)
		config.Network = smtptest.Memory
		s := smtptest.NewServer(config)
		t.Cleanup(func() { s.Close() })
		all[host] = &road{Server: s}
		if i == 0 {
			a.Host, a.Port = host, 25
			continue
		}
		a.Servers = append(a.Servers, kaizen.Server{Host: host, Port: 25, TLS: smtp.TLSNone, Priority: 10 * i})
	}
	a.DialContext = all.dial
	return a, all
}

func (r roads) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	return r[host].dial(ctx, network, address)
}

func (r *road) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := r.passable(ctx); err != nil {
		return nil, err
	}
	far, err := r.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	client, near := smtptest.Pipe()
	r.mu.Lock()
	r.ends = append(r.ends, near, far)
	r.mu.Unlock()
	go r.carry(near, far)
	go r.carry(far, near)
	return client, nil
}

func (r *road) passable(ctx context.Context) error {
	r.mu.Lock()
	closed, silent := r.closed, r.silent
	r.mu.Unlock()
	if closed {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	if silent == nil {
		return nil
	}
	select {
	case <-silent:
		return nil
	case <-ctx.Done():
		return &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	}
}

func (r *road) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		silent := r.silent
		r.mu.Unlock()
		if silent != nil {
			<-silent
		}
		if n > 0 {
			if _, werr := to.Write(b[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// die refuses connections from now on, and resets those that are open.
func (r *road) die() {
	r.mu.Lock()
	ends := r.ends
	r.closed, r.ends = true, nil
	r.mu.Unlock()
	for _, c := range ends {
		if p, ok := c.(*smtptest.PipeConn); ok {
			p.Reset()
		}
	}
}

func (r *road) mute() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.silent == nil {
		r.silent = make(chan struct{})
	}
}

// revive ends all that was wrong.
func (r *road) revive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = false
	if r.silent != nil {
		close(r.silent)
		r.silent = nil
	}
}

// first is how long after a time the server was next sent a message.
func (r *road) first(after time.Time) time.Duration {
	for _, at := range r.MailTimes() {
		if at.After(after) {
			return at.Sub(after)
		}
	}
	return time.Hour
}

// senders are senders who send one message after the other.
type senders struct {
	t       *testing.T
	mu      sync.Mutex
	next    int
	patient bool // failures that are certainly not sent are nothing
	outcome map[string]kaizen.Outcome
	group   sync.WaitGroup
}

func (f *senders) start(c *kaizen.Client, a kaizen.Account, senders int, d time.Duration) {
	f.outcome = map[string]kaizen.Outcome{}
	end := time.Now().Add(d)
	for range senders {
		f.group.Go(func() {
			for time.Now().Before(end) {
				f.send(c, a)
			}
		})
	}
}

func (f *senders) send(c *kaizen.Client, a kaizen.Account) {
	f.mu.Lock()
	f.next++
	id := fmt.Sprintf("m%d", f.next)
	f.mu.Unlock()
	_, err := c.Send(context.Background(), a, note(id))
	outcome := kaizen.Outcome(smtp.Accepted)
	if e := new(kaizen.Error); errors.As(err, &e) {
		outcome = e.Outcome
		if outcome != smtp.Unknown && !f.patient {
			f.t.Errorf("%s: %v", id, err)
		}
		if outcome == smtp.NotSent {
			<-time.After(time.Second)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outcome[id] = outcome
}

// settle compares what senders were told with what servers have.
func (f *senders) settle(servers roads) {
	f.group.Wait()
	have := map[string]int{}
	for _, r := range servers {
		for id, tally := range r.Accepted() {
			have[strings.Trim(id, "<>")] += tally.Times
		}
	}
	unknown := 0
	for id, outcome := range f.outcome {
		n := have[id]
		switch {
		case outcome == smtp.Unknown:
			unknown++
		case outcome == smtp.NotSent && n == 0, outcome == smtp.Rejected && n == 0:
		case n != 1:
			f.t.Errorf("%s: told %v, the servers have it %d times", id, outcome, n)
		}
		if n > 1 {
			f.t.Errorf("%s: the servers have it %d times", id, n)
		}
	}
	f.t.Logf("%d messages, %d unknown", len(f.outcome), unknown)
}

// The first server dies in mid-load and comes back: nothing is lost or doubled,
// and the second is used in the meantime only.
func TestFailover(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fail   func(*road)
		within time.Duration
	}{
		"by refusal": {(*road).die, 2 * time.Second},
		"by silence": {(*road).mute, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, servers := newRoads(t, 2, smtptest.Config{Latency: 200 * time.Millisecond})
				first, second := servers["mx0.test"], servers["mx1.test"]
				client := kaizen.New(kaizen.Config{})
				f := &senders{t: t}
				f.start(client, a, 8, 5*time.Minute)
				<-time.After(time.Minute)
				if n := second.Stats().Connections; n != 0 {
					t.Errorf("the second had %d connections before", n)
				}
				failed := time.Now()
				test.fail(first)
				<-time.After(90 * time.Second)
				if took := second.first(failed); took > test.within {
					t.Errorf("the second took over after %v", took)
				}
				h := client.Health()[0]
				if h.Condition != kaizen.Degraded || h.Cause != kaizen.CauseFailover || len(h.Servers) != 2 || h.Servers[0].Condition != kaizen.Down || h.Servers[1].Connections < 3 {
					t.Errorf("%+v", h)
				}
				back := time.Now()
				first.revive()
				<-time.After(time.Minute)
				if took := first.first(back); took > time.Minute {
					t.Error("the first was not used again within a minute")
				}
				if n := second.Stats().Open; n != 0 {
					t.Errorf("the second still has %d connections", n)
				}
				f.settle(servers)
				if h := client.Health()[0]; h.Condition != kaizen.Healthy {
					t.Errorf("%+v", h)
				}
				for host, r := range servers {
					if n := r.Stats().Peak; n > 6 {
						t.Errorf("%s had %d connections at a time", host, n)
					}
				}
				client.Close()
			})
		})
	}
}

// The same for a queue: each job ends as sent, once, but for what is honestly
// unknown.
func TestFailoverOfAQueue(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*road){"by refusal": (*road).die, "by silence": (*road).mute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, servers := newRoads(t, 2, smtptest.Config{Latency: 50 * time.Millisecond})
				o := open(t, memory.New(), nil)
				o.accounts.set("farm", a)
				const jobs = 2000
				for i := range jobs {
					if _, err := o.client.Enqueue(t.Context(), "farm", note(fmt.Sprintf("m%d", i)), kaizen.EnqueueOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				ended := make(chan error, 1)
				go func() { ended <- o.client.RunUntilEmpty(t.Context()) }()
				<-time.After(2 * time.Second)
				fail(servers["mx0.test"])
				<-time.After(15 * time.Second)
				servers["mx0.test"].revive()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				have := map[string]int{}
				for _, r := range servers {
					for id, tally := range r.Accepted() {
						have[id] += tally.Times
					}
				}
				twice := 0
				for _, n := range have {
					twice += n - 1
				}
				if len(have) != jobs || twice > 10 {
					t.Errorf("the servers have %d messages, %d of them twice", len(have), twice)
				}
				t.Logf("%d twice; the second had %d", twice, servers["mx1.test"].Stats().Accepted)
				if servers["mx1.test"].Stats().Accepted == 0 {
					t.Error("the second was not used")
				}
				o.client.Close()
			})
		})
	}
}

// Whatever servers do, each message has one outcome, and what is called accepted was
// taken once.
func TestServersInChaos(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dice := rand.New(rand.NewPCG(seed, 6))
				a, servers := newRoads(t, 3, smtptest.Config{Latency: 100 * time.Millisecond, Faults: []smtptest.Fault{
					{Phase: smtptest.PhaseMAIL, Action: smtptest.Drop, Prob: 0.01}, {Phase: smtptest.PhaseFinal, Action: smtptest.Reset, Prob: 0.01},
					{Phase: smtptest.PhaseGreeting, Action: smtptest.Drop, Prob: 0.05}}, Seed: seed})
				a.Servers[0].Priority = int(seed%2) * 10 // 0: of the same priority as the first
				a.Timeouts.Connect, a.Limits.MessagesPerConnection = 4*time.Second, 20
				client := kaizen.New(kaizen.Config{})
				f := &senders{t: t, patient: true}
				f.start(client, a, 10, 3*time.Minute)
				for range 12 {
					<-time.After(time.Duration(dice.Int64N(int64(20 * time.Second))))
					r := servers[fmt.Sprintf("mx%d.test", dice.IntN(3))]
					[]func(){r.die, r.mute, r.revive, r.revive}[dice.IntN(4)]()
				}
				for _, r := range servers {
					r.revive()
				}
				f.settle(servers)
				for host, r := range servers {
					if n := r.Stats().Peak; n > 6 {
						t.Errorf("%s had %d connections at a time", host, n)
					}
				}
				if err := client.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestVerifyLooksAtEveryServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, servers := newRoads(t, 3, smtptest.Config{})
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		if err := client.Verify(t.Context(), a); err != nil {
			t.Error(err)
		}
		servers["mx1.test"].die()
		err := client.Verify(t.Context(), a)
		if !errors.Is(err, kaizen.ErrConnect) || !strings.Contains(err.Error(), "mx1.test:25") || !strings.Contains(err.Error(), "another server of the account works") {
			t.Errorf("%v", err)
		}
		if n := servers["mx2.test"].Stats().Connections; n != 2 {
			t.Errorf("the third was looked at %d times", n)
		}
	})
}

// Credentials that one server refused are not tried at another, by nobody.
func TestARefusedLoginStopsAllServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, servers := newRoads(t, 2, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": "geheim"}}})
		a.Username, a.Password, a.InsecureAuth = "ann", "falsch", true
		dir := t.TempDir()
		for range 2 {
			client := kaizen.New(kaizen.Config{StateDir: dir})
			client.UseTestClock()
			if _, err := client.Send(t.Context(), a, note("x")); !errors.Is(err, kaizen.ErrAuth) {
				t.Error(err)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			// Another process, for which the other server is the better one.
			a.Host, a.Servers[0].Host = a.Servers[0].Host, a.Host
		}
		if n := servers["mx0.test"].Stats().LoginsRefused + servers["mx1.test"].Stats().LoginsRefused; n != 1 {
			t.Errorf("%d logins", n)
		}
	})
}

func TestParseServer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]kaizen.Server{
		"mx.example.com":                          {Host: "mx.example.com"},
		"mx.example.com:465":                      {Host: "mx.example.com", Port: 465},
		"mx:25 priority=10 weight=3 tls=implicit": {Host: "mx", Port: 25, Priority: 10, Weight: 3, TLS: smtp.TLSImplicit},
		"[2001:db8::25]:587 tls=none":             {Host: "2001:db8::25", Port: 587, TLS: smtp.TLSNone},
		"2001:db8::25":                            {Host: "2001:db8::25"},
	} {
		got, err := kaizen.ParseServer(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := kaizen.ParseServer(got.String()); err != nil || again != want {
			t.Errorf("%s: %q: %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "mx:0", "mx:66000", "mx:smtp", "mx priority=-1", "mx weight=0", "mx tls=maybe", "mx colour=red", "smtp://ann:geheim@mx", "mx/x", "a:b:c"} {
		if s, err := kaizen.ParseServer(text); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
}

func FuzzParseServer(f *testing.F) {
	f.Add("mx:25 priority=10 weight=3 tls=implicit")
	f.Add("[::1]:25")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := kaizen.ParseServer(text)
		if err != nil {
			return
		}
		if again, err := kaizen.ParseServer(s.String()); err != nil || again != s {
			t.Errorf("%q: %+v, again %+v, %v", text, s, again, err)
		}
	})
}
