package pool_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// server is the other end of all fake connections; it counts what it sees.
type server struct {
	dialTime, loginTime, sendTime, quitTime time.Duration

	dialErr func(n int) error // of the n-th dial, from 1
	auth    bool              // connections need a login
	authErr *smtp.Error       // what the login is answered
	// verdict, if set, decides on the n-th message of a connection. A nil Result
	// accepts it.
	verdict func(c *fakeConn, n int, tx *smtp.Transaction) *smtp.Result
	ahead   bool // ask for the next message while one is under way
	// silent, if set, keeps answers back until it is closed; dials too if
	// dialLimit, after which they fail, is set.
	silent    chan struct{}
	dialLimit time.Duration
	lull      time.Duration // between the end of a message and asking for the next

	mu sync.Mutex
	seen
}

// seen is what a server has counted.
type seen struct {
	dials, open, most        int
	logins, loggingIn, crowd int
	quits                    int
	mails                    []time.Time
	order                    []string
	conns                    []*fakeConn
}

func (s *server) saw() seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

type fakeConn struct {
	*server
	id        int
	cut       chan struct{} // closed by Close
	once      sync.Once
	needsAuth bool
	dead      bool // Alive says so
	stale     bool // it broke unnoticed: the next message fails
	sent      int
}

func (s *server) target(key string) pool.Target {
	return pool.Target{Key: key, Server: "mx.test:587", Dial: s.dial}
}

func (s *server) dial(ctx context.Context) (pool.Conn, error) {
	s.mu.Lock()
	s.dials++
	n := s.dials
	s.open++
	s.most = max(s.most, s.open)
	dialErr := s.dialErr
	s.mu.Unlock()
	err := wait(ctx, nil, s.dialTime)
	if err == nil {
		err = s.dialSilence(ctx)
	}
	if err == nil && dialErr != nil {
		err = dialErr(n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.open--
		return nil, err
	}
	c := &fakeConn{server: s, id: n, cut: make(chan struct{}), needsAuth: s.auth}
	s.conns = append(s.conns, c)
	return c, nil
}

// dialSilence is how a dial fares while the server says nothing.
func (s *server) dialSilence(ctx context.Context) error {
	s.mu.Lock()
	gate, limit := s.silent, s.dialLimit
	s.mu.Unlock()
	if gate == nil || limit == 0 {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(limit):
		return &smtp.Error{Phase: smtp.PhaseConnect, Class: smtp.ClassTimeout, Err: context.DeadlineExceeded}
	}
}

// speak waits until the server says something.
func (c *fakeConn) speak(ctx context.Context) error {
	c.mu.Lock()
	gate := c.silent
	c.mu.Unlock()
	if gate == nil {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-c.cut:
		return errCut
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errCut = errors.New("connection cut")

func wait(ctx context.Context, cut <-chan struct{}, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-cut:
		return errCut
	case <-timer.C:
		return nil
	}
}

func (c *fakeConn) Alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.dead
}

func (c *fakeConn) NeedsAuth() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.needsAuth
}

func (c *fakeConn) Authenticate(ctx context.Context) error {
	if err := c.login(ctx); err != nil {
		return err
	}
	return nil
}

func (c *fakeConn) login(ctx context.Context) *smtp.Error {
	c.mu.Lock()
	c.logins++
	c.loggingIn++
	c.crowd = max(c.crowd, c.loggingIn)
	c.mu.Unlock()
	err := wait(ctx, c.cut, c.loginTime)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loggingIn--
	if err != nil {
		return &smtp.Error{Phase: smtp.PhaseAuth, Class: smtp.ClassConnect, Err: err}
	}
	if c.authErr != nil {
		return c.authErr
	}
	c.needsAuth = false
	return nil
}

func (c *fakeConn) Quit(ctx context.Context) error {
	c.mu.Lock()
	c.quits++
	c.mu.Unlock()
	return wait(ctx, c.cut, c.quitTime)
}

func (c *fakeConn) Close() error {
	c.once.Do(func() {
		close(c.cut)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open--
	})
	return nil
}

