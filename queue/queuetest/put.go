package queuetest

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

var putting = []behaviour{
	{promise: "put keeps all of a job", check: putKeepsAll},
	{promise: "put sets what is the store's", check: putSetsWhatIsTheStores},
	{promise: "put of a batch is all or nothing", check: putIsAllOrNothing},
	{promise: "put refuses what cannot be sent", check: putRefuses},
	{promise: "put shares nothing with its caller", check: putSharesNothing},
	{promise: "put of nothing is nothing", check: putOfNothing},
	{promise: "answers share nothing with the store", check: answersShareNothing},
	{promise: "IDs grow and are never given again", check: idsGrow},
	{promise: "receipts say the durability", check: receiptsSayDurability},
}

// full is a submission in which everything is set.
func full() queue.Submission {
	return queue.Submission{
		Job: queue.Job{
			Lane: "Konto 7 ü",
			Envelope: smtp.Envelope{
				From: "sénder@example.com", Return: smtp.ReturnHeaders, EnvelopeID: "env+1", RequireTLS: true,
			},
			Recipients: queue.To([]smtp.Recipient{
				{Address: "one@example.org", Notify: smtp.NotifyFailure | smtp.NotifyDelay, OriginalRecipient: "rfc822;first@example.org"},
				{Address: "zwöi@example.org"},
			}),
			Subject: "Grüße, \"alle\" ' ; -- \U0001F600", MessageID: "a%b_c@example.com", Tags: []string{"t1", "T 2", "ü,;"},
			Priority: queue.High, Unknown: queue.Never, Key: "order/7",
			Due: epoch.Add(time.Hour + 3*time.Millisecond), Expires: epoch.Add(50 * time.Hour),
			Backoff: []queue.Step{time.Minute, 90*time.Second + 1, 0}, Report: true,
			Options: queue.Options{AllOrNothing: true, Chunking: true, Binary: true, AllowLongLines: true, SMTPUTF8: true},
		},
		Body: queue.Octets([]byte("a\x00b\r\n\xff\xfe")),
	}
}

// Invariant 1: what is acknowledged is there, after a restart too.
func putKeepsAll(f *fixture) {
	given := full()
	id := f.put(given)[0]
	want := given.Job
	want.ID, want.State, want.Created, want.Size = id, queue.Queued, epoch, 7
	check := func(when string) {
		d := f.get(id)
		f.same(when+", Get", d.Job, want)
		if body := f.content(d.Body); body != "a\x00b\r\n\xff\xfe" {
			f.Fatalf("%s: the body is %q", when, body)
		}
		jobs, err := f.store.List(f.ctx, f.now, queue.Filter{})
		f.ok(err)
		f.same(when+", List", jobs, []queue.Job{want})
	}
	check("after Put")
	f.restart()
	check("after a restart")
	f.now = given.Due
	c := f.claimOne(given.Lane)
	want.State = queue.Active
	f.same("claimed", c.Job, want)
	if body := f.content(&c.Body); body != "a\x00b\r\n\xff\xfe" {
		f.Fatalf("the claimed body is %q", body)
	}
}

func putSetsWhatIsTheStores(f *fixture) {
	f.advance(1500 * time.Microsecond) // times are kept in milliseconds, in UTC
	f.now = f.now.In(time.FixedZone("east", 5*3600))
	s := job("a", due(epoch.Add(-time.Hour)))
	s.ID, s.State, s.Again, s.Size, s.Attempts, s.Doubt = 77, queue.Sent, 3, 9999, 5, true
	s.Reason, s.Last, s.Created, s.Ended = "none", smtp.Reply{Code: 250, Text: "ok"}, epoch.Add(time.Hour), epoch
	s.Recipients[0].State, s.Recipients[0].Outcome = queue.Sent, smtp.Accepted
	s.Envelope.To = smtp.To("nobody@example.org")
	d := f.get(f.put(s)[0])
	want := job("a").Job
	want.ID, want.State, want.Size = d.ID, queue.Queued, 21
	want.Created, want.Due = epoch.Add(time.Millisecond), epoch.Add(time.Millisecond)
	f.same("stored", d.Job, want)
	if len(d.History) > 0 || d.Begun {
		f.Fatalf("a fresh job has the history %s, begun %t", text(d.History), d.Begun)
	}
}

func putIsAllOrNothing(f *fixture) {
	for bad := range 3 {
		jobs := []queue.Submission{job("a", withKey("k")), job("a"), job("b")}
		jobs[bad].Lane = ""
		receipts, err := f.store.Put(f.ctx, f.now, jobs)
		var invalid *queue.InvalidError
		if !errors.As(err, &invalid) || invalid.Index != bad || receipts != nil {
			f.Fatalf("Put with a bad job %d: %v, %v, want an InvalidError with its index", bad, receipts, err)
		}
	}
	f.same("jobs after refused batches", f.list(queue.Filter{}), []queue.ID(nil))
	f.nothing("a")
	f.put(job("a", withKey("k"), to("another@example.org"))) // the key is not taken
	jobs := []queue.Submission{job("a"), {Job: job("a").Job, Body: queue.Stream(io.MultiReader(strings.NewReader("x"), broken{}))}}
	if _, err := f.store.Put(f.ctx, f.now, jobs); !errors.Is(err, errBroken) {
		f.Fatalf("Put of a body that cannot be read: %v, want the reader's error", err)
	}
	f.counts("a", map[queue.State]int{queue.Queued: 1})
}

