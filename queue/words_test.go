package queue_test

import (
	"encoding"
	"encoding/json"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/queue"
)

// word is a name that can be written and read.
type word interface {
	encoding.TextMarshaler
	String() string
}

func TestWordsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	read := func(t *testing.T, w word, into encoding.TextUnmarshaler, got func() word) {
		t.Helper()
		text, err := w.MarshalText()
		if err != nil || string(text) != w.String() || strings.Contains(w.String(), "(") {
			t.Fatalf("%v is written %q, %v", w, text, err)
		}
		if err := into.UnmarshalText(text); err != nil || got() != w {
			t.Fatalf("%q was read as %v, %v", text, got(), err)
		}
	}
	for _, s := range queue.States() {
		var got queue.State
		read(t, s, &got, func() word { return got })
	}
	for p := range queue.Bulk + 1 {
		var got queue.Priority
		read(t, p, &got, func() word { return got })
	}
	for p := range queue.Never + 1 {
		var got queue.Policy
		read(t, p, &got, func() word { return got })
	}
	for d := range queue.Memory + 1 {
		var got queue.Durability
		read(t, d, &got, func() word { return got })
	}
	for a := queue.DoCancel; a <= queue.DoMove; a++ {
		var got queue.Action
		read(t, a, &got, func() word { return got })
	}
	for k := queue.Tried; k <= queue.WasSentAgain; k++ {
		var got queue.Kind
		read(t, k, &got, func() word { return got })
	}
}

func TestUnknownWordsAreRefusedWithThoseThereAre(t *testing.T) {
	t.Parallel()
	var state queue.State
	err := state.UnmarshalText([]byte("waiting"))
	if err == nil || !strings.Contains(err.Error(), `"waiting"`) || !strings.Contains(err.Error(), "queued, active, held, sent, failed, expired, cancelled") {
		t.Errorf("error: %v", err)
	}
	for _, text := range []string{"", "Urgent", "urgent ", "priority(7)"} {
		p := queue.High
		if p.UnmarshalText([]byte(text)) == nil || p != queue.High {
			t.Errorf("%q was read as a priority: %s", text, p)
		}
	}
	if got := queue.State(99).String(); got != "state(99)" {
		t.Errorf("an unknown state is written %q", got)
	}
	if got := queue.State(0).String(); got != "state(0)" {
		t.Errorf("no state is written %q", got)
	}
}

func TestFinished(t *testing.T) {
	t.Parallel()
	want := map[queue.State]bool{queue.Sent: true, queue.Failed: true, queue.Expired: true, queue.Cancelled: true}
	for _, s := range queue.States() {
		if s.Finished() != want[s] {
			t.Errorf("%s: finished %t", s, s.Finished())
		}
	}
}

func TestRanks(t *testing.T) {
	t.Parallel()
	for rank, p := range []queue.Priority{queue.Urgent, queue.High, queue.Normal, queue.Bulk} {
		if p.Rank() != rank || queue.OfRank(rank) != p {
			t.Errorf("%s has the rank %d; rank %d is %s", p, p.Rank(), rank, queue.OfRank(rank))
		}
	}
	if queue.Priority(200).Rank() != queue.Ranks-1 {
		t.Error("an unknown priority is not last")
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]queue.ID{"1": 1, "9223372036854775807": 1<<63 - 1, "007": 7} {
		if got, err := queue.ParseID(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "1.5", "x", " 1", "1 ", "9223372036854775808", "0x10", "1_000"} {
		if got, err := queue.ParseID(text); err == nil || got != 0 || !strings.Contains(err.Error(), "positive number") {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("1")
	f.Add("-0")
	f.Add("+12")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := queue.ParseID(text)
		if err != nil {
			return
		}
		if again, err := queue.ParseID(id.String()); id <= 0 || err != nil || again != id {
			t.Errorf("%q is job %d, which is read as %d, %v", text, id, again, err)
		}
	})
}

func TestJobsInJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(queue.Job{ID: 1<<60 + 1, State: queue.Held, Priority: queue.Urgent, Unknown: queue.Never})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"id":"1152921504606846977"`, `"state":"held"`, `"priority":"urgent"`, `"unknown":"never"`, `"durability":"disk"`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("%s is not in %s", part, b)
		}
	}
	if strings.Contains(string(b), "again") || strings.Contains(string(b), "ended") {
		t.Errorf("what is not set is in %s", b)
	}
	var read queue.Job
	if err := json.Unmarshal(b, &read); err != nil || read.ID != 1<<60+1 || read.State != queue.Held {
		t.Errorf("read: %+v, %v", read, err)
	}
}

func TestRefusalsInJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(queue.Controlled{Not: []queue.Refusal{{ID: 7, Err: queue.ErrTooLate}}})
	if want := `{"changed":0,"not":[{"id":"7","why":"too late: it is being sent"}]}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
}
