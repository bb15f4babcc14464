package delivery_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/delivery"
	"github.com/kaizenmail/kaizen/queue"
)

var errDisk = errors.New("the disk is on fire")

// failing makes some calls fail.
func failing(calls ...string) func(string) error {
	return func(call string) error {
		for _, c := range calls {
			if c == call {
				return errDisk
			}
		}
		return nil
	}
}

// A run ends although what it knows cannot be stored, and says so.
func TestTheEndDoesNotWaitForAStoreForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		p.run()
		pass(time.Second)
		p.store.set(failing("settle"))
		id := p.put(job("a"))[0]
		pass(time.Second)
		began := time.Now()
		err := p.stop()
		if err == nil || !strings.Contains(err.Error(), "1 messages") {
			t.Errorf("run: %v", err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the end took %v", took)
		}
		p.wants(id, queue.Active)
	})
}

// While many outcomes wait for a slow store nothing is claimed, and the loop rests.
func TestOutcomesThatWaitHoldClaimsBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		p.outlets["a"].room = func(_, own int) delivery.Room {
			return delivery.Room{Messages: 5000 - own, Connections: 5000}
		}
		p.store.set(func(call string) error {
			if call == "settle" {
				nap(10 * time.Second)
			}
			return nil
		})
		jobs := make([]queue.Submission, 12_000)
		for i := range jobs {
			jobs[i] = job("a")
		}
		ids := p.put(jobs...)
		p.run()
		nap(30 * time.Second)
		if n := p.store.count("claim"); n > 5000 {
			t.Errorf("%d claims", n)
		}
		p.store.set(nil)
		pass(20 * time.Second)
		p.wants(ids[len(ids)-1], queue.Sent)
		p.close()
	})
}

// Whatever fails, it is told once, and so is its end; nothing is asked all the time.
func TestTroubleIsToldOnce(t *testing.T) {
	for _, call := range []string{"claim", "begin", "settle", "changes", "expire"} {
		t.Run(call, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPost(t, "a")
				p.run()
				pass(time.Second)
				p.store.set(failing(call))
				id := p.put(job("a"))[0]
				p.runner.Kick("a", false)
				pass(10 * time.Minute)
				if n := p.store.count(call); n > 10*60*10+100 {
					t.Errorf("%s was called %d times", call, n)
				}
				p.store.set(nil)
				pass(10 * time.Second)
				if d := p.wants(id, queue.Sent); d.Attempts != 1 || len(d.History) != 1 {
					t.Errorf("%+v", d)
				}
				if got := p.troubles(); len(got) != 2 || !errors.Is(got[0], errDisk) || got[1] != nil {
					t.Errorf("told %v", got)
				}
				p.close()
			})
		})
	}
}

// What is in one lane is seen although another one keeps the loop busy.
func TestABusyLaneDoesNotHideOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "busy", "quiet")
		p.outlets["busy"].took = time.Millisecond
		p.store.set(func(call string) error {
			if call == "claim" {
				nap(2 * time.Millisecond) // meanwhile messages are pulled
			}
			return nil
		})
		jobs := make([]queue.Submission, 20_000)
		for i := range jobs {
			jobs[i] = job("busy")
		}
		p.put(jobs...)
		p.run()
		pass(500 * time.Millisecond)
		id := p.put(job("quiet"))[0]
		pass(200 * time.Millisecond)
		p.wants(id, queue.Sent)
		p.close()
	})
}

// Lanes that are alike share a slow store alike.
func TestLanesGetTheSame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a", "b", "c")
		p.store.set(func(call string) error {
			if call == "claim" {
				nap(5 * time.Millisecond)
			}
			return nil
		})
		var jobs []queue.Submission
		sent := make(map[string]int)
		var mu sync.Mutex
		for lane, o := range p.outlets {
			o.took = time.Millisecond
			o.server = func(m delivery.Message) delivery.Result {
				mu.Lock()
				defer mu.Unlock()
				sent[lane]++
				return always(yes)(m)
			}
			for range 2000 {
				jobs = append(jobs, job(lane))
			}
		}
		p.put(jobs...)
		p.run()
		for range 5 {
			pass(100 * time.Millisecond)
			mu.Lock()
			if a, b, c := sent["a"], sent["b"], sent["c"]; a == 0 || max(a, b, c)-min(a, b, c) > 100 {
				t.Errorf("sent %v", sent)
			}
			mu.Unlock()
		}
		p.close()
	})
}

// A lane whose time comes while the store is busy with claims does not keep the loop
// from sleeping: it would never let the clock of this bubble go on.
func TestTheLoopSleepsDuringClaims(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a", "b", "c", "d")
		p.store.set(func(call string) error {
			if call == "claim" {
				nap(10 * time.Second)
			}
			return nil
		})
		late := job("c")
		late.Due = time.Now().Add(25 * time.Second)
		other := job("d")
		other.Due = time.Now().Add(27 * time.Second)
		ids := p.put(late, other)
		p.run()
		for range 20 {
			ids = append(ids, p.put(job("a"), job("b"))...)
			pass(3 * time.Second)
		}
		pass(2 * time.Minute)
		for _, id := range ids {
			p.wants(id, queue.Sent)
		}
		p.close()
	})
}
