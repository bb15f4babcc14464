package main

import (
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen/bench/driver"
)

// scenario is one table of the comparison.
type scenario struct {
	Name        string
	Message     driver.Message
	Connections int
	RoundTrip   time.Duration
	TLS         bool
	// Each is how many messages a connection sends in a turn; 0 is as many as
	// fill the turn's time. With a round trip a turn's length is its waiting,
	// and a fixed number compares all at the same share of connecting.
	Each int
}

func cases(quick bool) []scenario {
	letter, attachment := driver.Letter(), driver.Attachment()
	all := []scenario{
		{Name: "loopback, letter, C=5", Message: letter, Connections: 5},
		{Name: "loopback TLS, letter, C=5", Message: letter, Connections: 5, TLS: true},
		{Name: "loopback, attachment, C=5", Message: attachment, Connections: 5},
	}
	if quick {
		return append(all,
			scenario{Name: "RTT 50 ms, letter, C=5", Message: letter, Connections: 5, RoundTrip: 50 * time.Millisecond, Each: 4})
	}
	for _, rtt := range []time.Duration{50 * time.Millisecond, 100 * time.Millisecond} {
		for _, conns := range []int{1, 5} {
			all = append(all, scenario{
				Name:    fmt.Sprintf("RTT %d ms, letter, C=%d", rtt.Milliseconds(), conns),
				Message: letter, Connections: conns, RoundTrip: rtt, Each: 10,
			})
		}
	}
	return all
}