func (c *fakeConn) Stream(ctx context.Context, next func(bool) *smtp.Transaction) error {
	tx := next(false)
	for tx != nil {
		var following *smtp.Transaction
		if c.ahead {
			following = next(true)
		}
		if err := c.serve(ctx, tx); err != nil {
			if following != nil {
				following.Done(broken(errCut))
			}
			c.Close()
			return err
		}
		if tx = following; tx == nil {
			_ = wait(ctx, c.cut, c.lull)
			tx = next(false)
		}
	}
	return nil
}

// serve tells tx its outcome; an error means that the connection is over.
func (c *fakeConn) serve(ctx context.Context, tx *smtp.Transaction) error {
	if c.NeedsAuth() {
		if err := c.login(ctx); err != nil {
			tx.Done(&smtp.Result{Err: err, Repeatable: err.Class != smtp.ClassAuth})
			return err
		}
	}
	c.mu.Lock()
	stale := c.stale
	c.sent++
	n := c.sent
	started := time.Now()
	c.mu.Unlock()
	if stale {
		tx.MailReplied()
		tx.Done(broken(errCut))
		return errCut
	}
	err := wait(ctx, c.cut, c.sendTime/2)
	c.mu.Lock()
	c.mails = append(c.mails, time.Now())
	c.order = append(c.order, tx.Envelope.From)
	c.mu.Unlock()
	if err == nil {
		err = wait(ctx, c.cut, c.sendTime/2)
	}
	if err == nil {
		err = c.speak(ctx)
	}
	tx.MailReplied()
	var r *smtp.Result
	if err != nil {
		r = &smtp.Result{Outcome: smtp.Unknown, Err: &smtp.Error{Phase: smtp.PhaseFinal, Class: smtp.ClassConnect, Outcome: smtp.Unknown, Err: err}}
	} else if c.verdict != nil {
		r = c.verdict(c, n, tx)
	}
	if r == nil {
		r = &smtp.Result{Outcome: smtp.Accepted}
	}
	r.Started = started
	tx.Done(r)
	if err == nil && r.Repeatable && r.Err.Class == smtp.ClassConnect {
		err = r.Err
	}
	return err
}

// broken is what a transaction learns when its connection dies in time.
func broken(cause error) *smtp.Result {
	return &smtp.Result{Repeatable: true, Err: &smtp.Error{Phase: smtp.PhaseMail, Class: smtp.ClassConnect, Err: cause}}
}

func refusal(class smtp.Class, code int) *smtp.Error {
	return &smtp.Error{Server: "mx.test:587", Phase: smtp.PhaseMail, Class: class, Reply: smtp.Reply{Code: code, Text: "no"}}
}

func mail(from string) pool.Item {
	return pool.Item{Envelope: smtp.Envelope{From: from, To: smtp.To("you@example.org")}, Priority: pool.Normal}
}

// crowd sends n messages at once, returns their errors, and lets everything
// come to rest. Only the test's own goroutine may call it.
func crowd(p *pool.Pool, t pool.Target, n int) []error {
	defer synctest.Wait()
	return flood(p, t, n)
}

// flood is crowd for other goroutines.
func flood(p *pool.Pool, t pool.Target, n int) []error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			_, _, errs[i] = p.Send(context.Background(), t, mail(fmt.Sprint(i)))
		})
	}
	group.Wait()
	return errs
}

func noErrors(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}

// closed closes the pool and checks that nothing is left behind. Under synctest
// a goroutine left behind fails the test besides.
func closed(t *testing.T, p *pool.Pool, s *server) {
	t.Helper()
	if err := p.Close(context.Background()); err != nil {
		t.Errorf("Close: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != 0 {
		t.Errorf("%d connections are open after Close", s.open)
	}
	if st := p.Stats(); st.Open != 0 || st.InFlight != 0 || st.Waiting != 0 || st.Busy != 0 {
		t.Errorf("after Close: %+v", st)
	}
}

// bubble runs a test under a fake clock.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// pass lets fake time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
