package queuetest

import (
	"errors"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

var listing = []behaviour{
	{promise: "each field of a filter chooses", check: filterFields},
	{promise: "pages have no gaps", check: pagesHaveNoGaps},
	{promise: "a list has 100 jobs by default", check: listDefault},
	{promise: "a job knows how many go before it", check: aheadCounts},
	{promise: "an unknown job is not found", check: unknownJob},
}

func filterFields(f *fixture) {
	ordinary := f.putOne("a")
	f.advance(time.Minute)
	s := full()
	s.Due = time.Time{}
	special := f.put(s)[0]
	f.advance(time.Minute)
	last := f.putOne("a")
	c := f.claimID(s.Lane, special)
	f.ok(f.begin(c.Token))
	settlement := failed(&c)
	settlement.Attempt.Outcome = smtp.Unknown
	settlement.Attempt.Reply = smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1}, Text: "No such\nÜser 100% here_"}
	settlement.Reason = "Nobody knows"
	f.ok(f.settle(settlement))
	for what, filter := range map[string]queue.Filter{
		"state": {States: []queue.State{queue.Failed}}, "states": {States: []queue.State{queue.Expired, queue.Failed, queue.Held}},
		"lane": {Lane: s.Lane}, "recipient": {Recipient: "ZWÖI@EX"}, "first recipient": {Recipient: "one@example.ORG", Doubt: true},
		"sender": {Sender: "SÉNDER@"}, "subject": {Subject: "gRÜßE, \"ALL"}, "quotes": {Subject: "\"alle\" ' ; --"},
		"reply": {Reply: "550 5.1.1 no such üser"}, "percent": {Reply: "100% h"}, "underline": {Reply: "here_"}, "reason": {Reply: "nobody KNOWS"},
		"Message-ID": {MessageID: "a%b_c@example.com"}, "tag": {Tag: "ü,;"}, "tag with blank": {Tag: "T 2"}, "key": {Key: "order/7"}, "doubt": {Doubt: true},
		"time": {Since: epoch.Add(time.Minute), Until: epoch.Add(2 * time.Minute)},
		"all":  {States: []queue.State{queue.Failed}, Lane: s.Lane, Recipient: "zwöi", Sender: "sénder", Tag: "t1", Doubt: true, Key: "order/7"},
	} {
		f.same("by "+what, f.list(filter), []queue.ID{special})
	}
	for what, filter := range map[string]queue.Filter{
		"part of a tag": {Tag: "T"}, "case of a tag": {Tag: "t 2"}, "part of a key": {Key: "order"}, "case of a key": {Key: "ORDER/7"},
		"part of a Message-ID": {MessageID: "a%b"}, "wildcards": {MessageID: "%@%"}, "wildcard in text": {Recipient: "one%org"}, "one octet": {Subject: "gr_"},
		"case of a lane": {Lane: "A"}, "no lane": {Lane: "none"}, "one that is not so": {Lane: s.Lane, Sender: "sender@"}, "a state": {States: []queue.State{queue.Cancelled}},
	} {
		f.same("by "+what, f.list(filter), []queue.ID(nil))
	}
	f.same("all", f.list(queue.Filter{}), []queue.ID{ordinary, special, last})
	f.same("since", f.list(queue.Filter{Since: epoch.Add(time.Minute)}), []queue.ID{special, last})
	f.same("until", f.list(queue.Filter{Until: epoch.Add(time.Minute)}), []queue.ID{ordinary})
}

func pagesHaveNoGaps(f *fixture) {
	var want []queue.ID
	for i := range 23 {
		ids := f.put(job("a"), job("b"))
		want = append(want, ids[0])
		if i%3 == 0 {
			f.control(queue.Command{Action: queue.DoHold, IDs: ids[:1]})
		}
	}
	for _, limit := range []int{1, 4, 22, 23, 24} {
		for _, reverse := range []bool{false, true} {
			var got []queue.ID
			filter := queue.Filter{Lane: "a", Limit: limit, Reverse: reverse}
			for {
				page := f.list(filter)
				if len(page) > limit {
					f.Fatalf("a page of %d jobs, limit %d", len(page), limit)
				}
				if len(page) == 0 {
					break
				}
				if len(got) > len(want) {
					f.Fatalf("pages of %d jobs have no end: %v", limit, got)
				}
				got = append(got, page...)
				filter.After = page[len(page)-1]
				if len(got) == limit { // one that was put meanwhile is no gap
					f.putOne("b")
				}
			}
			if reverse {
				slices.Reverse(got)
			}
			f.same("all pages", got, want)
		}
	}
}

func listDefault(f *fixture) {
	batch := make([]queue.Submission, 101)
	for i := range batch {
		batch[i] = job("a")
	}
	ids := f.put(batch...)
	f.same("jobs", f.list(queue.Filter{}), ids[:100])
	f.same("jobs", len(f.list(queue.Filter{Limit: 1000})), 101)
	f.same("the newest", f.list(queue.Filter{Reverse: true, Limit: 1}), ids[100:])
}

func aheadCounts(f *fixture) {
	high, first, second, bulk := f.putOne("a", priority(queue.High)), f.putOne("a"), f.putOne("a"), f.putOne("a", priority(queue.Bulk))
	later := f.putOne("a", priority(queue.Urgent), due(epoch.Add(time.Hour)))
	last := f.putOne("a", due(epoch.Add(2*time.Hour)))
	f.putOne("b", priority(queue.Urgent))
	check := func(want map[queue.ID]int) {
		f.Helper()
		for id, n := range want {
			if got := f.get(id).Ahead; got != n {
				f.Fatalf("%d jobs are ahead of job %s, want %d", got, id, n)
			}
		}
	}
	check(map[queue.ID]int{high: 0, first: 1, second: 2, bulk: 3, later: 0, last: 4})
	f.claimID("a", high)
	check(map[queue.ID]int{high: 0, first: 1, second: 2, bulk: 3, later: 1})
	f.control(queue.Command{Action: queue.DoCancel, IDs: []queue.ID{high}})
	f.control(queue.Command{Action: queue.DoHold, IDs: []queue.ID{first}})
	check(map[queue.ID]int{high: 0, first: 0, second: 0, bulk: 1})
}

func unknownJob(f *fixture) {
	for _, id := range []queue.ID{1, 1 << 40, 0, -1} {
		_, err := f.store.Get(f.ctx, f.now, id)
		var missing *queue.NotFoundError
		if !errors.As(err, &missing) || missing.ID != id {
			f.Fatalf("Get of job %s: %v, want a NotFoundError", id, err)
		}
	}
}
