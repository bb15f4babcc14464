package queuetest

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

var forgetting = []behaviour{
	{promise: "waiting jobs expire", check: waitingExpire},
	{promise: "no more expire than wanted", check: expireLimit},
	{promise: "finished jobs are forgotten in their time", check: purgeInTime},
	{promise: "defaults keep jobs for days", check: purgeDefaults},
	{promise: "negative retention keeps for ever", check: purgeNever},
	{promise: "purge goes in pieces", check: purgePieces},
}

var bodies = []behaviour{
	{promise: "no body goes that a job needs", check: sharedBodies},
	{promise: "bodies of jobs that were sent go first", check: sentBodies},
	{promise: "large bodies are kept whole", check: largeBodies},
	{promise: "streams are kept whole and shared", check: streamedBodies},
	{promise: "an empty body is one", check: emptyBody},
}

// Invariant 17.
func waitingExpire(f *fixture) {
	at := epoch.Add(time.Hour)
	held := f.putOne("a", expires(at))
	f.control(queue.Command{Action: queue.DoHold, IDs: []queue.ID{held}})
	active := f.putOne("a", expires(at))
	c := f.claimID("a", active)
	early := f.putOne("a", expires(at), due(at.Add(time.Hour)))
	later := f.putOne("a", expires(at.Add(time.Millisecond)))
	never := f.putOne("a")
	f.changes()
	f.now = at.Add(-time.Millisecond)
	f.same("expired before their time", len(f.expire()), 0)
	f.now = at
	expired := f.expire()
	if len(expired) != 2 {
		f.Fatalf("expired: %s, want two", text(expired))
	}
	for _, j := range expired {
		if j.ID != held && j.ID != early {
			f.Fatalf("job %s expired, want %s and %s", j.ID, held, early)
		}
		f.same("an expired job", f.state(j.ID, queue.Expired).Job, j)
	}
	f.kinds(held, queue.DidHold, queue.DidExpire)
	f.state(later, queue.Queued)
	f.state(never, queue.Queued)
	f.is("Begin", f.begin(c.Token), queue.ErrExpired)
	f.same("expired once more", len(f.expire()), 0)
	f.counts("a", map[queue.State]int{queue.Expired: 3, queue.Queued: 2})
}

func expireLimit(f *fixture) {
	batch := make([]queue.Submission, 25)
	for i := range batch {
		batch[i] = job("a", expires(epoch.Add(time.Minute)))
	}
	f.put(batch...)
	f.advance(time.Hour)
	for _, want := range []int{10, 10, 5, 0} {
		expired, err := f.store.Expire(f.ctx, f.now, 10)
		f.ok(err)
		f.same("expired", len(expired), want)
	}
}

func purgeInTime(f *fixture) {
	r := queue.Retention{Sent: time.Hour, Failed: 3 * time.Hour, SentBodies: -1}
	finished := map[queue.State]queue.ID{}
	for _, state := range []queue.State{queue.Sent, queue.Failed, queue.Expired, queue.Cancelled} {
		finished[state] = f.finish("a", state)
	}
	waiting := f.put(job("a", due(epoch.Add(1000*time.Hour))), job("a"))
	f.claimOne("a")
	f.advance(59 * time.Minute)
	f.same("forgotten early", f.purge(r), queue.Purged{})
	f.advance(2 * time.Minute)
	f.same("forgotten jobs", f.purge(r).Jobs, 1)
	f.gone(finished[queue.Sent])
	f.advance(2 * time.Hour)
	f.same("forgotten jobs", f.purge(r).Jobs, 3)
	for _, state := range []queue.State{queue.Failed, queue.Expired, queue.Cancelled} {
		f.gone(finished[state])
	}
	f.same("left", f.list(queue.Filter{}), waiting)
	f.counts("a", map[queue.State]int{queue.Queued: 1, queue.Active: 1})
	f.control(queue.Command{Action: queue.DoCancel, IDs: waiting})
	f.advance(4 * time.Hour)
	f.same("forgotten at last", f.purge(r).Jobs, 2)
	f.same("lanes", len(f.stats().Lanes), 0)
}

func purgeDefaults(f *fixture) {
	sent, bad := f.finish("a", queue.Sent), f.finish("a", queue.Failed)
	f.now = epoch.Add(7*24*time.Hour - time.Minute)
	f.same("forgotten early", f.purge(queue.Retention{}).Jobs, 0)
	f.get(sent)
	f.now = epoch.Add(7*24*time.Hour + time.Minute)
	f.purge(queue.Retention{})
	f.gone(sent)
	f.get(bad)
	f.now = epoch.Add(30*24*time.Hour - time.Minute)
	f.purge(queue.Retention{})
	f.content(f.get(bad).Body)
	f.now = epoch.Add(30*24*time.Hour + time.Minute)
	f.purge(queue.Retention{})
	f.gone(bad)
}

func purgeNever(f *fixture) {
	sent, bad := f.finish("a", queue.Sent), f.finish("a", queue.Failed)
	f.advance(20 * 365 * 24 * time.Hour)
	f.same("forgotten", f.purge(queue.Retention{Sent: -1, Failed: -1, SentBodies: -1}), queue.Purged{})
	f.content(f.get(sent).Body)
	f.content(f.get(bad).Body)
}

