package queuetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

var claiming = []behaviour{
	{promise: "a claim makes jobs active", check: claimMakesActive},
	{promise: "a job is claimed once", check: claimedOnce},
	{promise: "many callers claim each job once", check: claimedOnceByMany},
	{promise: "no more is claimed than wanted", check: neverMoreThanWanted},
	{promise: "urgent jobs have places of their own", check: urgentPlaces},
	{promise: "nothing is claimed before it is due", check: notBeforeDue},
	{promise: "nothing is claimed that has expired", check: notAfterExpiry},
	{promise: "a claim tells what comes next", check: claimTellsNext},
	{promise: "a claim begins jobs whose policy is retry", check: claimBegins},
	{promise: "wants are answered in their order", check: wantsInOrder},
	{promise: "a claim does not depend on other jobs", check: claimIndependent, large: true},
}

var order = []behaviour{
	{promise: "priorities go in order", check: prioritiesInOrder},
	{promise: "within a priority the longest due goes first", check: longestDueFirst},
	{promise: "turns count, so that old jobs go", check: turnsCount},
	{promise: "a job tried again goes behind", check: triedAgainGoesBehind},
}

// Invariant 2: a job is in one state, wherever one looks.
func claimMakesActive(f *fixture) {
	id := f.putOne("a")
	c := f.claimID("a", id)
	if c.Job.State != queue.Active || c.Token.Nonce == 0 || c.Begun {
		f.Fatalf("claimed: %s, token %v, begun %t", c.Job.State, c.Token, c.Begun)
	}
	d := f.state(id, queue.Active)
	f.same("the claimed job", c.Job, d.Job)
	if d.Begun || len(d.History) > 0 || d.Attempts > 0 {
		f.Fatalf("a claim made history: %s", text(d))
	}
	f.counts("a", map[queue.State]int{queue.Active: 1})
	f.same("active jobs", f.list(queue.Filter{States: []queue.State{queue.Active}}), []queue.ID{id})
}

// Invariant 3.
func claimedOnce(f *fixture) {
	f.put(job("a"), job("a"))
	first := f.claim("a", 2)
	if first[0].Token.Nonce == first[1].Token.Nonce {
		f.Fatal("two claims have the same nonce")
	}
	f.nothing("a")
	f.ok(f.settle(queue.Settlement{Token: first[0].Token, State: queue.Queued}))
	second := f.claimID("a", first[0].Job.ID)
	if second.Token == first[0].Token {
		f.Fatal("a second claim has the token of the first")
	}
	f.is("Begin with the first token", f.begin(first[0].Token), queue.ErrStale)
	f.is("Settle with the first token", f.settle(accepted(first[0].Token)), queue.ErrStale)
	f.ok(f.begin(second.Token))
	f.ok(f.settle(accepted(second.Token)))
}

func claimedOnceByMany(f *fixture) {
	const jobs = 200
	for range jobs / 20 {
		batch := make([]queue.Submission, 20)
		for i := range batch {
			batch[i] = job("a", priority(queue.Priority(i%4)))
		}
		f.put(batch...)
	}
	var mu sync.Mutex
	seen := map[queue.ID]int{}
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				claimed, err := f.store.Claim(f.ctx, f.now, []queue.Want{{Lane: "a", Count: 3}})
				if err != nil || len(claimed[0].Claims) == 0 {
					return
				}
				mu.Lock()
				for _, c := range claimed[0].Claims {
					seen[c.Job.ID]++
				}
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	for id, n := range seen {
		if n != 1 {
			f.Errorf("job %s was claimed %d times", id, n)
		}
	}
	if len(seen) != jobs {
		f.Fatalf("%d jobs were claimed, want %d", len(seen), jobs)
	}
}

// Invariant 14, the store's part.
func neverMoreThanWanted(f *fixture) {
	for range 10 {
		f.putOne("a")
	}
	if got := f.want(queue.Want{Lane: "a"}); len(got.Claims) != 0 {
		f.Fatalf("a want of 0 got %d jobs", len(got.Claims))
	}
	for _, count := range []int{1, 3, 5} {
		if got := f.want(queue.Want{Lane: "a", Count: count, Urgent: 2}); len(got.Claims) != count {
			f.Fatalf("a want of %d got %d jobs", count, len(got.Claims))
		}
	}
	f.claim("a", 1)
	f.nothing("a")
}

