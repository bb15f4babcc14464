package main

import (
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

func TestStatusShowsTheQueue(t *testing.T) {
	t.Parallel()
	r := report(healthy())
	r.addQueue(queue.Stats{Lanes: []queue.Lane{
		{Name: "gone", Count: map[queue.State]int{queue.Held: 2}, Paused: noon.Add(-time.Hour)},
		{Name: "sent", Count: map[queue.State]int{queue.Sent: 9}},
		{Name: "work", Count: map[queue.State]int{queue.Queued: 4213, queue.Active: 10}, Oldest: noon.Add(-3 * time.Minute)},
	}})
	golden(t, uncoloured(80, false).lines(r), `
ACCOUNT  CONDITION     QUEUED  WAITING  CONNECTIONS     ACCEPTED  UNKNOWN   RATE
work     healthy         4223       12  3 of 5, 2 busy      1204        0  9.8/s
gone     idle       0 +2 held        -  -                      -        -      -

2 accounts: 1 healthy, 1 idle
`)
	if got, want := r.find("gone").Queue.inWords(noon), "0 queued, 2 held, paused 1 h ago"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := r.find("work").Queue.inWords(noon), "4223 queued, the oldest due 3 min ago"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
