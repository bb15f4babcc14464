package queuetest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// BacklogEnv is the environment variable that says how many jobs a large backlog
// has in [Benchmark]; default 20,000. A blocked lane has half as many.
const BacklogEnv = "QUEUETEST_BACKLOG"

// Benchmark measures a store with messages of 2 KB, all of the durability Disk:
//
//   - enqueue, by 1 and by 64 callers, with the median and the 99th percentile
//   - drain: claim, begin and settle 64 jobs at a time, at a backlog of 1,000 and
//     at a large one
//   - claim: a claim of one job, and of a lane that is paused, at both backlogs,
//     and with many jobs in the paused lane
//   - mixed: drain while others enqueue as fast as they can
//
// What a claim costs has to be the same at each of them, within a factor of two.
func Benchmark(b *testing.B, h Harness) {
	large := backlog(b)
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("enqueue/callers=%d", callers), func(b *testing.B) { benchmarkEnqueue(b, h, callers) })
	}
	for _, n := range []int{1000, large} {
		b.Run(fmt.Sprintf("drain/backlog=%d", n), func(b *testing.B) { benchmarkDrain(b, h, n) })
	}
	for _, n := range []int{1000, large} {
		b.Run(fmt.Sprintf("claim/backlog=%d", n), func(b *testing.B) { benchmarkClaim(b, h, n, 0) })
	}
	b.Run(fmt.Sprintf("claim/backlog=1000,blocked=%d", large/2), func(b *testing.B) { benchmarkClaim(b, h, 1000, large/2) })
	b.Run("mixed", func(b *testing.B) { benchmarkMixed(b, h) })
}

// backlog is small where benchmarks only have to run.
func backlog(b *testing.B) int {
	b.Helper()
	if short := flag.Lookup("test.short"); short != nil && short.Value.String() == "true" {
		return 2000
	}
	text := os.Getenv(BacklogEnv)
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		b.Fatalf("%s=%q is no number of jobs", BacklogEnv, text)
	}
	return n
}

// letter is a body of 2 KB.
func letter() queue.Submission {
	s := job("a")
	s.Body = queue.Octets(letterOctets)
	return s
}

var letterOctets = bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz, and so on.\r\n"), 41)

// fill puts jobs, a thousand at a time.
func (f *fixture) fill(lane string, n int) {
	f.Helper()
	for n > 0 {
		batch := make([]queue.Submission, min(n, 1000))
		for i := range batch {
			batch[i] = letter()
			batch[i].Lane = lane
		}
		f.put(batch...)
		n -= len(batch)
	}
}

// rate reports jobs per second.
func rate(b *testing.B, name string, jobs int) {
	b.ReportMetric(float64(jobs)/b.Elapsed().Seconds(), name)
}

func benchmarkEnqueue(b *testing.B, h Harness, callers int) {
	f := newFixture(b, h)
	took := make([][]time.Duration, callers)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				start := time.Now()
				if _, err := f.store.Put(f.ctx, f.now, []queue.Submission{letter()}); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	group.Wait()
	b.StopTimer()
	rate(b, "jobs/s", b.N)
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) > 0 {
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	}
}

// drain claims, begins and settles n jobs, 64 at a time. It returns what is missing.
func (f *fixture) drain(n int) int {
	f.Helper()
	for n > 0 {
		got := f.want(queue.Want{Lane: "a", Count: min(n, 64)})
		if len(got.Claims) == 0 {
			break
		}
		tokens, settlements := make([]queue.Token, len(got.Claims)), make([]queue.Settlement, len(got.Claims))
		for i, c := range got.Claims {
			tokens[i], settlements[i] = c.Token, accepted(c.Token)
		}
		errs, err := f.store.Begin(f.ctx, f.now, tokens)
		f.allOK(errs, err)
		errs, err = f.store.Settle(f.ctx, f.now, settlements)
		f.allOK(errs, err)
		n -= len(tokens)
	}
	return n
}

func (f *fixture) allOK(errs []error, err error) {
	f.Helper()
	f.ok(err)
	for _, err := range errs {
		f.ok(err)
	}
}

func benchmarkDrain(b *testing.B, h Harness, backlog int) {
	f := newFixture(b, h)
	f.fill("a", backlog+b.N)
	b.ResetTimer()
	f.same("jobs missing", f.drain(b.N), 0)
	b.StopTimer()
	rate(b, "jobs/s", b.N)
}

func benchmarkClaim(b *testing.B, h Harness, backlog, blocked int) {
	f := newFixture(b, h)
	f.fill("blocked", blocked)
	f.ok(f.store.Pause(f.ctx, f.now, "blocked", "blocked"))
	f.fill("a", backlog)
	var took time.Duration // without what gives the jobs back
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		got := f.want(queue.Want{Lane: "a", Count: 1})
		f.want(queue.Want{Lane: "blocked", Count: 1})
		took += time.Since(start)
		f.ok(f.settle(queue.Settlement{Token: got.Claims[0].Token, State: queue.Queued}))
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/claim")
}

func benchmarkMixed(b *testing.B, h Harness) {
	f := newFixture(b, h)
	f.fill("a", 1000)
	var stop atomic.Bool
	var put atomic.Int64
	var group sync.WaitGroup
	defer group.Wait()
	defer stop.Store(true)
	b.ResetTimer()
	for range 16 {
		group.Go(func() {
			for !stop.Load() {
				if _, err := f.store.Put(f.ctx, f.now, []queue.Submission{letter()}); err != nil {
					b.Error(err)
					return
				}
				put.Add(1)
			}
		})
	}
	for left := b.N; left > 0 && !b.Failed(); {
		left = f.drain(left)
	}
	stop.Store(true)
	group.Wait()
	b.StopTimer()
	rate(b, "jobs/s", b.N)
	rate(b, "enqueued/s", int(put.Load()))
}
