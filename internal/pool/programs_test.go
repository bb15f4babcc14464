package pool_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// Servers of a world go through random programs of faults, while senders come and
// go. Whatever happens, every sender hears the truth within a bounded time, no
// server gets too many connections, and the pool's counts are right all the time.

var programs = flag.Int("programs", 12, "how many random programs of faults to run")

// mood is what a host does at a time.
type mood uint8

const (
	fine     mood = iota
	refusing      // no connection
	dropping      // it greets and hangs up at the first MAIL
	crowded       // 421 to each dial
	deaf          // it says nothing any more, to dials neither
	stuck         // it lets in and says nothing to messages
	shy           // logins fail for now
	weary         // 421 in the middle of sessions
	slow
	moods
)

// world is several hosts, and the truth about messages.
type world struct {
	pool  *pool.Pool
	hosts []*host
	ahead bool
	auth  bool

	mu      sync.Mutex
	closing bool
	dice    *rand.Rand
	fate    map[*smtp.Transaction]fate
	has     map[string]int // messages that hosts have, by sender
}

type fate uint8

const (
	open fate = iota
	withdrawn
	passed
)

// host is one server.
type host struct {
	world *world
	name  string

	// Guarded by world.mu.
	mood       mood
	changed    chan struct{} // closed when the mood changes
	open, most int
	mails      map[string]bool
}

func (w *world) roll(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dice.IntN(n)
}

func (w *world) withdraw(tx *smtp.Transaction) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fate[tx] == open {
		w.fate[tx] = withdrawn
	}
	return w.fate[tx] == withdrawn
}

func (w *world) commit(tx *smtp.Transaction) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fate[tx] != open {
		return false
	}
	w.fate[tx] = passed
	return true
}

func (h *host) become(m mood) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.mood = m
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *host) got(from string) bool {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	return h.mails[from]
}

func (h *host) is() (mood, <-chan struct{}) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	return h.mood, h.changed
}

// answer waits until the host says something, as long as the engine would.
func (h *host) answer(ctx context.Context, cut <-chan struct{}, timeout time.Duration, silent func(mood) bool) *smtp.Error {
	end := time.NewTimer(timeout)
	defer end.Stop()
	pause := time.Duration(h.world.roll(200)) * time.Millisecond
	if m, _ := h.is(); m == slow {
		pause *= 20
	}
	if wait(ctx, cut, pause) != nil {
		return h.failed(smtp.ClassConnect, errCut)
	}
	for {
		m, changed := h.is()
		if !silent(m) {
			return nil
		}
		select {
		case <-changed:
		case <-cut:
			return h.failed(smtp.ClassConnect, errCut)
		case <-ctx.Done():
			return h.failed(smtp.ClassConnect, ctx.Err())
		case <-end.C:
			return h.failed(smtp.ClassTimeout, context.DeadlineExceeded)
		}
	}
}

func (h *host) failed(class smtp.Class, err error) *smtp.Error {
	return &smtp.Error{Server: h.name, Phase: smtp.PhaseMail, Class: class, Err: err}
}

func (h *host) says(class smtp.Class, code int, phase smtp.Phase) *smtp.Error {
	return &smtp.Error{Server: h.name, Phase: phase, Class: class, Reply: smtp.Reply{Code: code, Text: "no"}}
}

func mute(m mood) bool { return m == stuck || m == deaf }

func (h *host) dial(ctx context.Context) (pool.Conn, error) {
	w := h.world
	w.mu.Lock()
	h.open++
	h.most = max(h.most, h.open)
	w.mu.Unlock()
	err := h.answer(ctx, nil, 10*time.Second, func(m mood) bool { return m == deaf })
	if err == nil {
		switch m, _ := h.is(); m {
		case refusing:
			err = h.failed(smtp.ClassConnect, errors.New("refused"))
		case crowded:
			err = h.says(smtp.ClassConnectionLimit, 421, smtp.PhaseGreeting)
		}
	}
	if err != nil {
		err.Phase = max(smtp.PhaseConnect, min(err.Phase, smtp.PhaseGreeting))
		w.mu.Lock()
		h.open--
		w.mu.Unlock()
		return nil, err
	}
	return &line{host: h, cut: make(chan struct{}), needsAuth: w.auth}, nil
}