func urgentPlaces(f *fixture) {
	for range 3 {
		f.put(job("a"), job("a", priority(queue.Urgent)), job("a", priority(queue.High)))
	}
	count := func(w queue.Want) string {
		var urgent, other int
		for _, c := range f.want(w).Claims {
			if c.Job.Priority == queue.Urgent {
				urgent++
			} else {
				other++
			}
		}
		return fmt.Sprintf("%d urgent, %d others", urgent, other)
	}
	f.same("no places but one for urgent jobs", count(queue.Want{Lane: "a", Urgent: 1}), "1 urgent, 0 others")
	f.same("one place and one more", count(queue.Want{Lane: "a", Count: 1, Urgent: 1}), "2 urgent, 0 others")
	f.same("two places and two more", count(queue.Want{Lane: "a", Count: 2, Urgent: 2}), "0 urgent, 2 others")
}

// Invariant 17, for this and the next.
func notBeforeDue(f *fixture) {
	at := epoch.Add(time.Hour)
	id := f.putOne("a", due(at), priority(queue.Urgent))
	for _, early := range []time.Duration{time.Hour, time.Minute, time.Millisecond} {
		f.now = at.Add(-early)
		if got := f.nothing("a"); !got.Next.Equal(at) || !got.Urgent.Equal(at) {
			f.Fatalf("%s early, next is %v and urgent %v, want %v", early, got.Next, got.Urgent, at)
		}
	}
	f.now = at
	f.claimID("a", id)
}

func notAfterExpiry(f *fixture) {
	at := epoch.Add(time.Hour)
	late := f.put(job("a", expires(at)), job("a", expires(at)), job("a", expires(at.Add(time.Millisecond))), job("a"))
	f.now = at
	got := f.want(queue.Want{Lane: "a", Count: 2})
	if len(got.Claims) != 2 || got.Claims[0].Job.ID != late[2] || got.Claims[1].Job.ID != late[3] {
		f.Fatalf("claimed %s, want the two that have not expired", text(got.Claims))
	}
	if len(got.Expired) != 2 || got.Expired[0].State != queue.Expired || got.Expired[0].ID != late[0] {
		f.Fatalf("expired: %s, want the first two", text(got.Expired))
	}
	for _, id := range late[:2] {
		d := f.state(id, queue.Expired)
		f.kinds(id, queue.DidExpire)
		if !d.Ended.Equal(at) || d.Attempts != 0 || d.Recipients[0].State != queue.Expired {
			f.Fatalf("expired: %s", text(d.Job))
		}
	}
	f.counts("a", map[queue.State]int{queue.Active: 2, queue.Expired: 2})
}

func claimTellsNext(f *fixture) {
	if got := f.nothing("a"); !got.Next.IsZero() || !got.Urgent.IsZero() || got.Paused {
		f.Fatalf("of no lane: %s", text(got))
	}
	hour, day := epoch.Add(time.Hour), epoch.Add(24*time.Hour)
	f.put(job("a"), job("a"), job("a", due(hour), priority(queue.Bulk)), job("a", due(day), priority(queue.Urgent)))
	if got := f.want(queue.Want{Lane: "a", Count: 1}); got.Next.After(f.now) || got.Next.IsZero() || !got.Urgent.Equal(day) {
		f.Fatalf("with more to claim, next is %v and urgent %v", got.Next, got.Urgent)
	}
	if got := f.want(queue.Want{Lane: "a", Count: 1}); !got.Next.Equal(hour) || !got.Urgent.Equal(day) {
		f.Fatalf("next is %v and urgent %v, want %v and %v", got.Next, got.Urgent, hour, day)
	}
	f.now = day
	if got := f.want(queue.Want{Lane: "a", Count: 2}); len(got.Claims) != 2 || !got.Next.IsZero() || !got.Urgent.IsZero() {
		f.Fatalf("after all were claimed, next is %v and urgent %v", got.Next, got.Urgent)
	}
}

func claimBegins(f *fixture) {
	f.put(job("a", policy(queue.Retry)), job("a", policy(queue.Hold)), job("a", policy(queue.Never)))
	for i, c := range f.want(queue.Want{Lane: "a", Count: 3, Begin: true}).Claims {
		if want := i == 0; c.Begun != want || f.get(c.Job.ID).Begun != want {
			f.Fatalf("policy %s: begun %t, want %t", c.Job.Unknown, c.Begun, want)
		}
		f.ok(f.begin(c.Token))
	}
	if found := f.restart(); len(found.Unknown) != 3 {
		f.Fatalf("after a restart: %s, want three unknown jobs", text(found))
	}
}

