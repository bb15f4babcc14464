package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	ctx, now := context.Background(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := memory.New()
	if _, err := s.Recover(ctx, now); err != nil {
		t.Fatal(err)
	}
	var subs []queue.Submission
	for range 1000 {
		subs = append(subs, queue.Submission{Job: queue.Job{Lane: "a", Envelope: smtp.Envelope{From: "a@b.example"}, Recipients: queue.To(smtp.To("c@d.example"))}, Body: queue.Octets([]byte("x"))})
	}
	rs, err := s.Put(ctx, now, subs)
	if err != nil || len(rs) != 1000 {
		t.Fatal(err)
	}
	for i := range 100 {
		got, err := s.Claim(ctx, now, []queue.Want{{Lane: "a", Count: 10}})
		if err != nil || len(got[0].Claims) != 10 || got[0].Claims[0].Job.ID != rs[i*10].ID {
			t.Fatal(err, len(got[0].Claims))
		}
		for _, c := range got[0].Claims {
			if e, err := s.Begin(ctx, now, []queue.Token{c.Token}); err != nil || e[0] != nil {
				t.Fatal(err, e)
			}
			if e, err := s.Settle(ctx, now, []queue.Settlement{{Token: c.Token, State: queue.Sent, Attempt: &queue.Attempt{Outcome: smtp.Accepted}}}); err != nil || e[0] != nil {
				t.Fatal(err, e)
			}
		}
	}
	p, err := s.Purge(ctx, now.Add(time.Hour), queue.Retention{Sent: time.Minute}, 10000)
	if err != nil || p.Jobs != 1000 {
		t.Fatal(p, err)
	}
}
