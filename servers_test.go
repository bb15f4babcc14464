package kaizen_test

import (
	"context"
	"errors"
	"fmt"
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
	r.silent = make(chan struct{})
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
		if outcome != smtp.Unknown {
			f.t.Errorf("%s: %v", id, err)
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