func wantsInOrder(f *fixture) {
	a, b := f.putOne("a"), f.putOne("b")
	claimed, err := f.store.Claim(f.ctx, f.now, []queue.Want{{Lane: "b", Count: 1}, {Lane: "none", Count: 1}, {Lane: "a", Count: 1}})
	f.ok(err)
	if len(claimed) != 3 || claimed[0].Lane != "b" || claimed[1].Lane != "none" || claimed[2].Lane != "a" {
		f.Fatalf("answers: %s", text(claimed))
	}
	if claimed[0].Claims[0].Job.ID != b || len(claimed[1].Claims) != 0 || claimed[2].Claims[0].Job.ID != a {
		f.Fatalf("answers: %s", text(claimed))
	}
}

// Invariant 30, its outcome; what it costs is the benchmarks' business.
func claimIndependent(f *fixture) {
	mine := f.put(job("mine"), job("mine", priority(queue.High)), job("mine", due(epoch.Add(time.Hour))))
	body := queue.Octets([]byte("shared"))
	for n := range otherJobs / 1000 {
		batch := make([]queue.Submission, 1000)
		for i := range batch {
			s := job(fmt.Sprint("other", i%3), priority(queue.Priority(i%4)), due(epoch.Add(time.Duration(n%3)*time.Hour)))
			s.Body = body
			batch[i] = s
		}
		batch[0].Lane = "mine\x21" // its name begins alike
		f.put(batch...)
	}
	f.ok(f.store.Pause(f.ctx, f.now, "other0", "blocked"))
	got := f.want(queue.Want{Lane: "mine", Count: 10})
	if len(got.Claims) != 2 || got.Claims[0].Job.ID != mine[1] || got.Claims[1].Job.ID != mine[0] || !got.Next.Equal(epoch.Add(time.Hour)) {
		f.Fatalf("beside %d other jobs: %s", otherJobs, text(got))
	}
	var queued int
	for _, l := range f.stats().Lanes {
		queued += l.Count[queue.Queued]
	}
	f.same("queued jobs", queued, otherJobs+1)
}

// Invariant 18, for all of order.
func prioritiesInOrder(f *fixture) {
	var want []queue.ID
	for _, p := range []queue.Priority{queue.Bulk, queue.Normal, queue.High, queue.Urgent} {
		want = append([]queue.ID{f.putOne("a", priority(p))}, want...)
	}
	for _, id := range want {
		f.claimID("a", id)
	}
}

func longestDueFirst(f *fixture) {
	late, early := f.putOne("a", due(epoch.Add(2*time.Minute))), f.putOne("a", due(epoch.Add(time.Minute)))
	now, tie := f.putOne("a"), f.putOne("a")
	f.advance(3 * time.Minute)
	for _, id := range []queue.ID{now, tie, early, late} {
		f.claimID("a", id)
	}
}

func turnsCount(f *fixture) {
	old := f.put(job("a", priority(queue.Bulk)), job("a", priority(queue.Bulk)))
	f.advance(queue.AgedAfter)
	for range 8 {
		f.putOne("a", priority(queue.High))
	}
	urgent := f.putOne("a", priority(queue.Urgent))
	got := f.want(queue.Want{Lane: "a", Count: 8, Turn: queue.AgedTurn - 2}).Claims
	var ids []queue.ID
	for _, c := range got {
		ids = append(ids, c.Job.ID)
	}
	// Turn 2 is urgent, 3 belongs to the aged, and so does 7.
	if len(ids) != 8 || ids[0] != urgent || ids[1] != old[0] || ids[5] != old[1] {
		f.Fatalf("claimed %v; want %s first, and %s, %s in the second and sixth place", ids, urgent, old[0], old[1])
	}
}

func triedAgainGoesBehind(f *fixture) {
	ids := f.put(job("a"), job("a"))
	c := f.claimID("a", ids[0])
	f.ok(f.settle(refused(c.Token, queue.Queued, epoch.Add(time.Minute))))
	f.claimID("a", ids[1])
	f.nothing("a")
	f.advance(time.Minute)
	f.claimID("a", ids[0])
}
