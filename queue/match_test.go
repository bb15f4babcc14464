package queue_test

import (
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestFilterMatches(t *testing.T) {
	t.Parallel()
	job := queue.Job{
		State: queue.Held, Lane: "ses", Envelope: smtp.Envelope{From: "Shop@Example.com"}, Recipients: queue.To(smtp.To("a@x.example", "Bea@Y.example")),
		Subject: "Grüße aus Köln", MessageID: "m1@example.com", Tags: []string{"campaign 7", "x"}, Key: "k", Created: noon, Doubt: true,
		Reason: "By hand", Last: smtp.Reply{Code: 451, Enhanced: smtp.EnhancedCode{4, 7, 1}, Text: "Try\nLater"},
	}
	for name, f := range map[string]queue.Filter{
		"zero": {}, "states": {States: []queue.State{queue.Sent, queue.Held}}, "lane": {Lane: "ses"}, "recipient": {Recipient: "bEA@y"}, "sender": {Sender: "shop@EX"},
		"subject": {Subject: "gRÜßE AUS kÖLN"}, "reply": {Reply: "451 4.7.1 try later"}, "reason": {Reply: "by HAND"}, "Message-ID": {MessageID: "m1@example.com"},
		"tag": {Tag: "campaign 7"}, "key": {Key: "k"}, "doubt": {Doubt: true}, "since": {Since: noon}, "until": {Until: noon.Add(time.Millisecond)},
		"what does not count": {After: 1 << 60, Reverse: true, Limit: 1},
	} {
		if !f.Matches(&job) {
			t.Errorf("the filter by %s does not match", name)
		}
	}
	for name, f := range map[string]queue.Filter{
		"state": {States: []queue.State{queue.Queued}}, "lane": {Lane: "SES"}, "recipient": {Recipient: "c@"}, "sender": {Sender: "other"}, "subject": {Subject: "gruesse"},
		"reply": {Reply: "550"}, "Message-ID": {MessageID: "m1"}, "tag": {Tag: "campaign"}, "key": {Key: "K"}, "since": {Since: noon.Add(time.Millisecond)}, "until": {Until: noon},
		"one of two": {Lane: "ses", Key: "other"},
	} {
		if f.Matches(&job) {
			t.Errorf("the filter by %s matches", name)
		}
	}
	if (&queue.Filter{Doubt: true}).Matches(&queue.Job{}) {
		t.Error("a job without doubt matches")
	}
}

func TestFilterMost(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{0: 100, -1: 100, 1: 1, 5000: 5000} {
		if got := (&queue.Filter{Limit: limit}).Most(); got != want {
			t.Errorf("limit %d means %d", limit, got)
		}
	}
}

func TestRetentionDefaults(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	if got, want := (queue.Retention{}).WithDefaults(), (queue.Retention{Sent: 7 * day, Failed: 30 * day, SentBodies: 1}); got != want {
		t.Errorf("defaults: %v", got)
	}
	set := queue.Retention{Sent: -1, Failed: time.Hour, SentBodies: -1}
	if got := set.WithDefaults(); got != set {
		t.Errorf("what was set became %v", got)
	}
}

func TestStatsTotal(t *testing.T) {
	t.Parallel()
	s := queue.Stats{Lanes: []queue.Lane{
		{Count: map[queue.State]int{queue.Queued: 2, queue.Held: 1}}, {Count: map[queue.State]int{queue.Queued: 3, queue.Sent: 9}}, {},
	}}
	if got := s.Total(queue.Queued, queue.Held); got != 6 {
		t.Errorf("total %d, want 6", got)
	}
}
