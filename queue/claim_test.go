package queue_test

import (
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestPick(t *testing.T) {
	t.Parallel()
	const no = -1000 * time.Hour // no job of that rank
	fresh, old, older, later := -time.Minute, -queue.AgedAfter, -queue.AgedAfter-time.Second, time.Millisecond
	for _, tt := range []struct {
		name                       string
		urgent, high, normal, bulk time.Duration // when the first is due, from noon
		turn                       uint64
		want                       queue.Priority
		none                       bool
	}{
		{"nothing", no, no, no, no, 3, 0, true},
		{"nothing due", later, later, later, later, 3, 0, true},
		{"due now", no, no, 0, no, 0, queue.Normal, false},
		{"urgent first", fresh, older, older, older, 3, queue.Urgent, false},
		{"an urgent one later", later, no, fresh, no, 0, queue.Normal, false},
		{"high before normal", no, fresh, older, older, 2, queue.High, false},
		{"an aged normal one in its turn", no, fresh, old, no, 3, queue.Normal, false},
		{"an aged bulk one in its turn", no, fresh, fresh, old, 7, queue.Bulk, false},
		{"the older of two aged", no, fresh, old, older, 3, queue.Bulk, false},
		{"of equals the higher", no, fresh, old, old, 3, queue.Normal, false},
		{"not quite aged", no, fresh, old + time.Millisecond, no, 3, queue.High, false},
		{"high does not age", no, older, fresh, no, 3, queue.High, false},
		{"bulk at last", no, later, no, fresh, 0, queue.Bulk, false},
		{"a turn of the aged with none", no, no, no, fresh, 3, queue.Bulk, false},
	} {
		var due [queue.Ranks]time.Time
		for rank, at := range []time.Duration{tt.urgent, tt.high, tt.normal, tt.bulk} {
			if at != no {
				due[rank] = noon.Add(at)
			}
		}
		p, ok := queue.Pick(due, noon, tt.turn)
		if ok == tt.none || ok && p != tt.want {
			t.Errorf("%s: %s, %t; want %s, %t", tt.name, p, ok, tt.want, !tt.none)
		}
	}
}

// FuzzPick: what is picked is due, and urgent if anything urgent is.
func FuzzPick(f *testing.F) {
	f.Add(int64(0), int64(-700), int64(-5), int64(900), uint64(3))
	f.Add(int64(1), int64(1), int64(-601), int64(-600), uint64(1<<63+3))
	f.Fuzz(func(t *testing.T, urgent, high, normal, bulk int64, turn uint64) {
		var due [queue.Ranks]time.Time
		ready := false
		for rank, seconds := range []int64{urgent, high, normal, bulk} {
			if seconds %= 1e6; seconds != 7 { // 7: there is none
				due[rank] = noon.Add(time.Duration(seconds) * time.Second)
				ready = ready || seconds <= 0
			}
		}
		p, ok := queue.Pick(due, noon, turn)
		switch {
		case ok != ready:
			t.Fatalf("picked: %t, anything due: %t", ok, ready)
		case ok && (due[p.Rank()].IsZero() || due[p.Rank()].After(noon)):
			t.Fatalf("picked %s, which is due %v", p, due[p.Rank()])
		case ok && urgent%1e6 <= 0 && p != queue.Urgent:
			t.Fatalf("picked %s before an urgent job", p)
		}
	})
}
