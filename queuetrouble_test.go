package kaizen_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

var errFull = errors.New("no space left on device")

// book is a log that can be read.
type book struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Each call of the store fails for a while, under load: nothing is lost or sent
// twice, it is told once, and the store is not pestered.
func TestQueueStoreFails(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"put", "claim", "begin", "settle", "changes", "expire"} {
		t.Run(call, func(t *testing.T) {
			bubble(t, smtptest.Config{Latency: 20 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
				store := hook(memory.New(), nil)
				o := open(t, store, map[string]*smtptest.Server{"ses": s})
				var log book
				o.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
				o.reopen()
				defer o.close()
				list := letters("ses", "m", 1000)
				for i := range list {
					list[i].Unknown = queue.Never // others begin with their claim
				}
				ids := o.put(list...)
				o.run()
				pass(500 * time.Millisecond)
				before := s.Stats().Accepted
				store.set(func(c string) error {
					if c == call {
						return fmt.Errorf("write: %w", errFull)
					}
					return nil
				})
				_, err := o.client.Enqueue(t.Context(), "ses", note("extra"), kaizen.EnqueueOptions{})
				if failed := errors.Is(err, errFull); failed != (call == "put") {
					t.Errorf("enqueue: %v", err)
				}
				pass(2 * time.Minute)
				if n := store.called(call); n > 2*60*10+200 {
					t.Errorf("%s was called %d times", call, n)
				}
				if call == "settle" && s.Stats().Accepted-before > 200 {
					t.Errorf("%d were sent that could not be settled", s.Stats().Accepted-before)
				}
				store.set(nil)
				pass(time.Minute)
				o.allOnce(s, ids)
				want := 1
				if call == "put" {
					want = 0
				}
				if n := strings.Count(log.String(), "the queue fails"); n != want || strings.Count(log.String(), "the queue works again") != want {
					t.Errorf("log: %s", log.String())
				}
			})
		})
	}
}

// While nothing can be stored the end waits for it, but not for ever; what came of
// messages on their way is unknown to the next run.
func TestQueueStoreFailsAtTheEnd(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		store := hook(memory.New(), nil)
		o := open(t, store, map[string]*smtptest.Server{"ses": s})
		o.run()
		store.set(func(c string) error {
			if c == "settle" {
				return errFull
			}
			return nil
		})
		j := letter("ses", "1")
		j.Unknown = queue.Never
		id := o.put(j)[0]
		pass(time.Second)
		o.end()
		if err := <-o.ended; err == nil || !strings.Contains(err.Error(), "will be unknown") {
			t.Errorf("run: %v", err)
		}
		store.set(nil)
		o.run()
		pass(time.Second)
		d := o.wants(id, queue.Failed)
		if !d.Doubt || d.Reason != queue.FailedInDoubt || s.Stats().Accepted != 1 {
			t.Errorf("%+v", d)
		}
		o.close()
	})
}

// A store that fails now and then, in every way: each message arrives once, but for
// those whose record says that nobody knew.
func TestQueueStoreFailsAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			config := smtptest.Config{Latency: 10 * time.Millisecond, Seed: seed, Faults: []smtptest.Fault{
				{Phase: smtptest.PhaseRCPT, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 450, Text: "4.2.0 Busy"}, Prob: 0.1},
				{Phase: smtptest.PhaseFinal, Action: smtptest.Drop, Prob: 0.02},
			}}
			bubble(t, config, func(t *testing.T, s *smtptest.Server) {
				random, moods := rand.New(rand.NewPCG(seed, 8)), rand.New(rand.NewPCG(seed, 9))
				var mu sync.Mutex
				store := hook(memory.New(), func(c string) error {
					mu.Lock()
					defer mu.Unlock()
					if c != "put" && moods.IntN(4) == 0 {
						return errFull
					}
					return nil
				})
				o := open(t, store, map[string]*smtptest.Server{"ses": s})
				ids := o.put(letters("ses", "m", 500)...)
				for range 5 {
					o.run()
					pass(time.Duration(random.IntN(3000)) * time.Millisecond)
					o.end()
					if err := <-o.ended; err != nil {
						t.Logf("run: %v", err)
					}
				}
				store.set(nil)
				o.run()
				pass(time.Hour)
				for _, id := range ids {
					d := o.wants(id, queue.Sent)
					if n := s.Accepted()["<"+d.MessageID+">"].Times; n != 1 && (!d.Doubt || n == 0) {
						t.Errorf("it arrived %d times: %+v", n, d)
					}
				}
				o.close()
			})
		})
	}
}