func purgePieces(f *fixture) {
	batch := make([]queue.Submission, 250)
	for i := range batch {
		batch[i] = job("a", withBody(text(i)))
	}
	f.put(batch...)
	f.control(queue.Command{Action: queue.DoCancel, Filter: queue.Filter{Lane: "a"}})
	f.putOne("a")
	f.advance(time.Hour)
	r := queue.Retention{Failed: time.Minute}
	purged, err := f.store.Purge(f.ctx, f.now, r, 100)
	f.ok(err)
	if purged.Jobs > 100 || purged.Jobs == 0 {
		f.Fatalf("one piece of at most 100: %s", text(purged))
	}
	f.counts("a", map[queue.State]int{queue.Cancelled: 250 - purged.Jobs, queue.Queued: 1})
	rest := f.purge(r)
	f.same("forgotten jobs", purged.Jobs+rest.Jobs, 250)
	f.same("forgotten bodies", purged.Bodies+rest.Bodies, 250)
	f.counts("a", map[queue.State]int{queue.Queued: 1})
}

// Invariant 12.
func sharedBodies(f *fixture) {
	for _, size := range []int{100, 200_000} {
		octets := strings.Repeat("x", size) + text(size)
		shared := queue.Octets([]byte(octets))
		var ids []queue.ID
		var batch []queue.Submission
		for range 3 {
			s := job("a")
			s.Body = shared
			batch = append(batch, s)
		}
		ids = f.put(batch...)
		ids = append(ids, f.putOne("a", withBody(octets))) // the same, put by itself
		c := f.claimID("a", ids[0])
		f.ok(f.begin(c.Token))
		f.ok(f.settle(accepted(c.Token)))
		f.control(queue.Command{Action: queue.DoCancel, IDs: ids[1:2]})
		again := f.control(queue.Command{Action: queue.DoRetry, IDs: ids[1:2]}).Repeated[0]
		f.control(queue.Command{Action: queue.DoCancel, IDs: []queue.ID{ids[3]}})
		f.advance(time.Hour)
		forget := queue.Retention{Sent: time.Minute, Failed: time.Minute}
		f.purge(forget)
		f.gone(ids[0])
		f.gone(ids[1])
		f.gone(ids[3])
		f.restart()
		for _, id := range []queue.ID{ids[2], again} {
			if got := f.content(f.get(id).Body); got != octets {
				f.Fatalf("job %s has a body of %d octets, want %d", id, len(got), len(octets))
			}
			c := f.claimID("a", id)
			if got := f.content(&c.Body); got != octets {
				f.Fatalf("job %s was claimed with %d octets, want %d", id, len(got), len(octets))
			}
			f.ok(f.settle(accepted(c.Token)))
		}
		f.advance(time.Hour)
		f.purge(forget)
		f.same("left", f.list(queue.Filter{}), []queue.ID(nil))
	}
}

func sentBodies(f *fixture) {
	sent, bad := f.finish("a", queue.Sent, withBody("sent")), f.finish("a", queue.Failed, withBody("failed"))
	waiting := f.putOne("a", withBody("waiting"))
	f.same("its body, at once", f.content(f.get(sent).Body), "sent")
	f.advance(time.Second)
	f.same("with a longer retention", f.purge(queue.Retention{SentBodies: time.Minute}), queue.Purged{})
	f.same("purged", f.purge(queue.Retention{}), queue.Purged{Bodies: 1})
	if f.state(sent, queue.Sent).Body != nil {
		f.Fatal("the body of a job that was sent is still there")
	}
	f.restart()
	f.state(sent, queue.Sent)
	f.same("the failed one's", f.content(f.get(bad).Body), "failed")
	f.same("the waiting one's", f.content(f.get(waiting).Body), "waiting")
	f.same("size", f.get(sent).Size, 4)
}

// pattern is octets that differ wherever a piece is lost or doubled.
func pattern(size int) []byte {
	octets, x := make([]byte, size), uint32(1)
	for i := range octets {
		x = x*1664525 + 1013904223
		octets[i] = byte(x >> 24)
	}
	return octets
}

func largeBodies(f *fixture) {
	for _, size := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		want := pattern(size)
		s := job("a")
		s.Body = queue.Octets(want)
		id := f.put(s)[0]
		f.restart()
		c := f.claimID("a", id)
		if got := f.content(&c.Body); got != string(want) || c.Job.Size != int64(size) {
			f.Fatalf("a body of %d octets came back with %d, size %d", size, len(got), c.Job.Size)
		}
		f.ok(f.settle(accepted(c.Token)))
	}
}

func streamedBodies(f *fixture) {
	want := pattern(5 << 20)
	shared := queue.Stream(io.MultiReader(bytes.NewReader(want[:12345]), bytes.NewReader(want[12345:])))
	one, two := job("a"), job("b")
	one.Body, two.Body = shared, shared
	ids := f.put(one, two, job("a", withBody("small")))
	tiny := job("a")
	tiny.Body = queue.Stream(strings.NewReader("tiny"))
	ids = append(ids, f.put(tiny)...)
	f.restart()
	for _, id := range ids[:2] {
		d := f.get(id)
		readers := make([]io.ReadCloser, 2) // at the same time
		for i := range readers {
			r, err := d.Body.Reader()
			f.ok(err)
			readers[i] = r
		}
		for _, r := range readers {
			got, err := io.ReadAll(r)
			f.ok(err)
			f.ok(r.Close())
			if !bytes.Equal(got, want) || d.Size != int64(len(want)) || d.Body.Size != d.Size {
				f.Fatalf("a stream of %d octets came back with %d, sizes %d and %d", len(want), len(got), d.Size, d.Body.Size)
			}
		}
	}
	f.same("small", f.content(f.get(ids[2]).Body), "small")
	f.same("tiny", f.content(f.get(ids[3]).Body), "tiny")
}

func emptyBody(f *fixture) {
	id := f.putOne("a", withBody(""))
	f.restart()
	c := f.claimID("a", id)
	f.same("claimed", f.content(&c.Body), "")
	f.same("read", f.content(f.get(id).Body), "")
	f.same("size", c.Job.Size, 0)
}
