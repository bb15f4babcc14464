package kaizen_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// What a job of a chain waits for is told of the account that it goes through, and
// why it is not one before.
func TestWhyOfAChain(t *testing.T) {
	t.Parallel()
	ago := whyNow.Add(-3 * time.Minute)
	down := kaizen.Status{Account: "office", Health: kaizen.Health{Account: "office", Condition: kaizen.Down, Cause: kaizen.CauseOutage, Reason: "connection refused", NextProbe: whyNow.Add(20 * time.Second)}}
	stopped := func(name string) kaizen.Status {
		return kaizen.Status{Account: name, Health: kaizen.Health{Account: name, Condition: kaizen.Down, Cause: kaizen.CauseLogin, Since: ago, Reason: "535 no"}}
	}
	paused := func(name string) queue.Lane {
		return queue.Lane{Name: name, Count: map[queue.State]int{}, Paused: ago, Reason: "maintenance"}
	}
	waits := queue.Lane{Name: lane, Count: map[queue.State]int{queue.Queued: 3}, Oldest: ago}
	for name, c := range map[string]struct {
		change func(s *kaizen.Situation)
		code   kaizen.WhyCode
		job    string
		all    string
		advice string
	}{
		"first": {nil, kaizen.WhyInLine, "it is the next one in account office", "account office is sending, 3 jobs left", ""},
		"second": {func(s *kaizen.Situation) { s.Accounts = []kaizen.Status{down} }, kaizen.WhyInLine,
			"account office cannot reach its server: connection refused; the server is asked again in 20 s; it is the next one in account backup", "; account backup is sending, 3 jobs left", ""},
		"not there": {func(s *kaizen.Situation) { s.Known = func(name string) bool { return name == "backup" } }, kaizen.WhyInLine,
			"there is no account office; it is the next one in account backup", "there is no account office; account backup is sending", ""},
		"unusable": {func(s *kaizen.Situation) {
			s.Unusable = func(name string) error {
				if name == "office" {
					return errors.New("no password")
				}
				return nil
			}
		}, kaizen.WhyInLine, "account office cannot be used: no password; it is the next one in account backup", "account backup is sending", ""},
		"first paused": {func(s *kaizen.Situation) { s.Stats.Lanes = append(s.Stats.Lanes, paused("office")) }, kaizen.WhyInLine,
			"account office is paused since 11:57:00: maintenance; it is the next one in account backup", "account backup is sending", ""},
		"paused": {func(s *kaizen.Situation) { s.Stats.Lanes = []queue.Lane{paused(lane)} }, kaizen.WhyPaused,
			"account office>backup is paused", "account office>backup is paused", `resume "office>backup"`},
		"both stopped": {func(s *kaizen.Situation) { s.Accounts = []kaizen.Status{stopped("office"), stopped("backup")} }, kaizen.WhyStopped,
			"none of office>backup can send: account office has stopped since 11:57:00: 535 no; account backup has stopped since 11:57:00: 535 no", "none of office>backup can send", "kaizen account password office"},
		"one stopped, one down": {func(s *kaizen.Situation) { s.Accounts = []kaizen.Status{stopped("backup"), down} }, kaizen.WhyDown,
			"account backup has stopped since 11:57:00: 535 no; account office cannot reach its server: connection refused; the server is asked again in 20 s", "account office cannot reach", ""},
		"nobody delivers": {func(s *kaizen.Situation) { s.Stats.Delivering = false }, kaizen.WhyNoDelivery,
			"nobody delivers from this queue", "nobody delivers from this queue", "kaizen queue run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := delivering()
			s.Stats.Lanes = []queue.Lane{waits}
			if c.change != nil {
				c.change(&s)
			}
			d := queue.Details{Job: queue.Job{ID: 17, Lane: lane, State: queue.Queued, Due: ago, Created: ago}}
			w := s.Job(&d)
			if w.Code != c.code || !strings.Contains(w.Sentence, c.job) || !strings.Contains(w.Advice, c.advice) {
				t.Errorf("%s: %s (%s)", w.Code, w.Sentence, w.Advice)
			}
			if w := s.Account(lane); !strings.Contains(w.Sentence, c.all) || !strings.Contains(w.Advice, c.advice) {
				t.Errorf("all: %s: %s (%s)", w.Code, w.Sentence, w.Advice)
			}
		})
	}
}

// A job in doubt waits for the account that may have sent it, whatever the others do.
func TestWhyOfAJobInDoubt(t *testing.T) {
	t.Parallel()
	down := kaizen.Status{Account: "office", Health: kaizen.Health{Account: "office", Condition: kaizen.Down, Cause: kaizen.CauseOutage, Reason: "connection refused"}}
	job := queue.Job{ID: 17, Lane: lane, State: queue.Queued, Due: whyNow.Add(20 * time.Second), Doubt: true, Attempts: 1}
	unknown := []queue.Entry{{Number: 1, Kind: queue.Tried, State: queue.Queued, Attempt: &queue.Attempt{Account: "office", Outcome: smtp.Unknown, Error: "connection lost"}}}
	for name, c := range map[string]struct {
		accounts []kaizen.Status
		missing  string
		change   func(d *queue.Details)
		code     kaizen.WhyCode
		sentence string
		advice   string
	}{
		"down": {accounts: []kaizen.Status{down}, code: kaizen.WhyDown, advice: "'kaizen queue move --to-account OTHER 17'",
			sentence: "it may have been sent through office, so no other account takes it: account office cannot reach its server: connection refused"},
		"not there": {missing: "office", code: kaizen.WhyNoAccount, advice: "'kaizen account add --name office' makes it; or 'kaizen queue move --to-account OTHER 17'",
			sentence: "it may have been sent through office, so no other account takes it: there is no account office"},
		"well":     {code: kaizen.WhyRetry, sentence: "it is tried again in 20 s (try 2); the last try: connection lost"},
		"its turn": {code: kaizen.WhyInLine, sentence: "it is the next one in account office", change: func(d *queue.Details) { d.Due = whyNow.Add(-time.Second) }},
		"never": {accounts: []kaizen.Status{down}, code: kaizen.WhyInLine, sentence: "it is the next one in account backup",
			change: func(d *queue.Details) { d.Due, d.Unknown = whyNow.Add(-time.Second), queue.Never }},
		"another lane": {accounts: []kaizen.Status{down}, code: kaizen.WhyRetry, sentence: "it is tried again", change: func(d *queue.Details) { d.Lane = "backup>third" }},
		"after a crash": {accounts: []kaizen.Status{down}, code: kaizen.WhyInLine, sentence: "it is the next one in account backup",
			change: func(d *queue.Details) { d.History[0], d.Due = queue.Entry{Kind: queue.Lost}, whyNow.Add(-time.Second) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := delivering()
			s.Accounts, s.Known = c.accounts, func(account string) bool { return account != c.missing }
			s.Stats.Lanes = []queue.Lane{{Name: lane, Count: map[queue.State]int{queue.Queued: 1}}}
			d := queue.Details{Job: job, History: slices.Clone(unknown)}
			if c.change != nil {
				c.change(&d)
			}
			if w := s.Job(&d); w.Code != c.code || !strings.Contains(w.Sentence, c.sentence) || !strings.Contains(w.Advice, c.advice) {
				t.Errorf("%s: %s (%s)", w.Code, w.Sentence, w.Advice)
			}
		})
	}
}