// line is a connection to a host.
type line struct {
	host      *host
	cut       chan struct{}
	once      sync.Once
	needsAuth bool
	done      int
}

func (l *line) NeedsAuth() bool { return l.needsAuth }

func (l *line) Alive() bool {
	m, _ := l.host.is()
	return m != refusing
}

func (l *line) Close() error {
	l.once.Do(func() {
		close(l.cut)
		l.host.world.mu.Lock()
		l.host.open--
		l.host.world.mu.Unlock()
	})
	return nil
}

func (l *line) Quit(ctx context.Context) error {
	if err := l.host.answer(ctx, l.cut, 5*time.Second, mute); err != nil {
		return err
	}
	return nil
}

func (l *line) login(ctx context.Context) *smtp.Error {
	if err := l.host.answer(ctx, l.cut, 5*time.Minute, mute); err != nil {
		err.Phase = smtp.PhaseAuth
		return err
	}
	if m, _ := l.host.is(); m == shy {
		return l.host.says(smtp.ClassAuthTemporary, 454, smtp.PhaseAuth)
	}
	l.needsAuth = false
	return nil
}

func (l *line) Authenticate(ctx context.Context) error {
	if err := l.login(ctx); err != nil {
		return err
	}
	return nil
}

func (l *line) Stream(ctx context.Context, next func(bool) *smtp.Transaction) error {
	for tx := next(false); tx != nil; {
		var following *smtp.Transaction
		err := l.envelope(ctx, tx)
		if err == nil {
			err = l.content(ctx, tx, func() {
				if l.host.world.ahead {
					following = next(true)
				}
			})
		}
		if err != nil {
			if following != nil {
				following.MailReplied()
				e := *err
				e.Outcome = smtp.NotSent
				l.settle(following, &smtp.Result{Err: &e, Repeatable: true})
			}
			l.Close()
			return err
		}
		if tx = following; tx == nil {
			tx = next(false)
		}
	}
	return nil
}

// settle tells the outcome as the engine does.
func (l *line) settle(tx *smtp.Transaction, r *smtp.Result) {
	w := l.host.world
	w.mu.Lock()
	if w.fate[tx] == withdrawn {
		r.Repeatable = false
	}
	w.mu.Unlock()
	if r.Err != nil {
		r.Err.Outcome = r.Outcome
	}
	r.Started = time.Now()
	tx.Done(r)
}

// envelope is as far as the point of no return. Where it has told the outcome it
// returns an error only if the connection is over.
func (l *line) envelope(ctx context.Context, tx *smtp.Transaction) *smtp.Error {
	h := l.host
	if l.needsAuth {
		if err := l.login(ctx); err != nil {
			l.settle(tx, &smtp.Result{Err: err, Repeatable: err.Class == smtp.ClassConnect})
			return err
		}
	}
	err := h.answer(ctx, l.cut, 5*time.Minute, mute)
	m, _ := h.is()
	if err == nil && m == dropping || m == refusing {
		err = h.failed(smtp.ClassConnect, errCut)
	}
	if err == nil && m == weary && h.world.roll(3) == 0 {
		err = h.says(smtp.ClassConnectionLimit, 421, smtp.PhaseMail)
	}
	tx.MailReplied()
	if err != nil {
		l.settle(tx, &smtp.Result{Err: err, Repeatable: err.Class == smtp.ClassConnect || l.done > 0})
	}
	return err
}

