package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// benchResult is what a load measured. Its JSON is for programs: keys are never
// renamed.
type benchResult struct {
	Server    string  `json:"server"`
	Messages  int     `json:"messages"` // asked for
	Size      int64   `json:"size"`     // octets of each
	Senders   int     `json:"concurrency"`
	Level     string  `json:"level"` // the highest permitted
	Once      bool    `json:"once"`
	Accepted  int     `json:"accepted"`
	Rejected  int     `json:"rejected"`
	NotSent   int     `json:"not_sent"`
	Unknown   int     `json:"unknown"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"messages_per_second"` // accepted ones
	FirstMS   float64 `json:"first_send_ms"`       // from the start to the first verdict, connecting included
	Latency   latency `json:"latency_ms"`
	// RoundTrips are those on the connection; of connecting and logging in only
	// what the message waited for.
	RoundTrips  float64 `json:"round_trips_per_message"`
	Connections int     `json:"connections"` // opened
	PeakMemory  int64   `json:"peak_memory_bytes"`
	CPU         float64 `json:"cpu_us_per_message"`
}

// latency is from handing a message over to its verdict, in milliseconds.
type latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// result adds up what the senders saw.
func (l *load) result(p *benchPlan, took, cpu time.Duration) *benchResult {
	r := &benchResult{Server: p.server(), Messages: p.messages, Size: p.source.size, Senders: p.senders,
		Level: p.account.MaxLevel.String(), Once: p.once, Seconds: took.Seconds(), PeakMemory: peakMemory()}
	var all []time.Duration
	var outcomes [4]int
	roundTrips, first := 0, time.Duration(0)
	for _, s := range l.senders {
		all = append(all, s.latencies...)
		roundTrips += s.roundTrips
		for i, n := range s.outcomes {
			outcomes[i] += n
		}
		if len(s.latencies) > 0 && (first == 0 || s.first < first) {
			first = s.first
		}
	}
	r.Accepted, r.Rejected = outcomes[smtp.Accepted], outcomes[smtp.Rejected]
	r.NotSent, r.Unknown = outcomes[smtp.NotSent], outcomes[smtp.Unknown]
	r.PerSecond = float64(r.Accepted) / max(took.Seconds(), 1e-9)
	r.FirstMS = milliseconds(first)
	r.Latency = latencyOf(all)
	if sent := r.Accepted + r.Rejected + r.Unknown; sent > 0 {
		r.RoundTrips = float64(roundTrips) / float64(sent)
		r.CPU = float64(cpu.Microseconds()) / float64(sent)
	}
	return r
}

func latencyOf(all []time.Duration) latency {
	slices.Sort(all)
	at := func(share float64) float64 { return milliseconds(percentile(all, share)) }
	return latency{P50: at(0.50), P90: at(0.90), P99: at(0.99), Max: at(1)}
}

// percentile is the smallest value that at least the given share of all values
// does not exceed (nearest rank). sorted may be empty.
func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(share * float64(len(sorted)))
	if float64(rank) < share*float64(len(sorted)) {
		rank++
	}
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r *benchResult) print(w io.Writer, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		return out.Encode(r)
	}
	_, err := io.WriteString(w, r.text())
	return err
}

func (r *benchResult) text() string {
	way := "pooled"
	if r.Once {
		way = "a connection each"
	}
	return fmt.Sprintf("%s: %d messages of %d octets, %d at once, %s, level %s\n",
		r.Server, r.Messages, r.Size, r.Senders, way, r.Level) +
		fmt.Sprintf("  outcome      %d accepted, %d rejected, %d not sent, %d unknown\n", r.Accepted, r.Rejected, r.NotSent, r.Unknown) +
		fmt.Sprintf("  speed        %.1f messages per second, %.3f s in all\n", r.PerSecond, r.Seconds) +
		fmt.Sprintf("  first        %.1f ms, connecting included\n", r.FirstMS) +
		fmt.Sprintf("  latency      %.2f ms median, %.2f ms p90, %.2f ms p99, %.2f ms at most\n", r.Latency.P50, r.Latency.P90, r.Latency.P99, r.Latency.Max) +
		fmt.Sprintf("  wire         %.2f round trips per message, %d connections\n", r.RoundTrips, r.Connections) +
		fmt.Sprintf("  cost         %.1f µs of CPU per message, %.1f MB of memory at most\n", r.CPU, float64(r.PeakMemory)/1e6)
}
