package kaizen_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func sum(counts map[string]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// What a client counts is what senders were told and what the server saw,
// whatever the server does to its connections.
func TestStatsAddUp(t *testing.T) {
	t.Parallel()
	const messages = 2_000
	s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Faults: everywhere(), Seed: 11})
	defer s.Close()
	client := kaizen.New(kaizen.Config{})
	told := map[kaizen.Outcome]int64{}
	for _, outcome := range sendMany(t, client, account(s), messages, 20) {
		told[outcome]++
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	st := client.Stats()[0]
	got := map[kaizen.Outcome]int64{smtp.Accepted: st.Accepted, smtp.Rejected: st.Rejected, smtp.NotSent: st.NotSent, smtp.Unknown: st.Unknown}
	for _, outcome := range []kaizen.Outcome{smtp.Accepted, smtp.Rejected, smtp.NotSent, smtp.Unknown} {
		if got[outcome] != told[outcome] {
			t.Errorf("%v: %d counted, %d told", outcome, got[outcome], told[outcome])
		}
	}
	if st.Open != 0 || st.InFlight != 0 || st.Waiting != 0 || st.Dialled != sum(st.Closed) {
		t.Errorf("connections: %+v", st)
	}
	if failures := sum(st.Failures); failures != messages-told[smtp.Accepted] {
		t.Errorf("%d failures by class, %d messages failed", failures, messages-told[smtp.Accepted])
	}
	if n := int64(st.Handshake.Count); n != st.Dialled-st.Closed["dial"] {
		t.Errorf("%d handshakes of %d dials, of which %d failed", n, st.Dialled, st.Closed["dial"])
	}
	if n := int64(st.Wait.Count); n > messages+st.Repeated || n < st.Accepted+st.Unknown+st.Repeated {
		t.Errorf("%d waits of %d messages repeated %d times", n, messages, st.Repeated)
	}
	checkVerdicts(t, s, st, told)
}

// checkVerdicts compares what was accepted with what arrived.
func checkVerdicts(t *testing.T, s *smtptest.Server, st kaizen.Stats, told map[kaizen.Outcome]int64) {
	t.Helper()
	arrived := int64(0)
	for _, tally := range s.Accepted() {
		arrived += int64(tally.Times)
	}
	if lost := arrived - st.RecipientsAccepted; st.RecipientsAccepted != told[smtp.Accepted] || lost < 0 || lost > told[smtp.Unknown] {
		t.Errorf("%d recipients accepted of %d messages; %d arrived, %d unknown", st.RecipientsAccepted, told[smtp.Accepted], arrived, told[smtp.Unknown])
	}
	if n := int64(st.Transaction.Count); n < arrived || st.Transaction.Sum <= 0 {
		t.Errorf("%d transactions for %d messages took %v", n, arrived, st.Transaction.Sum)
	}
}

// descents are the totals of now that are below those of before.
func descents(before, now kaizen.Stats) (down []string) {
	totals := func(s kaizen.Stats) map[string]int64 {
		all := map[string]int64{"dialled": s.Dialled, "reused": s.Reused, "accepted": s.Accepted, "rejected": s.Rejected,
			"not sent": s.NotSent, "unknown": s.Unknown, "canceled": s.Canceled, "late": s.Late, "repeated": s.Repeated,
			"rate waits": s.RateWaits, "recipients accepted": s.RecipientsAccepted, "recipients rejected": s.RecipientsRejected, "octets": s.Octets,
			"closed": sum(s.Closed), "failures": sum(s.Failures)}
		for name, h := range map[string]kaizen.Histogram{"wait": s.Wait, "transaction": s.Transaction, "handshake": s.Handshake} {
			all[name+" sum"], all[name+" count"] = int64(h.Sum), int64(h.Count)
			for i, n := range h.Counts {
				all[fmt.Sprint(name, i)] = int64(n)
			}
		}
		return all
	}
	was := totals(before)
	for name, n := range totals(now) {
		if n < was[name] {
			down = append(down, fmt.Sprintf("%s from %d to %d", name, was[name], n))
		}
	}
	return down
}