func (l *line) content(ctx context.Context, tx *smtp.Transaction, ahead func()) *smtp.Error {
	h, w := l.host, l.host.world
	w.mu.Lock()
	gone := w.fate[tx] == withdrawn
	w.mu.Unlock()
	if gone {
		l.settle(tx, &smtp.Result{Err: h.failed(smtp.ClassCanceled, errors.New("withdrawn"))})
		return nil
	}
	if tx.Progress != nil {
		tx.Progress(1)
	}
	if tx.Commit != nil {
		if err := tx.Commit(); err != nil {
			panic(err)
		}
	}
	if !w.commit(tx) {
		err := h.failed(smtp.ClassCanceled, errors.New("withdrawn"))
		l.settle(tx, &smtp.Result{Err: err})
		return err
	}
	ahead()
	m, _ := h.is()
	if arrives := !mute(m) || w.roll(2) == 0; arrives {
		w.mu.Lock()
		w.has[tx.Envelope.From]++
		h.mails[tx.Envelope.From] = true
		w.mu.Unlock()
	}
	err := h.answer(ctx, l.cut, 10*time.Minute, mute)
	if err != nil {
		err.Phase = smtp.PhaseFinal
		l.settle(tx, &smtp.Result{Outcome: smtp.Unknown, Err: err})
		return err
	}
	l.done++
	w.mu.Lock()
	arrived := w.has[tx.Envelope.From] > 0
	w.mu.Unlock()
	if !arrived { // lost on the way while it was silent
		err := h.failed(smtp.ClassConnect, errCut)
		l.settle(tx, &smtp.Result{Outcome: smtp.Unknown, Err: err})
		return err
	}
	l.settle(tx, &smtp.Result{Outcome: smtp.Accepted})
	return nil
}

func TestRandomPrograms(t *testing.T) {
	for seed := range uint64(*programs) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { runProgram(t, seed) })
		})
	}
}

