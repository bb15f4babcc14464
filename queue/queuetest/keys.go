package queuetest

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

var keys = []behaviour{
	{promise: "a key names one job", check: keyNamesOneJob},
	{promise: "another job of the same key is a conflict", check: keyConflicts},
	{promise: "a key holds within a batch", check: keyWithinBatch},
	{promise: "a key belongs to the lane where it was put", check: keyBelongsToLane},
	{promise: "a key lasts as long as its job", check: keyLasts},
	{promise: "64 callers with one key make one job", check: keyOfManyCallers},
	{promise: "a print decides what is the same", check: printDecides},
}

// Invariant 10, for this and the next.
func keyNamesOneJob(f *fixture) {
	id := f.putOne("a", withKey("k"))
	again := func(when string) {
		f.Helper()
		receipts, err := f.store.Put(f.ctx, f.now, []queue.Submission{job("a", withKey("k"), priority(queue.Urgent))})
		f.ok(err)
		if len(receipts) != 1 || receipts[0].ID != id || !receipts[0].Existing {
			f.Fatalf("%s, the receipt is %s, want an existing job %s", when, text(receipts), id)
		}
		if n := len(f.list(queue.Filter{})); n != 1 {
			f.Fatalf("%s, there are %d jobs", when, n)
		}
	}
	again("at once")
	f.restart()
	again("after a restart")
	c := f.claimID("a", id)
	again("when it is claimed")
	f.ok(f.begin(c.Token))
	f.ok(f.settle(accepted(c.Token)))
	again("when it was sent")
	f.advance(time.Hour)
	f.purge(queue.Retention{})
	again("when its body is gone")
}

func keyConflicts(f *fixture) {
	id := f.putOne("a", withKey("k"))
	different := map[string]func(*queue.Submission){
		"recipient":    to("two@example.org"),
		"body":         withBody("other"),
		"reverse-path": func(s *queue.Submission) { s.Envelope.From = "other@example.com" },
	}
	for what, change := range different {
		_, err := f.store.Put(f.ctx, f.now, []queue.Submission{job("a"), job("a", withKey("k"), change), job("b")})
		var conflict *queue.ConflictError
		if !errors.As(err, &conflict) || conflict.ID != id || conflict.Key != "k" || conflict.Lane != "a" {
			f.Fatalf("Put with another %s: %v, want a ConflictError that names job %s", what, err, id)
		}
	}
	f.same("jobs after conflicts", f.list(queue.Filter{}), []queue.ID{id})
}

func keyWithinBatch(f *fixture) {
	receipts, err := f.store.Put(f.ctx, f.now, []queue.Submission{job("a", withKey("k")), job("a"), job("a", withKey("k")), job("b", withKey("k"))})
	f.ok(err)
	if receipts[2].ID != receipts[0].ID || !receipts[2].Existing || receipts[0].Existing || receipts[1].Existing || receipts[3].Existing {
		f.Fatalf("receipts %s, want the third to be of the first", text(receipts))
	}
	f.same("jobs", f.list(queue.Filter{}), []queue.ID{receipts[0].ID, receipts[1].ID, receipts[3].ID})
	_, err = f.store.Put(f.ctx, f.now, []queue.Submission{job("a", withKey("new")), job("a", withKey("new"), withBody("other"))})
	var conflict *queue.ConflictError
	if !errors.As(err, &conflict) {
		f.Fatalf("a conflict within a batch: %v, want a ConflictError", err)
	}
	if f.put(job("a", withKey("new"), withBody("third")))[0] <= receipts[3].ID {
		f.Fatal("a refused batch has taken its key")
	}
}

func keyBelongsToLane(f *fixture) {
	a, b := f.putOne("a", withKey("k")), f.putOne("b", withKey("k"), withBody("another"))
	if a == b {
		f.Fatal("one key in two lanes made one job")
	}
	f.control(queue.Command{Action: queue.DoMove, IDs: []queue.ID{a}, Lane: "b"})
	if id := f.putOne("a", withKey("k")); id != a {
		f.Fatalf("put again where it was put before it moved, it is job %s, want %s", id, a)
	}
	if id := f.putOne("b", withKey("k"), withBody("another")); id != b {
		f.Fatalf("the key in the other lane names job %s, want %s", id, b)
	}
	f.same("jobs of the key", f.list(queue.Filter{Key: "k"}), []queue.ID{a, b})
}

func keyLasts(f *fixture) {
	id := f.finish("a", queue.Failed, withKey("k"))
	done := f.control(queue.Command{Action: queue.DoRetry, IDs: []queue.ID{id}})
	if again := f.putOne("a", withKey("k")); again != id {
		f.Fatalf("put again after it was repeated, it is job %s, want %s", again, id)
	}
	f.advance(time.Hour)
	f.purge(queue.Retention{Failed: time.Minute})
	f.gone(id)
	fresh := f.putOne("a", withKey("k"), withBody("other"))
	if fresh == id || fresh == done.Repeated[0] {
		f.Fatalf("the key of a forgotten job still names job %s", fresh)
	}
}

func keyOfManyCallers(f *fixture) {
	ids := make([]queue.ID, 64)
	var fresh [64]bool
	var callers sync.WaitGroup
	for i := range ids {
		callers.Go(func() {
			receipts, err := f.store.Put(f.ctx, f.now, []queue.Submission{job("a", withKey("k"))})
			if err != nil {
				f.Error(err)
				return
			}
			ids[i], fresh[i] = receipts[0].ID, !receipts[0].Existing
		})
	}
	callers.Wait()
	made := 0
	for i := range ids {
		if ids[i] != ids[0] {
			f.Fatalf("one key made the jobs %s and %s", ids[0], ids[i])
		}
		if fresh[i] {
			made++
		}
	}
	if made != 1 {
		f.Fatalf("%d receipts say that the job was new, want 1", made)
	}
	f.same("jobs", f.list(queue.Filter{}), ids[:1])
}

func printDecides(f *fixture) {
	with := func(print, body string) queue.Submission {
		s := job("a", withKey("k"))
		s.Print, s.Body = []byte(print), queue.Octets([]byte(body))
		return s
	}
	id := f.put(with("one", "Date: 1"))[0]
	if again := f.put(with("one", "Date: 2"))[0]; again != id {
		f.Fatalf("the same print made job %s, want %s", again, id)
	}
	if body := f.content(f.get(id).Body); body != "Date: 1" {
		f.Fatalf("the body is %q, want the first one", body)
	}
	_, err := f.store.Put(f.ctx, f.now, []queue.Submission{with("two", "Date: 1")})
	var conflict *queue.ConflictError
	if !errors.As(err, &conflict) {
		f.Fatalf("another print: %v, want a ConflictError", err)
	}
	stream := job("a", withKey("streamed"))
	for range 2 {
		stream.Body = queue.Stream(strings.NewReader("streamed"))
		f.put(stream)
	}
	stream.Body = queue.Stream(strings.NewReader("other"))
	if _, err := f.store.Put(f.ctx, f.now, []queue.Submission{stream}); !errors.As(err, &conflict) {
		f.Fatalf("another stream: %v, want a ConflictError", err)
	}
	f.same("jobs", len(f.list(queue.Filter{})), 2)
}
