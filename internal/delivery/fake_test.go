package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/delivery"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
)

// bubble runs a test under a fake clock.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// pass lets time pass.
func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

// store is one in memory that can fail, or be slow.
type store struct {
	queue.Store
	mu     sync.Mutex
	before func(call string) error // nil: all goes well
	calls  map[string]int
}

func newStore() *store { return &store{Store: memory.New(), calls: make(map[string]int)} }

func (s *store) set(before func(call string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.calls = before, make(map[string]int)
}

func (s *store) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

func (s *store) enter(call string) error {
	s.mu.Lock()
	before := s.before
	s.calls[call]++
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(call)
}

func (s *store) Claim(ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
	if err := s.enter("claim"); err != nil {
		return nil, err
	}
	return s.Store.Claim(ctx, now, wants)
}

func (s *store) Begin(ctx context.Context, now time.Time, tokens []queue.Token) ([]error, error) {
	if err := s.enter("begin"); err != nil {
		return nil, err
	}
	return s.Store.Begin(ctx, now, tokens)
}

func (s *store) Settle(ctx context.Context, now time.Time, settlements []queue.Settlement) ([]error, error) {
	if err := errors.Join(ctx.Err(), s.enter("settle")); err != nil {
		return nil, err
	}
	return s.Store.Settle(ctx, now, settlements)
}

func (s *store) Changes(ctx context.Context, now time.Time) ([]string, error) {
	if err := s.enter("changes"); err != nil {
		return nil, err
	}
	return s.Store.Changes(ctx, now)
}

func (s *store) Expire(ctx context.Context, now time.Time, limit int) ([]queue.Job, error) {
	if err := s.enter("expire"); err != nil {
		return nil, err
	}
	return s.Store.Expire(ctx, now, limit)
}

// outlet is a way out whose server is a function.
type outlet struct {
	server func(m delivery.Message) delivery.Result // after Commit; nil accepts
	room   func(depth, own int) delivery.Room       // nil: four connections
	took   time.Duration                            // by the server for a message
}

func (o *outlet) Room(depth, own int) delivery.Room {
	if o.room != nil {
		return o.room(depth, own)
	}
	return delivery.Room{Messages: max(4*depth-own, 0), Connections: 4, Slots: true}
}

func (o *outlet) Send(ctx context.Context, m delivery.Message) delivery.Result {
	m.Pulled()
	if o.took > 0 { // Go 1.26 crashes with timers of 0 in a bubble under -race, at times
		select {
		case <-ctx.Done():
			return failed(m, smtp.ClassCanceled, smtp.Reply{})
		case <-time.After(o.took):
		}
	}
	if err := m.Commit(); err != nil {
		return failed(m, smtp.ClassCanceled, smtp.Reply{})
	}
	if o.server != nil {
		return o.server(m)
	}
	return answered(m, func(smtp.Recipient) smtp.RecipientResult { return yes })
}

var yes = smtp.RecipientResult{Outcome: smtp.Accepted, Reply: smtp.Reply{Code: 250, Text: "OK"}}

func no(code int, class smtp.Class, text string) smtp.RecipientResult {
	return smtp.RecipientResult{Outcome: smtp.Rejected, Class: class, Reply: smtp.Reply{Code: code, Text: text}}
}

// failed is a message that never came to a connection.
func failed(m delivery.Message, class smtp.Class, reply smtp.Reply) delivery.Result {
	return delivery.Result{Tried: len(m.To), Err: &smtp.Error{Class: class, Reply: reply}}
}

// answered is a transaction in which each recipient has its own answer.
func answered(m delivery.Message, answer func(smtp.Recipient) smtp.RecipientResult) delivery.Result {
	last := &smtp.Result{Started: time.Now(), Outcome: smtp.Rejected}
	for _, to := range m.To {
		r := answer(to)
		r.Address = to.Address
		last.Recipients = append(last.Recipients, r)
		switch {
		case r.Outcome == smtp.Accepted:
			last.Outcome = smtp.Accepted
		case last.Err == nil:
			last.Err = &smtp.Error{Phase: smtp.PhaseRcpt, Class: r.Class, Outcome: r.Outcome, Reply: r.Reply}
		}
	}
	out := delivery.Result{Tried: len(m.To), Last: last}
	if last.Err != nil {
		last.Err.Outcome = last.Outcome
		out.Err = last.Err
	}
	return out
}

// post is a runner with its store and outlets.
type post struct {
	*testing.T
	store   *store
	outlets map[string]*outlet // of lanes; those that are not here have none
	config  delivery.Config
	runner  *delivery.Runner
	end     context.CancelFunc
	ended   chan error

	mu      sync.Mutex
	events  []delivery.Event
	trouble []error
}

func newPost(t *testing.T, lanes ...string) *post {
	p := &post{T: t, store: newStore(), outlets: make(map[string]*outlet)}
	for _, lane := range lanes {
		p.outlets[lane] = new(outlet)
	}
	p.config = delivery.Config{Store: p.store,
		Outlet: func(_ context.Context, lane string) (delivery.Outlet, error) {
			if o := p.outlets[lane]; o != nil {
				return o, nil
			}
			return nil, fmt.Errorf("no account %s", lane)
		},
		OnEvent: func(e delivery.Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.events = append(p.events, e)
		},
		OnTrouble: func(err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.trouble = append(p.trouble, err)
		}}
	return p
}

func (p *post) start(run func(*delivery.Runner, context.Context) error) {
	ctx, end := context.WithCancel(context.Background())
	p.runner, p.end, p.ended = delivery.New(p.config), end, make(chan error, 1)
	go func() { p.ended <- run(p.runner, ctx) }()
}

func (p *post) run() { p.start((*delivery.Runner).Run) }

func (p *post) stop() error { p.end(); return <-p.ended }

// close ends a run that must end well.
func (p *post) close() {
	p.Helper()
	if err := p.stop(); err != nil {
		p.Errorf("run: %v", err)
	}
}

// job is a message to some people.
func job(lane string, to ...string) queue.Submission {
	if len(to) == 0 {
		to = []string{"bob@example.net"}
	}
	return queue.Submission{Job: queue.Job{Lane: lane, Envelope: smtp.Envelope{From: "ann@example.com"},
		Recipients: queue.To(smtp.To(to...))}, Body: queue.Octets([]byte("Subject: x\r\n\r\nx\r\n"))}
}

func (p *post) put(jobs ...queue.Submission) []queue.ID {
	p.Helper()
	receipts, err := p.store.Put(context.Background(), time.Now(), jobs)
	if err != nil {
		p.Fatal(err)
	}
	ids := make([]queue.ID, len(receipts))
	for i := range receipts {
		ids[i] = receipts[i].ID
	}
	return ids
}

func (p *post) get(id queue.ID) queue.Details {
	p.Helper()
	d, err := p.store.Get(context.Background(), time.Now(), id)
	if err != nil {
		p.Fatal(err)
	}
	return d
}

func (p *post) wants(id queue.ID, state queue.State) queue.Details {
	p.Helper()
	d := p.get(id)
	if d.State != state {
		p.Errorf("job %s is %s, want %s (%s; last reply %q)", id, d.State, state, d.Reason, d.Last.String())
	}
	return d
}

func (p *post) control(c queue.Command) queue.Controlled {
	p.Helper()
	done, err := p.store.Control(context.Background(), time.Now(), c)
	if err != nil {
		p.Fatal(err)
	}
	return done
}

func (p *post) troubles() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]error(nil), p.trouble...)
}

// nap is a pause of a store or server in a bubble.
func nap(d time.Duration) { time.Sleep(d) }
