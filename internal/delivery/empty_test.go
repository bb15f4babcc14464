package delivery_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/delivery"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

func (p *post) untilEmpty() { p.start((*delivery.Runner).RunUntilEmpty) }

// endsAfter wants the run to end by itself after so long, give or take the jitter.
func (p *post) endsAfter(want time.Duration) {
	p.Helper()
	began := time.Now()
	select {
	case err := <-p.ended:
		if err != nil {
			p.Errorf("run: %v", err)
		}
		if took := time.Since(began); took < want*9/10-time.Second || took > want*11/10+2*time.Second {
			p.Errorf("it ended after %v, want %v", took, want)
		}
	case <-time.After(want + time.Hour):
		p.Error("it did not end")
		p.close()
	}
}

func TestUntilEmptyOfNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t)
		p.untilEmpty()
		p.endsAfter(0)
	})
}

func TestUntilEmptySendsAllAndWaitsForWhatIsDueLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a", "b")
		late := job("b")
		late.Due = time.Now().Add(10 * time.Minute)
		ids := p.put(job("a"), job("a"), late)
		p.untilEmpty()
		p.endsAfter(10 * time.Minute)
		for _, id := range ids {
			p.wants(id, queue.Sent)
		}
	})
}

func TestUntilEmptyWaitsForRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		tries := 0
		p.outlets["a"].server = func(m delivery.Message) delivery.Result {
			tries++
			return answered(m, func(smtp.Recipient) smtp.RecipientResult {
				if tries < 3 {
					return no(450, smtp.ClassRecipient, "4.2.0 Busy")
				}
				return yes
			})
		}
		j := job("a")
		j.Backoff = []time.Duration{time.Minute}
		id := p.put(j)[0]
		p.untilEmpty()
		p.endsAfter(2 * time.Minute)
		p.wants(id, queue.Sent)
	})
}

// What cannot be sent until somebody acts does not count.
func TestUntilEmptyDoesNotWaitForWhatStands(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a", "paused", "stopped")
		p.outlets["stopped"].room = func(int, int) delivery.Room {
			return delivery.Room{Err: smtp.ClassAuth, Stopped: true, Again: time.Now().Add(time.Second)}
		}
		if err := p.store.Pause(t.Context(), time.Now(), "paused", ""); err != nil {
			t.Fatal(err)
		}
		held := p.put(job("a"))[0]
		p.control(queue.Command{Action: queue.DoHold, IDs: []queue.ID{held}})
		sent := p.put(job("a"))[0]
		stand := p.put(job("paused"), job("stopped"), job("nobody"))
		p.untilEmpty()
		p.endsAfter(0)
		p.wants(held, queue.Held)
		p.wants(sent, queue.Sent)
		for _, id := range stand {
			if d := p.wants(id, queue.Queued); d.Attempts != 0 || len(d.History) != 0 {
				t.Errorf("%+v", d)
			}
		}
	})
}

// A job that was waited for and is taken back is waited for no longer.
func TestUntilEmptyNoticesThatNothingIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		late := job("a")
		late.Due = time.Now().Add(10 * time.Hour)
		id := p.put(late)[0]
		p.untilEmpty()
		pass(time.Minute)
		p.control(queue.Command{Action: queue.DoCancel, IDs: []queue.ID{id}})
		p.endsAfter(time.Second)
	})
}

// What is put by those who are told of events is sent too.
func TestUntilEmptyWaitsForWhatEventsBring(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		var brought atomic.Int64
		p.config.OnEvent = func(e delivery.Event) {
			if e.Job.State == queue.Expired {
				time.Sleep(time.Second)
				brought.Store(int64(p.put(job("a"))[0]))
			}
		}
		late := job("a")
		late.Due, late.Expires = time.Now().Add(time.Hour), time.Now().Add(time.Minute)
		p.put(late)
		p.untilEmpty()
		p.endsAfter(time.Minute)
		p.wants(queue.ID(brought.Load()), queue.Sent)
	})
}

func TestUntilEmptyEndsAfterAPollThatFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		p.put(job("a"))
		p.store.set(failing("changes"))
		p.untilEmpty()
		pass(time.Minute)
		p.store.set(nil)
		p.endsAfter(0)
	})
}

// Kicked lanes are looked at at once, others within two polls.
func TestWhatOthersPutIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a", "b")
		p.run()
		pass(time.Second)
		here := p.put(job("a"))[0]
		p.runner.Kick("a", false)
		synctest.Wait()
		p.wants(here, queue.Sent)
		elsewhere := p.put(job("b"))[0]
		pass(200 * time.Millisecond)
		p.wants(elsewhere, queue.Sent)
		p.close()
	})
}

// A lane whose outlet had no room is looked at when it is woken.
func TestWake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		var open atomic.Bool
		p.outlets["a"].room = func(_, own int) delivery.Room {
			if open.Load() {
				return delivery.Room{Messages: 2 - own, Connections: 1}
			}
			return delivery.Room{Err: smtp.ClassConnect, Again: time.Now().Add(time.Hour)}
		}
		id := p.put(job("a"))[0]
		p.run()
		pass(time.Minute)
		p.wants(id, queue.Queued)
		open.Store(true)
		p.runner.Wake("a")
		p.runner.Wake("unknown")
		synctest.Wait()
		p.wants(id, queue.Sent)
		p.close()
	})
}

// A second run of the store is refused; after the first it is not.
func TestOneRunAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		p.run()
		pass(time.Second)
		err := delivery.New(p.config).Run(context.Background())
		if _, locked := err.(*queue.LockedError); !locked {
			t.Errorf("%v", err)
		}
		p.close()
		p.untilEmpty()
		p.endsAfter(0)
	})
}

// Each finished state of a job is told once, and in the order of what happened.
func TestEventsOfAJob(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPost(t, "a")
		tries := 0
		p.outlets["a"].server = func(m delivery.Message) delivery.Result {
			tries++
			return answered(m, func(smtp.Recipient) smtp.RecipientResult {
				return []smtp.RecipientResult{no(450, smtp.ClassRecipient, "4.2.0 Busy"), no(450, smtp.ClassRecipient, "4.2.0 Busy"), yes}[tries-1]
			})
		}
		id := p.put(job("a"))[0]
		p.untilEmpty()
		<-p.ended
		var states []queue.State
		for _, e := range p.events {
			if e.Job.ID != id || e.Kind != delivery.Settled || e.Attempt == nil || e.Job.Attempts != len(states)+1 {
				t.Errorf("%+v", e)
			}
			states = append(states, e.Job.State)
		}
		if want := []queue.State{queue.Queued, queue.Queued, queue.Sent}; !slices.Equal(states, want) {
			t.Errorf("told %v, want %v", states, want)
		}
	})
}
