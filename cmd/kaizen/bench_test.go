package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	upTo := func(n int) (d []time.Duration) {
		for i := range n {
			d = append(d, time.Duration(i+1))
		}
		return d
	}
	tests := []struct {
		values int
		share  float64
		want   time.Duration
	}{
		{0, 0.5, 0}, {1, 0.5, 1}, {1, 1, 1}, {2, 0.5, 1}, {3, 0.5, 2}, {10, 0.9, 9},
		{10, 0.99, 10}, {100, 0.99, 99}, {101, 0.99, 100}, {1000, 0.5, 500}, {1000, 1, 1000}, {5, 0, 1},
	}
	for _, tt := range tests {
		if got := percentile(upTo(tt.values), tt.share); got != tt.want {
			t.Errorf("percentile %v of 1…%d is %d, want %d", tt.share, tt.values, got, tt.want)
		}
	}
}

func TestBenchLimits(t *testing.T) {
	t.Parallel()
	const server = "smtp://localhost?tls=none"
	tests := []struct {
		name  string
		flags benchFlags
		want  kaizen.Limits
		level smtp.Level
	}{
		{"defaults", benchFlags{server: server}, kaizen.Limits{Connections: 5, Rates: kaizen.NoRate()}, smtp.LevelAuto},
		{"of the URL", benchFlags{server: server + "&rate=30/1m&connections=2&level=group"},
			kaizen.Limits{Connections: 2, Rates: []kaizen.Rate{{Count: 30, Per: time.Minute}}}, smtp.LevelGroup},
		{"flags go first", benchFlags{server: server + "&rate=30/1m&connections=2&level=group", rate: "none", connections: 7,
			messagesPerConnection: -1, level: smtp.LevelLockStep},
			kaizen.Limits{Connections: 7, MessagesPerConnection: -1, Rates: kaizen.NoRate()}, smtp.LevelLockStep},
		{"rate", benchFlags{server: server, rate: "10/1s,500/24h"}, kaizen.Limits{Connections: 5,
			Rates: []kaizen.Rate{{Count: 10, Per: time.Second}, {Count: 500, Per: 24 * time.Hour}}}, smtp.LevelAuto},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.flags.messages, tt.flags.from, tt.flags.rcpt = 1, "a@example.com", []string{"b@example.com"}
			account, err := kaizen.ParseURL(tt.flags.server)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := tt.flags.plan(account, func(string) bool { return false })
			if err != nil {
				t.Fatal(err)
			}
			if got := plan.account; !reflect.DeepEqual(got.Limits, tt.want) || got.MaxLevel != tt.level {
				t.Errorf("limits %+v at level %v, want %+v at %v", got.Limits, got.MaxLevel, tt.want, tt.level)
			}
		})
	}
}

func TestBenchSourceHasTheSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{400, 1024, 1025, 1087, 2048, 100_000} {
		source, err := newBenchSource("a@example.com", []string{"b@example.com"}, size, false)
		if err != nil {
			t.Fatal(err)
		}
		if off := source.size - int64(size); off < -1 || off > 0 {
			t.Errorf("a prepared message of %d octets has %d", size, source.size)
		}
		composed, err := newBenchSource("a@example.com", []string{"b@example.com"}, size, true)
		if err != nil {
			t.Fatal(err)
		}
		n, err := composed.next().WriteTo(io.Discard)
		if err != nil || max(n-composed.size, composed.size-n) > 20 {
			t.Errorf("a composed message of %d octets says %d, and has %d (%v)", size, composed.size, n, err)
		}
		if size > 1024 && (n < int64(size)*95/100 || n > int64(size)*105/100) {
			t.Errorf("a composed message of %d octets has %d", size, n)
		}
	}
}

// plain is a load for a server without TLS.
func plain(t *testing.T, server *smtptest.Server, messages int) *benchPlan {
	t.Helper()
	source, err := newBenchSource("a@example.com", []string{"b@example.com"}, 1024, false)
	if err != nil {
		t.Fatal(err)
	}
	account := kaizen.Account{Host: "localhost", TLS: smtp.TLSNone, DialContext: server.DialContext,
		Limits: kaizen.Limits{Rates: kaizen.NoRate()}}
	return &benchPlan{account: account, source: source, messages: messages, senders: 4, maxFailures: 3}
}

