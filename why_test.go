package kaizen_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

var whyNow = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// delivering is a situation in which nothing is wrong.
func delivering() kaizen.Situation {
	return kaizen.Situation{Now: whyNow, Stats: queue.Stats{Delivering: true}}
}

func reply(code int, text string) smtp.Reply { return smtp.Reply{Code: code, Text: text} }

func triedAt(at time.Time, r smtp.Reply) queue.Entry {
	return queue.Entry{Number: 1, At: at, Kind: queue.Tried, State: queue.Queued, Attempt: &queue.Attempt{Reply: r}}
}

func toOne(state queue.State, r smtp.Reply) []queue.Recipient {
	return []queue.Recipient{{Recipient: smtp.Recipient{Address: "bob@example.org"}, State: state, Reply: r}}
}

// rated is an account with limits, and a process that sends so fast.
func rated(perSecond float64, limits ...kaizen.LimitStatus) kaizen.Status {
	return kaizen.Status{Account: "office", Limits: limits, Processes: []kaizen.ProcessStatus{
		{PerSecond: perSecond, Stats: kaizen.Stats{Busy: 1, Capacity: 5}}}}
}

func TestWhyOfAJob(t *testing.T) {
	t.Parallel()
	ago, later := whyNow.Add(-3*time.Minute), whyNow.Add(14*time.Hour)
	waiting := queue.Job{ID: 17, Lane: "office", State: queue.Queued, Due: ago, Created: ago, Recipients: toOne(queue.Queued, smtp.Reply{})}
	with := func(change func(d *queue.Details)) queue.Details {
		d := queue.Details{Job: waiting}
		change(&d)
		return d
	}
	asIs := with(func(*queue.Details) {})
	tests := []struct {
		name   string
		job    queue.Details
		change func(s *kaizen.Situation)
		code   kaizen.WhyCode
		want   string // of the sentence
		next   time.Time
		advice string
	}{
		{"sent", with(func(d *queue.Details) {
			d.State, d.Ended, d.Last = queue.Sent, ago, reply(250, "2.0.0 Ok: queued as 4X")
		}), nil, kaizen.WhyFinished, "sent 3 min ago: 250 2.0.0 Ok: queued as 4X", time.Time{}, ""},
		{"refused", with(func(d *queue.Details) {
			d.State, d.Ended, d.Recipients = queue.Failed, ago, toOne(queue.Failed, reply(550, "no such\nuser"))
		}), nil, kaizen.WhyFinished, "failed 3 min ago: bob@example.org was refused: 550 no such user", time.Time{}, "kaizen queue retry 17"},
		{"in doubt", with(func(d *queue.Details) {
			d.State, d.Ended, d.Doubt, d.Reason = queue.Failed, ago, true, "the server may have taken it"
		}), nil, kaizen.WhyFinished, "failed 3 min ago: the server may have taken it", time.Time{}, "look whether it arrived"},
		{"expired", with(func(d *queue.Details) {
			d.State, d.Ended, d.Attempts = queue.Expired, ago, 12
			d.History = []queue.Entry{triedAt(ago, reply(451, "later"))}
		}), nil, kaizen.WhyFinished, "expired 3 min ago: its time was over after 12 tries; the last try: 451 later", time.Time{}, "retry 17"},
		{"cancelled", with(func(d *queue.Details) { d.State, d.Ended, d.Reason = queue.Cancelled, ago, "wrong list" }),
			nil, kaizen.WhyFinished, "cancelled 3 min ago: wrong list", time.Time{}, ""},
		{"held", with(func(d *queue.Details) {
			d.State, d.Reason, d.History = queue.Held, "wait for Ann", []queue.Entry{{At: ago, Kind: queue.DidHold, State: queue.Held}}
		}), nil, kaizen.WhyHeld, "held since 11:57:00: wait for Ann", time.Time{}, "release 17"},
		{"begun", with(func(d *queue.Details) { d.State, d.Begun = queue.Active, true }),
			nil, kaizen.WhySending, "it is being sent now, and can not be taken back any more", time.Time{}, ""},
		{"claimed", with(func(d *queue.Details) { d.State = queue.Active }),
			nil, kaizen.WhySending, "it has its turn: the next free connection of account office takes it", time.Time{}, ""},
		{"abandoned", with(func(d *queue.Details) { d.State, d.Begun = queue.Active, true }),
			func(s *kaizen.Situation) { s.Stats.Delivering = false }, kaizen.WhyAbandoned, "has ended", time.Time{}, "kaizen queue run"},
		{"paused", asIs, func(s *kaizen.Situation) {
			s.Stats.Lanes = []queue.Lane{{Name: "office", Paused: ago, Reason: "moving house"}}
		}, kaizen.WhyPaused, "account office is paused since 11:57:00: moving house", time.Time{}, "kaizen queue resume office"},
		{"orphan", asIs, func(s *kaizen.Situation) { s.Known = func(string) bool { return false } },
			kaizen.WhyNoAccount, "there is no account office", time.Time{}, "kaizen queue move --to-account OTHER 17"},
		{"unusable", asIs, func(s *kaizen.Situation) {
			s.Unusable = func(string) error { return errors.New("no password:\nNOPE is not set") }
		}, kaizen.WhyUnusable, "account office cannot be used: no password: NOPE is not set", time.Time{}, "kaizen account show office"},
		{"unusable to others", asIs, func(s *kaizen.Situation) {
			s.Accounts = []kaizen.Status{{Account: "office", Unusable: "no password"}}
		}, kaizen.WhyUnusable, "account office cannot be used: no password", time.Time{}, "kaizen account show office"},
		{"stopped", asIs, func(s *kaizen.Situation) {
			s.Accounts = []kaizen.Status{{Account: "office", Health: kaizen.Health{Condition: kaizen.Down, Cause: kaizen.CauseLogin, Since: ago, Reason: "the login was refused: 535"}}}
		}, kaizen.WhyStopped, "account office has stopped since 11:57:00: the login was refused: 535", time.Time{}, "kaizen account password office"},
		{"nobody delivers", asIs, func(s *kaizen.Situation) { s.Stats.Delivering = false },
			kaizen.WhyNoDelivery, "nobody delivers from this queue", time.Time{}, "kaizen queue run"},
		{"not before", with(func(d *queue.Details) { d.Due = later }),
			nil, kaizen.WhyNotBefore, "it is not to be sent before 2026-05-05 02:00:00 (in 14 h)", later, ""},
		{"retry", with(func(d *queue.Details) {
			d.Due, d.Attempts, d.History = whyNow.Add(4*time.Minute), 2, []queue.Entry{triedAt(ago, reply(451, "greylisted"))}
		}), nil, kaizen.WhyRetry, "it is tried again in 4 min (try 3); the last try: 451 greylisted", whyNow.Add(4 * time.Minute), "retry 17"},
		{"retry too late", with(func(d *queue.Details) { d.Due, d.Expires = later, whyNow.Add(time.Hour) }),
			nil, kaizen.WhyNotBefore, "but it expires before, in 1 h", time.Time{}, ""},
		{"down", asIs, func(s *kaizen.Situation) {
			s.Accounts = []kaizen.Status{{Account: "office", Health: kaizen.Health{Condition: kaizen.Down, Cause: kaizen.CauseOutage, Reason: "connection refused", NextProbe: whyNow.Add(20 * time.Second)}}}
		}, kaizen.WhyDown, "account office cannot reach its server: connection refused; the server is asked again in 20 s", whyNow.Add(20 * time.Second), ""},
		{"quota", asIs, func(s *kaizen.Situation) {
			s.Accounts = []kaizen.Status{{Account: "office", Health: kaizen.Health{Condition: kaizen.Down, Cause: kaizen.CauseQuota, Reason: "an allowance is used up: 452", NextProbe: later}}}
		}, kaizen.WhyQuota, "account office may not send for now: an allowance is used up: 452; the server is asked again in 14 h", later, ""},
		{"rate", with(func(d *queue.Details) { d.Ahead = 4213 }), func(s *kaizen.Situation) {
			s.Accounts = []kaizen.Status{rated(9.8, kaizen.LimitStatus{Rate: kaizen.Rate{Count: 10, Per: time.Second}, Used: 10})}
		}, kaizen.WhyRate, "account office: 10 per second reached, 4,213 ahead, about 7 min", time.Time{}, ""},
		{"claimed, and limited", with(func(d *queue.Details) { d.State = queue.Active }), func(s *kaizen.Situation) {
			s.Accounts = []kaizen.Status{rated(0, kaizen.LimitStatus{Rate: kaizen.Rate{Count: 500, Per: 24 * time.Hour}, Used: 500, Free: 3 * time.Hour})}
		}, kaizen.WhyRate, "account office: 500 per day reached, and it is among the next, about 3 h", whyNow.Add(3 * time.Hour), ""},
		{"daily limit", asIs, func(s *kaizen.Situation) {
			s.Accounts = []kaizen.Status{rated(0, kaizen.LimitStatus{Rate: kaizen.Rate{Count: 500, Per: 24 * time.Hour}, Used: 500, Free: 3 * time.Hour})}
		}, kaizen.WhyRate, "account office: 500 per day reached, it is the next one, about 3 h", whyNow.Add(3 * time.Hour), ""},
		{"throttled", with(func(d *queue.Details) { d.Ahead = 20 }), func(s *kaizen.Situation) {
			slow := rated(2)
			slow.Health = kaizen.Health{Condition: kaizen.Degraded, Cause: kaizen.CauseThrottled, Reason: "421 slow down"}
			s.Accounts = []kaizen.Status{slow}
		}, kaizen.WhyRate, "the server of account office asks to go slower: 421 slow down, 20 ahead, about 10 s", time.Time{}, ""},
		{"connections", with(func(d *queue.Details) { d.Ahead = 12 }), func(s *kaizen.Situation) {
			busy := rated(4)
			busy.Processes[0].Stats.Busy = 5
			s.Accounts = []kaizen.Status{busy}
		}, kaizen.WhyConnections, "all 5 connections of account office are busy, 12 ahead, about 3 s", time.Time{}, ""},
		{"in line", with(func(d *queue.Details) { d.Ahead = 7 }), nil, kaizen.WhyInLine, "7 ahead in account office", time.Time{}, ""},
		{"next", asIs, nil, kaizen.WhyInLine, "it is the next one in account office", time.Time{}, ""},
		{"no nonsense", with(func(d *queue.Details) { d.Ahead = 4_000_000 }), func(s *kaizen.Situation) {
			s.Accounts = []kaizen.Status{rated(0.01)}
		}, kaizen.WhyInLine, "4,000,000 ahead in account office", time.Time{}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := delivering()
			if test.change != nil {
				test.change(&s)
			}
			w := s.Job(&test.job)
			if w.Code != test.code || !strings.Contains(w.Sentence, test.want) || !strings.Contains(w.Advice, test.advice) {
				t.Errorf("got %s: %q (%q), want %s: %q (%q)", w.Code, w.Sentence, w.Advice, test.code, test.want, test.advice)
			}
			if !test.next.IsZero() && !w.Next.Equal(test.next) {
				t.Errorf("next is %v, want %v", w.Next, test.next)
			}
			if strings.Contains(w.Sentence, "  ") || strings.HasSuffix(w.Sentence, ".") || strings.Contains(w.Sentence, "\n") {
				t.Errorf("%q is no plain sentence", w.Sentence)
			}
		})
	}
}