var errBroken = errors.New("this reader is broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func putRefuses(f *fixture) {
	invalid := map[string]func(*queue.Submission){
		"no lane":                  func(s *queue.Submission) { s.Lane = "" },
		"a lane that is no UTF-8":  func(s *queue.Submission) { s.Lane = "\xff" },
		"a lane with a line break": func(s *queue.Submission) { s.Lane = "a\nb" },
		"no body":                  func(s *queue.Submission) { s.Body = nil },
		"no recipients":            func(s *queue.Submission) { s.Recipients = nil },
		"recipients only in Envelope.To": func(s *queue.Submission) {
			s.Recipients, s.Envelope.To = nil, smtp.To("one@example.org")
		},
		"a bad address":       to("a b@example.org\r\n"),
		"a bad reverse-path":  func(s *queue.Submission) { s.Envelope.From = "a\r\n@b" },
		"a stream in memory":  func(s *queue.Submission) { s.Body, s.Durability = queue.Stream(strings.NewReader("x")), queue.Memory },
		"an unknown priority": priority(9),
		"an unknown policy":   policy(9),
		"an empty tag":        func(s *queue.Submission) { s.Tags = []string{""} },
		"a NUL in a key":      withKey("a\x00"),
		"a long subject":      func(s *queue.Submission) { s.Subject = strings.Repeat("x", queue.MaxText+1) },
		"a negative step":     func(s *queue.Submission) { s.Backoff = []queue.Step{-1} },
	}
	for what, change := range invalid {
		_, err := f.store.Put(f.ctx, f.now, []queue.Submission{job("a", change)})
		var refused *queue.InvalidError
		if !errors.As(err, &refused) {
			f.Errorf("Put of a job with %s: %v, want an InvalidError", what, err)
		}
	}
	f.same("jobs", f.list(queue.Filter{}), []queue.ID(nil))
}

func putSharesNothing(f *fixture) {
	s := full()
	octets := []byte("octets")
	s.Body, s.Due = queue.Octets(octets), time.Time{}
	before := text(s.Job)
	var callers sync.WaitGroup // who all submit the same; the race detector looks on
	for i := range 4 {
		callers.Go(func() {
			mine := s
			mine.Key = fmt.Sprint("key", i)
			if _, err := f.store.Put(f.ctx, f.now, []queue.Submission{mine}); err != nil {
				f.Error(err)
			}
		})
	}
	callers.Wait()
	batch := []queue.Submission{s}
	id := f.put(batch...)[0]
	f.same("what was put, afterwards", batch[0].Job, s.Job)
	if after := text(s.Job); after != before {
		f.Fatalf("Put changed what it was given:\n got %s\nwant %s", after, before)
	}
	copy(octets, "XXXXXX")
	s.Tags[0], s.Backoff[0], s.Recipients[0].Address = "changed", 0, "changed@example.org"
	d := f.get(id)
	if d.Tags[0] != "t1" || d.Backoff[0] != time.Minute || d.Recipients[0].Address != "one@example.org" {
		f.Fatalf("the stored job changed with what was given to Put: %s", text(d.Job))
	}
	if body := f.content(d.Body); body != "octets" {
		f.Fatalf("the stored body changed with what was given to Put: %q", body)
	}
}

func answersShareNothing(f *fixture) {
	s := full()
	s.Due = time.Time{}
	id := f.put(s)[0]
	c := f.claimOne(s.Lane)
	mine := failed(&c)
	f.ok(f.settle(mine))
	want := text(f.get(id))
	for range 2 {
		d := f.get(id)
		jobs, err := f.store.List(f.ctx, f.now, queue.Filter{})
		f.ok(err)
		for _, j := range []queue.Job{d.Job, jobs[0], c.Job} {
			j.Recipients[0].Address, j.Tags[0], j.Backoff[0] = "changed@example.org", "changed", 0
		}
		d.History[0].Attempt.Error = "changed"
		mine.Recipients[0].Address, mine.Attempt.Server = "changed@example.org", "changed"
	}
	if got := text(f.get(id)); got != want {
		f.Fatalf("the job changed with what it was read into:\n got %s\nwant %s", got, want)
	}
}

func putOfNothing(f *fixture) {
	receipts, err := f.store.Put(f.ctx, f.now, nil)
	f.ok(err)
	if len(receipts) != 0 {
		f.Fatalf("receipts %v of no jobs", receipts)
	}
}

func idsGrow(f *fixture) {
	var last queue.ID
	for range 5 {
		ids := f.put(job("a"), job("b"), job("a"))
		for _, id := range ids {
			if id <= last {
				f.Fatalf("job %s came after job %s", id, last)
			}
			last = id
		}
		f.control(queue.Command{Action: queue.DoCancel, IDs: ids})
		f.advance(time.Minute)
		f.purge(queue.Retention{Failed: time.Second})
		f.gone(last)
		f.restart()
	}
}

func receiptsSayDurability(f *fixture) {
	quick := job("a")
	quick.Durability = queue.Memory
	receipts, err := f.store.Put(f.ctx, f.now, []queue.Submission{job("a"), quick})
	f.ok(err)
	want := []queue.Durability{queue.Disk, queue.Memory}
	if !f.h.Durable {
		want[0] = queue.Memory
	}
	f.same("durabilities", []queue.Durability{receipts[0].Durability, receipts[1].Durability}, want)
	f.same("jobs", f.list(queue.Filter{}), []queue.ID{receipts[0].ID, receipts[1].ID})
	c := f.claim("a", 2)
	f.ok(f.begin(c[1].Token))
	f.ok(f.settle(accepted(c[1].Token)))
}
