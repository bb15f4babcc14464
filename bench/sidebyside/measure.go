package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/bench/cputime"
	"github.com/kaizenmail/kaizen/bench/driver"
)

// result is one driver's row of a table.
type result struct {
	Case            string       `json:"case"`
	Driver          string       `json:"driver"`
	Level           driver.Level `json:"level"`
	Composes        bool         `json:"composes"`
	PerSecond       float64      `json:"per_second"` // median of the turns
	Slowest         float64      `json:"slowest"`    // messages a second in the worst turn
	Fastest         float64      `json:"fastest"`
	CPU             float64      `json:"cpu_us"`            // the client's CPU time for a message, µs, median
	ToBare          float64      `json:"to_bare"`           // PerSecond over that of the bare client of this level
	RoundTrips      float64      `json:"round_trips"`       // for a message, without connecting
	PerConnection   float64      `json:"per_connection"`    // messages a connection carried
	MessagesPerTurn int          `json:"messages_per_turn"` // how many were sent for one figure
}

// sample is one turn.
type sample struct {
	perSecond, cpu, roundTrips, perConnection float64
}

// Turns that fill a given time are found by sending few messages first.
const (
	probePerConnection = 20
	mostPerTurn        = 500_000
)

func (c scenario) measure(ctx context.Context, drivers []driver.Driver, turns int, turn time.Duration) ([]result, error) {
	server, err := startServer(c)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	if c.TLS {
		drivers = slices.DeleteFunc(drivers, func(d driver.Driver) bool { return d.NoTLS })
	}
	sizes := make([]int, len(drivers))
	for i, d := range drivers {
		if sizes[i], err = c.size(ctx, server, d, turn); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.Name, d.Name, err)
		}
	}
	samples := make([][]sample, len(drivers))
	for range turns {
		for i, d := range drivers {
			s, err := server.turn(ctx, d, sizes[i], c.Connections)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", c.Name, d.Name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	var results []result
	for i, d := range drivers {
		results = append(results, summarize(c, d, sizes[i], samples[i]))
	}
	compareToBare(results)
	return results, nil
}

// size is how many messages a turn of this driver has. It warms up, too.
func (c scenario) size(ctx context.Context, server *server, d driver.Driver, turn time.Duration) (int, error) {
	if c.Each > 0 {
		return c.Each * c.Connections, nil
	}
	n := probePerConnection * c.Connections
	for {
		s, err := server.turn(ctx, d, n, c.Connections)
		if err != nil {
			return 0, err
		}
		fitting := min(int(s.perSecond*turn.Seconds()), mostPerTurn)
		if fitting <= 4*n {
			return max(fitting, n), nil
		}
		n *= 4 // connecting weighs less and less
	}
}

// turn measures n messages, and makes sure that they arrived.
func (s *server) turn(ctx context.Context, d driver.Driver, n, conns int) (sample, error) {
	before, err := s.counts()
	if err != nil {
		return sample{}, err
	}
	runtime.GC() // nobody pays for the one before
	cpu, start := cputime.Used(), time.Now()
	if err := d.Send(ctx, s.target, n, conns); err != nil {
		return sample{}, err
	}
	took, used := time.Since(start), cputime.Used()-cpu
	after, err := s.counts()
	if err != nil {
		return sample{}, err
	}
	if got := after.Messages - before.Messages; got != int64(n) {
		return sample{}, fmt.Errorf("%d messages sent, %d arrived", n, got)
	}
	if refused := after.Refused - before.Refused; refused > 0 {
		return sample{}, fmt.Errorf("%d commands were refused", refused)
	}
	count := float64(n)
	return sample{
		perSecond:     count / took.Seconds(),
		cpu:           float64(used.Microseconds()) / count,
		roundTrips:    float64(after.Flights-before.Flights) / count,
		perConnection: count / float64(max(1, after.Connections-before.Connections)),
	}, nil
}

func summarize(c scenario, d driver.Driver, n int, samples []sample) result {
	rates := pick(samples, func(s sample) float64 { return s.perSecond })
	return result{
		Case: c.Name, Driver: d.Name, Level: d.Level, Composes: d.Composes,
		PerSecond:       median(rates),
		Slowest:         slices.Min(rates),
		Fastest:         slices.Max(rates),
		CPU:             median(pick(samples, func(s sample) float64 { return s.cpu })),
		RoundTrips:      median(pick(samples, func(s sample) float64 { return s.roundTrips })),
		PerConnection:   median(pick(samples, func(s sample) float64 { return s.perConnection })),
		MessagesPerTurn: n,
	}
}

func compareToBare(results []result) {
	bare := map[driver.Level]float64{}
	for _, r := range results {
		if r.Driver == "bare "+string(r.Level) {
			bare[r.Level] = r.PerSecond
		}
	}
	for i := range results {
		results[i].ToBare = results[i].PerSecond / bare[results[i].Level]
	}
}

func pick(samples []sample, field func(sample) float64) []float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, field(s))
	}
	return values
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