func TestWhyOfAnAccount(t *testing.T) {
	t.Parallel()
	count := func(queued, active, held int) map[queue.State]int {
		return map[queue.State]int{queue.Queued: queued, queue.Active: active, queue.Held: held}
	}
	tests := []struct {
		name  string
		lane  queue.Lane
		speed float64
		code  kaizen.WhyCode
		want  string
	}{
		{"empty", queue.Lane{}, 0, kaizen.WhyNothing, "nothing waits in account office"},
		{"held", queue.Lane{Count: count(0, 0, 3)}, 0, kaizen.WhyHeld, "3 jobs of account office are held, and nothing else waits"},
		{"paused and empty", queue.Lane{Paused: whyNow.Add(-time.Hour)}, 0, kaizen.WhyPaused, "account office is paused since 11:00:00"},
		{"none is due", queue.Lane{Count: count(12, 0, 0), Next: whyNow.Add(4 * time.Minute)}, 0, kaizen.WhyNotBefore, "the next of 12 jobs is due in 4 min"},
		{"sending", queue.Lane{Count: count(1199, 1, 0), Oldest: whyNow}, 10, kaizen.WhySending, "account office is sending, 1,200 jobs left, about 2 min"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := delivering()
			test.lane.Name = "office"
			s.Stats.Lanes = []queue.Lane{test.lane}
			if test.speed > 0 {
				s.Accounts = []kaizen.Status{rated(test.speed)}
			}
			if w := s.Account("office"); w.Code != test.code || w.Sentence != test.want {
				t.Errorf("got %s: %q, want %s: %q", w.Code, w.Sentence, test.code, test.want)
			}
		})
	}
}

func TestWhyIsJSON(t *testing.T) {
	t.Parallel()
	s := delivering()
	s.Stats.Delivering = false
	text, err := json.Marshal(s.Job(&queue.Details{Job: queue.Job{ID: 1, State: queue.Queued, Lane: "office"}}))
	want := `{"code":"no-delivery","sentence":"nobody delivers from this queue","advice":"run 'kaizen queue run'"}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
}
