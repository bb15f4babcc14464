package sqlite_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
)

var letterBody = bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz, and so on.\r\n"), 41) // 2 KB

// enqueue puts n jobs from 64 callers.
func enqueue(b *testing.B, s *sqlite.Store, lane string, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := s.Put(b.Context(), noon, []queue.Submission{mail(lane, letterBody)}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
}

func fill(b *testing.B, s *sqlite.Store, lane string, n int) {
	for n > 0 {
		jobs := make([]queue.Submission, min(n, 1000))
		for i := range jobs {
			jobs[i] = mail(lane, letterBody)
		}
		if _, err := s.Put(b.Context(), noon, jobs); err != nil {
			b.Fatal(err)
		}
		n -= len(jobs)
	}
}

func BenchmarkEnqueue(b *testing.B) {
	s := fresh(b)
	b.ResetTimer()
	enqueue(b, s, "a", b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkDrain claims, begins and settles by 64, as a delivery does that has
// many connections.
func BenchmarkDrain(b *testing.B) {
	for _, backlog := range []int{0, 100_000} {
		b.Run(fmt.Sprint(backlog), func(b *testing.B) {
			s := fresh(b)
			fill(b, s, "a", backlog+b.N)
			b.ResetTimer()
			for done := 0; done < b.N; {
				claimed, err := s.Claim(b.Context(), noon, []queue.Want{{Lane: "a", Count: 64, Begin: true}})
				if err != nil {
					b.Fatal(err)
				}
				var settlements []queue.Settlement
				for _, c := range claimed[0].Claims {
					settlements = append(settlements, accepted(c.Token))
				}
				if _, err := s.Settle(b.Context(), noon, settlements); err != nil {
					b.Fatal(err)
				}
				done += len(settlements)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