func runProgram(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 77))
	w := &world{dice: rand.New(rand.NewPCG(seed, 78)), fate: map[*smtp.Transaction]fate{}, has: map[string]int{},
		ahead: dice.IntN(3) == 0, auth: dice.IntN(2) == 0}
	n := 1 + dice.IntN(4)
	config := pool.Config{Connections: 1 + dice.IntN(6), MinIdle: dice.IntN(3), MaxWaiting: 40}
	if dice.IntN(2) == 0 {
		config.MessagesPerConnection = 1 + dice.IntN(30)
	}
	if dice.IntN(3) == 0 {
		config.MaxLifetime = 20 * time.Second
	}
	if dice.IntN(4) == 0 {
		config.IdleTimeout = 2 * time.Second
		config.SweepInterval = time.Second
	}
	if dice.IntN(4) == 0 {
		config.Limiter = limit.New(limit.Rate{Count: 20, Per: time.Second})
	}
	target := pool.Target{Key: "a", Patience: 7500 * time.Millisecond}
	for i := range n {
		h := &host{world: w, mails: map[string]bool{}, name: fmt.Sprintf("mx%d.test:25", i), changed: make(chan struct{})}
		w.hosts = append(w.hosts, h)
		if i == 0 {
			target.Server, target.Dial, target.Weight = h.name, h.dial, 1+dice.IntN(3)
			continue
		}
		target.Others = append(target.Others, pool.Server{Address: h.name, Dial: h.dial, Priority: dice.IntN(3), Weight: dice.IntN(4)})
	}
	other := target
	other.Key = "b"
	keys := []pool.Target{target, target, target}
	if dice.IntN(3) == 0 {
		keys[2] = other
	}
	reliable := n == 2 && config.Limiter == nil && dice.IntN(2) == 0 // the second server is
	if reliable {
		config.MaxWaiting = 0
	}
	p := pool.New(config)
	p.SetWithdraw(w.withdraw)
	w.pool = p

	var group sync.WaitGroup
	const messages = 250
	tally := map[smtp.Outcome]int{}
	var mu sync.Mutex
	for i := range messages {
		delay := time.Duration(dice.IntN(180_000)) * time.Millisecond
		patience := time.Duration(1+dice.IntN(40_000)) * time.Millisecond
		to, item := keys[dice.IntN(3)], mail(fmt.Sprint(i))
		item.Priority = pool.Priority(i % 4)
		impatient, commit := dice.IntN(4) == 0, time.Duration(dice.IntN(20)/19)*9*time.Second
		group.Go(func() {
			<-time.After(delay)
			ctx, cancel := context.Background(), func() {}
			if impatient {
				ctx, cancel = context.WithTimeout(ctx, patience)
			}
			defer cancel()
			committing := make(chan struct{}, 1)
			item.Commit = func() error {
				select {
				case committing <- struct{}{}:
				default:
					t.Errorf("message %s: two commits at a time", item.Envelope.From)
					return nil
				}
				if commit > 0 {
					<-time.After(commit)
				}
				<-committing
				return nil
			}
			began := time.Now()
			_, _, err := p.Send(ctx, to, item)
			outcome := smtp.Accepted
			if e := (*smtp.Error)(nil); errors.As(err, &e) {
				outcome = e.Outcome
			} else if err != nil {
				t.Errorf("message %d: %v", i, err)
			}
			w.mu.Lock()
			closing := w.closing
			w.mu.Unlock()
			if reliable && !impatient && !closing && outcome == smtp.NotSent && !errors.Is(err, smtp.ClassClosed) {
				t.Errorf("message %d at %v was not sent though a server is well: %v", i, time.Now().Format(time.TimeOnly), err)
			}
			if took := time.Since(began); took > 25*time.Minute || reliable && config.Connections > 2 && outcome == smtp.Accepted && took > 3*time.Minute && w.hosts[1].got(item.Envelope.From) {
				t.Errorf("message %d took %v: %v", i, took, err)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			switch has := w.has[item.Envelope.From]; {
			case outcome == smtp.Accepted && has != 1, outcome == smtp.NotSent && has != 0, has > 1:
				t.Errorf("message %d: told %v (%v), the servers have it %d times", i, outcome, err, has)
			}
			mu.Lock()
			defer mu.Unlock()
			tally[outcome]++
		})
	}
	check := func(when string) {
		synctest.Wait()
		if t.Failed() {
			return // one failure leads to others
		}
		if err := p.Check(); err != nil {
			t.Errorf("%s %v: %v", when, time.Now().Format(time.TimeOnly), err)
		}
		health := p.Health()
		for _, s := range health.Servers {
			if s.Failure != nil && health.Condition == pool.Healthy || s.Since.After(time.Now()) || (s.Failure == nil) != s.Since.IsZero() {
				t.Errorf("%s: %+v", when, health)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, h := range w.hosts {
			// Those of another key may be silent besides.
			if most := h.most; most > config.Connections+1 && keys[2].Key == "a" || most > 2*config.Connections+2 || n == 1 && most > config.Connections {
				t.Errorf("%s %v, keys %s: %s had %d connections of %d", when, time.Now().Format(time.TimeOnly), keys[2].Key, h.name, h.most, config.Connections)
			}
		}
	}
	for range 60 {
		<-time.After(time.Duration(dice.IntN(6000)) * time.Millisecond)
		h := w.hosts[dice.IntN(n)]
		if reliable {
			h = w.hosts[0]
		}
		switch dice.IntN(12) {
		case 0:
			p.Resume("a")
		case 1:
			p.CloseIdle()
		case 2:
			p.Warm(target)
			if !reliable && dice.IntN(6) == 0 {
				p.Restrict(1+dice.IntN(6), 5+dice.IntN(30))
			}
		case 3, 4, 5, 6:
			h.become(fine)
		default:
			h.become(mood(dice.IntN(int(moods))))
		}
		check("during")
	}
	if dice.IntN(3) == 0 {
		w.mu.Lock()
		w.closing = true
		w.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_ = p.Close(ctx)
		cancel()
		group.Wait()
	} else {
		for _, h := range w.hosts {
			h.become(fine)
		}
		group.Wait()
		check("after")
		if _, _, err := p.Send(t.Context(), target, mail("last")); err != nil && config.MaxWaiting == 0 {
			t.Errorf("the last: %v", err)
		}
		pass(20 * time.Minute)
		check("at rest")
		if open := p.Moment().Open; open > config.Connections {
			t.Errorf("%d connections at rest", open)
		}
		var err error
		for range 5 { // one may be being opened
			if err = p.AtRest(); err == nil {
				break
			}
			pass(700 * time.Millisecond)
		}
		if err != nil {
			t.Error(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
	if st := p.Stats(); st.Open != 0 || st.Stranded != 0 || st.InFlight != 0 || st.Waiting != 0 || st.Quitting != 0 {
		t.Errorf("%+v", st)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	for _, h := range w.hosts {
		if h.open != 0 {
			t.Errorf("%s: %d connections are open", h.name, h.open)
		}
	}
	if p := *programs; p <= 50 {
		t.Logf("%d servers, %v, %v", n, config.Connections, tally)
	}
}
