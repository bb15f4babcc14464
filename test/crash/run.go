package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/kaizenmail/kaizen/test/crash/task"
)

// patience is how long a run may take.
const patience = 90 * time.Second

// run is one queue whose processes are killed.
type run struct {
	seed     uint64
	dir      string
	programs programs
	kills    map[role][]kill // that are still to come
	first    string          // the point whose turn it is
	planned  string
	letters  []task.Letter
	ledger   *ledger
	server   *smtptest.Server
	shaky    *smtptest.Server
	gate     chan struct{}   // closed when the producer has finished
	prefix   func() []string // what starts the process that delivers
	folder   string          // of the queue
	deaths   int             // of its processes
	stocked  bool            // takeStock was called
	said     string          // what is told of it
	tally    tally

	away atomic.Bool // the shaky server is

	mu      sync.Mutex // guards what follows, and dice while processes run
	dice    *rand.Rand
	current map[role]*worker
	done    map[string]int // kills by point
}

// report is what came of a run.
type report struct {
	first      string
	kills      map[string]int
	tally      tally
	violations []string
}

func newRun(seed uint64, dir string, built programs, points []point, count int) *run {
	dice := rand.New(rand.NewPCG(seed, 0))
	r := &run{seed: seed, dir: dir, folder: filepath.Join(dir, "queue"), programs: built, dice: dice, ledger: newLedger(),
		current: map[role]*worker{}, done: map[string]int{}, prefix: noPrefix}
	if len(points) > 0 {
		r.first = points[seed%uint64(len(points))].name
		r.kills = plan(seed, dice, points)
	}
	r.planned = fmt.Sprint(r.kills[deliverer], r.kills[producer])
	bulky := slices.ContainsFunc(r.kills[deliverer], func(k kill) bool { return k.name == "checkpoint.middle" })
	r.letters = newLetters(dice, seed, count, bulky)
	r.ledger.add(deliverer, r.letters[:count/2])
	r.ledger.add(producer, r.letters[count/2:])
	r.ledger.onTick = r.tick
	return r
}

func noPrefix() []string { return nil }

// play runs until the queue is empty, and judges. An error says that nothing can be
// said.
func (r *run) play() (*report, error) {
	start := time.Now()
	violations, err := r.settle((*run).live)
	if err != nil {
		return nil, err
	}
	fmt.Printf("seed %d  %-50s %s  %.1fs\n", r.seed, r.planned, r.said, time.Since(start).Seconds())
	complain(violations)
	if len(violations) > 0 {
		fmt.Printf("  again: go run ./test/crash -runs 1 -seed %d -messages %d; the queue is kept in %s\n", r.seed, len(r.letters), r.dir)
	} else if err := os.RemoveAll(r.dir); err != nil {
		return nil, err
	}
	return &report{r.first, r.done, r.tally, violations}, nil
}

// settle starts the server, plays, and compares.
func (r *run) settle(play func(*run) ([]string, error)) (violations []string, err error) {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	if r.server, err = smtptest.Listen(r.serverConfig()); err != nil {
		return nil, err
	}
	defer r.server.Close()
	if r.shaky, err = smtptest.Listen(r.shakyConfig()); err != nil {
		return nil, err
	}
	defer r.shaky.Close()
	defer r.shake()()
	violations, err = play(r)
	if err == nil && len(violations) == 0 && !r.stocked {
		violations, err = r.takeStock()
	}
	if err != nil || !r.ledger.dumped {
		return violations, err
	}
	t, wrong := r.ledger.judge()
	r.tally = t
	r.say("%4d queued, %4d sent, %2d twice, %2d unknown", t.acked, t.sent, t.doubled, t.unknown)
	return append(violations, wrong...), nil
}

// say adds to what is told of the run.
func (r *run) say(format string, a ...any) {
	r.said = strings.TrimSpace(r.said + " " + fmt.Sprintf(format, a...))
}

// mostTold is how many violations of a run are printed.
const mostTold = 12

func complain(violations []string) {
	for i, v := range violations {
		if i == mostTold {
			fmt.Printf("  ... and %d more\n", len(violations)-i)
			return
		}
		fmt.Println("  WRONG:", v)
	}
}

// live starts processes, again whenever they were killed, until both have ended by
// themselves.
func (r *run) live() (violations []string, err error) {
	late := time.After(patience)
	r.gate = make(chan struct{})
	d, err := r.start(deliverer)
	if err != nil {
		return nil, err
	}
	if k := d.kill; k != nil && k.name == "migrate.middle" {
		select { // or the producer would make the tables
		case <-d.exited:
		case <-d.begun:
		}
	}
	p, err := r.start(producer)
	if err != nil {
		return nil, err
	}
	for d != nil || p != nil {
		var w **worker
		select {
		case <-exitOf(d):
			w = &d
		case <-exitOf(p):
			w = &p
		case <-late:
			return []string{fmt.Sprintf("not finished after %v: %s", patience, r.abort())}, nil
		}
		again, violation, err := r.after(*w)
		if err != nil || violation != "" {
			r.abort()
			return []string{violation}, err
		}
		*w = again
	}
	return nil, nil
}

func exitOf(w *worker) <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.exited
}

// after starts a process again if it was killed.
func (r *run) after(w *worker) (again *worker, violation string, err error) {
	switch {
	case w.wasKilled():
		r.deaths++
		if w.kill != nil {
			r.mu.Lock()
			r.done[w.kill.name]++
			r.mu.Unlock()
		}
		again, err = r.start(w.role)
	case w.err != nil:
		violation = fmt.Sprintf("the process to %s ended by itself: %v: %s", w.role, w.err, w.said.String())
	case w.role == producer:
		close(r.gate)
	}
	return again, violation, err
}

// abort ends what still runs, and returns what it has said.
func (r *run) abort() (said string) {
	r.mu.Lock()
	workers := []*worker{r.current[deliverer], r.current[producer]}
	r.mu.Unlock()
	for _, w := range workers {
		if w != nil {
			w.strike()
			said += fmt.Sprintf("[%s] %s", w.role, w.said.String())
		}
	}
	return said
}

// start starts a process with the letters that are left and the next kill.
func (r *run) start(who role) (*worker, error) {
	r.mu.Lock()
	var k *kill
	if kills := r.kills[who]; len(kills) > 0 {
		k, r.kills[who] = &kills[0], kills[1:]
	}
	pause := time.Duration(r.dice.IntN(40)) * time.Millisecond
	r.mu.Unlock()
	args := []string{r.programs.child, "work", "-dir", r.folder, "-server", r.server.Addr(), "-shaky", r.shaky.Addr()}
	if who == deliverer {
		args = append(args, "-deliver")
	}
	gate, prefix := r.gate, r.prefix()
	if who == producer {
		gate, prefix = make(chan struct{}), nil
		close(gate)
	}
	w, in, err := launch(who, k, r.ledger, prefix, args...)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.current[who] = w
	r.mu.Unlock()
	if k != nil && k.kind == atStart {
		time.AfterFunc(pause, w.strike)
	}
	go feed(in, r.ledger.due(who, r.letters), gate, w.exited)
	return w, nil
}

// takeStock reads what the queue remembers.
func (r *run) takeStock() (violations []string, err error) {
	w, in, err := launch(deliverer, nil, r.ledger, nil, r.programs.child, "dump", "-dir", r.folder)
	if err != nil {
		return nil, err
	}
	in.Close()
	<-w.exited
	if w.err != nil || !r.ledger.dumped {
		return []string{fmt.Sprintf("the queue cannot be read: %v", errors.Join(w.err, errors.New(w.said.String())))}, nil
	}
	return nil, nil
}