func TestBenchCountsWhatTheServerCounts(t *testing.T) {
	t.Parallel()
	for _, once := range []bool{false, true} {
		server := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
		defer server.Close()
		plan := plain(t, server, 50)
		plan.once = once
		result, err := plan.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stats := server.Stats()
		if result.Accepted != 50 || stats.Accepted != 50 {
			t.Errorf("accepted: %d, and %d at the server, want 50", result.Accepted, stats.Accepted)
		}
		if result.RoundTrips <= 0 || result.Latency.P50 > result.Latency.Max || result.PeakMemory <= 0 {
			t.Errorf("implausible: %+v", result)
		}
		if once && stats.Connections != 50 {
			t.Errorf("%d connections, want 50", stats.Connections)
		}
	}
}

func TestBenchStopsEarly(t *testing.T) {
	t.Parallel()
	refuse := func(phase smtptest.Phase, _ string) *smtptest.Reply {
		if phase != smtptest.PhaseRCPT {
			return nil
		}
		return &smtptest.Reply{Code: 550, Text: "no such user"}
	}
	server := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Reject: refuse})
	defer server.Close()
	result, err := plain(t, server, 100_000).run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the first one:") || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("error %v, want the server's words", err)
	}
	if result.Accepted != 0 || result.Rejected < 3 || result.Rejected > 10 {
		t.Errorf("%d accepted and %d rejected, want none and 3 or a few more", result.Accepted, result.Rejected)
	}
	if code := exitCodeOf(t.Context(), err); code != exitNoUser {
		t.Errorf("exit code %d says nothing about a refusal", code)
	}
}

func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	server := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	plan := plain(t, server, 1_000_000)
	next, sent := plan.source.next, make(chan struct{}, 1_000_000)
	plan.source.next = func() kaizen.Message {
		if sent <- struct{}{}; len(sent) == 20 {
			cancel()
		}
		return next()
	}
	result, err := plan.run(ctx)
	if !errors.Is(err, context.Canceled) || exitCodeOf(ctx, err) != exitInterrupted {
		t.Errorf("error %v with exit code %d, want an interruption", err, exitCodeOf(ctx, err))
	}
	if result.Accepted != server.Stats().Accepted || result.Accepted < 16 {
		t.Errorf("%d accepted and %d at the server", result.Accepted, server.Stats().Accepted)
	}
}

func TestBenchText(t *testing.T) {
	t.Parallel()
	r := &benchResult{Server: "localhost:25", Messages: 10, Size: 2048, Senders: 4, Level: "auto", Accepted: 9, Rejected: 1,
		Seconds: 1.5, PerSecond: 6, FirstMS: 12.25, Latency: latency{1, 2, 3, 4}, RoundTrips: 1.25, Connections: 5, PeakMemory: 12_000_000, CPU: 30}
	want := `localhost:25: 10 messages of 2048 octets, 4 at once, pooled, level auto
  outcome      9 accepted, 1 rejected, 0 not sent, 0 unknown
  speed        6.0 messages per second, 1.500 s in all
  first        12.2 ms, connecting included
  latency      1.00 ms median, 2.00 ms p90, 3.00 ms p99, 4.00 ms at most
  wire         1.25 round trips per message, 5 connections
  cost         30.0 µs of CPU per message, 12.0 MB of memory at most
`
	var b bytes.Buffer
	if err := r.print(&b, false); err != nil || b.String() != want {
		t.Errorf("%v; printed\n%s\nwant\n%s", err, b.String(), want)
	}
}

func TestBenchJSONKeepsItsKeys(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := (&benchResult{}).print(&b, true); err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	want := "accepted concurrency connections cpu_us_per_message first_send_ms latency_ms level messages messages_per_second " +
		"not_sent once peak_memory_bytes rejected round_trips_per_message seconds server size unknown"
	if got := strings.Join(slices.Sorted(maps.Keys(read)), " "); got != want {
		t.Errorf("keys are\n%s\nwant\n%s", got, want)
	}
}

func TestParseHighWater(t *testing.T) {
	t.Parallel()
	if n, ok := parseHighWater([]byte("Name:\tkaizen\nVmHWM:\t   10960 kB\nVmRSS:\t 1 kB\n")); !ok || n != 10960<<10 {
		t.Errorf("read %d, %t", n, ok)
	}
	if _, ok := parseHighWater([]byte("Name:\tkaizen\nVmHWM:\tmuch\n")); ok {
		t.Error("took words for a number")
	}
}