// Totals never go down, although the account's connections are closed again and
// again while messages are sent.
func TestTotalsNeverGoDown(t *testing.T) {
	t.Parallel()
	const messages = 1_000
	s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Faults: everywhere(), Seed: 12})
	defer s.Close()
	client := kaizen.New(kaizen.Config{})
	a := account(s)
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan int)
	go func() {
		var before kaizen.Stats
		n := 0
		for ; ctx.Err() == nil; n++ {
			_ = client.CloseAccount(context.Background(), a)
			for _, now := range client.Stats() {
				if down := descents(before, now); len(down) > 0 {
					t.Errorf("down: %s", strings.Join(down, ", "))
				}
				before = now
			}
		}
		closed <- n
	}()
	told := sendMany(t, client, a, messages, 20)
	cancel()
	t.Logf("closed %d times", <-closed)
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	st := client.Stats()[0]
	if n := st.Accepted + st.Rejected + st.NotSent + st.Unknown; n != int64(len(told)) {
		t.Errorf("%d messages counted, %d sent", n, len(told))
	}
}

// A sender leaves, the account is closed, and then the verdict comes: it counts.
func TestLateVerdictOfAClosingPoolCounts(t *testing.T) {
	slow := smtptest.Fault{Phase: smtptest.PhaseFinal, Action: smtptest.Delay, Pause: 10 * time.Second}
	bubble(t, smtptest.Config{Faults: []smtptest.Fault{slow}}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := client.Send(ctx, account(s), note("1")); err == nil {
			t.Error("the server was not slow")
		}
		go func() { _ = client.CloseAccount(context.Background(), account(s)) }()
		synctest.Wait()
		if st := client.Stats()[0]; st.InFlight != 1 || st.Busy != 1 || st.Unknown != 1 || st.Late != 0 || st.Failures["canceled"] != 1 {
			t.Errorf("while the pool closes: %+v", st)
		}
		<-time.After(20 * time.Second)
		synctest.Wait()
		st := client.Stats()[0]
		if st.Open != 0 || st.Late != 1 || st.RecipientsAccepted != 1 || st.Accepted != 0 || st.Octets == 0 {
			t.Errorf("afterwards: %+v", st)
		}
		if want := len(st.Transaction.Bounds) - 4; st.Transaction.Counts[want] != 1 || st.Transaction.Sum != 10*time.Second {
			t.Errorf("transactions: %+v", st.Transaction)
		}
	})
}

// Histograms say what took how long, and statistics can be written as JSON.
func TestHistograms(t *testing.T) {
	bubble(t, smtptest.Config{Latency: 20 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		a := account(s)
		a.Limits = kaizen.Limits{Connections: 1, Rates: []kaizen.Rate{{Count: 1, Per: time.Minute}}}
		for i := range 2 {
			if _, err := client.Send(t.Context(), a, note(fmt.Sprint(i), "bob@example.net", "cy@example.net")); err != nil {
				t.Fatal(err)
			}
		}
		st := client.Stats()[0]
		for name, h := range map[string]kaizen.Histogram{"wait": st.Wait, "transaction": st.Transaction, "handshake": st.Handshake} {
			total := uint64(0)
			for _, n := range h.Counts {
				total += n
			}
			if len(h.Counts) != len(h.Bounds)+1 || !slices.IsSorted(h.Bounds) || h.Count != total {
				t.Errorf("%s: %+v", name, h)
			}
		}
		if st.Wait.Count != 2 || st.Wait.Sum < time.Minute || st.Wait.Sum > 61*time.Second || st.RateWaits != 1 {
			t.Errorf("waits: %+v", st)
		}
		if st.Transaction.Count != 2 || st.Handshake.Count != 1 || st.Handshake.Sum < 40*time.Millisecond {
			t.Errorf("transactions %+v, handshakes %+v", st.Transaction, st.Handshake)
		}
		if st.RecipientsAccepted != 4 {
			t.Errorf("%d recipients", st.RecipientsAccepted)
		}
		if octets, err := json.Marshal(client.Stats()); err != nil || !strings.Contains(string(octets), `"transaction":{"bounds":[1000000,`) {
			t.Errorf("%s, %v", octets, err)
		}
	})
}
