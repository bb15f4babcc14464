package sqlite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
)

// Benchmarks of a million jobs want -benchtime 1x or a fixed number of iterations;
// the others too, as a queue is filled with b.N jobs first.

var letterBody = bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz, and so on.\r\n"), 41) // 2 KB

// callers has 64 goroutines do something n times, and returns how long each took.
func callers(b *testing.B, n int, do func() error) []time.Duration {
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	took := make([]time.Duration, n)
	for range 64 {
		all.Go(func() {
			for {
				i := left.Add(-1)
				if i < 0 {
					return
				}
				start := time.Now()
				if err := do(); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

// BenchmarkEnqueue puts jobs from 64 callers, and compares that with a writer that
// does nothing but the same statements, in groups too.
func BenchmarkEnqueue(b *testing.B) {
	s := fresh(b)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	plain := newBare(b, s.Dir())
	start := time.Now()
	callers(b, b.N, plain.put)
	bare := time.Since(start)
	plain.close(b)
	s = fresh(b)
	b.ResetTimer()
	took := callers(b, b.N, func() error {
		_, err := s.Put(b.Context(), noon, []queue.Submission{mail("a", letterBody)})
		return err
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	b.ReportMetric(bare.Seconds()/b.Elapsed().Seconds(), "of-bare")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
}

// bare is a writer that groups, and nothing else.
type bare struct {
	c    *sqlite3.Conn
	jobs chan chan error
	done chan struct{}
}

func newBare(b *testing.B, dir string) *bare {
	b.Helper()
	c, err := sqlite3.Open("file:" + filepath.Join(dir, "queue.db") + "?_pragma=synchronous(full)&_pragma=cache_size(-16384)&_pragma=wal_autocheckpoint(2048)")
	if err != nil {
		b.Fatal(err)
	}
	w := &bare{c, make(chan chan error, 2048), make(chan struct{})}
	go w.write()
	return w
}

func (w *bare) put() error {
	done := make(chan error, 1)
	w.jobs <- done
	return <-done
}

func (w *bare) close(b *testing.B) {
	close(w.jobs)
	<-w.done
	if err := w.c.Close(); err != nil {
		b.Error(err)
	}
}

func (w *bare) write() {
	defer close(w.done)
	m := mail("a", nil)
	doc, _ := json.Marshal(m.Job)
	id, due := int64(0), noon.UnixMilli()
	var statements []*sqlite3.Stmt
	for _, sql := range []string{
		"INSERT INTO job VALUES(?1, 1, 'q', 2, ?2, ?3, ?2, ?2, 0, 0, 0, 'n', ?1, 2050, 0, '1@example.org', NULL, 1234567890, ?4)",
		"INSERT INTO octets VALUES(?1, 2050, 1234567890, NULL, ?4)",
		"INSERT INTO ready VALUES(1, 2, ?2, ?1)",
		"INSERT INTO expiry VALUES(?3, ?1)",
	} {
		st, _, err := w.c.Prepare(sql)
		if err != nil {
			panic(err)
		}
		statements = append(statements, st)
		defer st.Close()
	}
	for first := range w.jobs {
		batch := []chan error{first}
		for more := true; more && len(batch) < 1024; {
			select {
			case next, ok := <-w.jobs:
				if more = ok; ok {
					batch = append(batch, next)
				}
			default:
				more = false
			}
		}
		err := w.c.Exec("BEGIN IMMEDIATE")
		for range batch {
			id++
			for i, st := range statements {
				_ = st.BindInt64(1, id)
				if i != 1 {
					_ = st.BindInt64(2, due)
					if i != 2 {
						_ = st.BindInt64(3, due+1000_000)
					}
				}
				switch i {
				case 0:
					_ = st.BindBlob(4, doc)
				case 1:
					_ = st.BindBlob(4, letterBody)
				}
				if failed := st.Exec(); failed != nil {
					err = failed
				}
			}
		}
		if failed := w.c.Exec("COMMIT"); failed != nil {
			err = failed
		}
		for _, done := range batch {
			done <- err
		}
	}
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

// BenchmarkDrain claims, begins and settles by 64, as a delivery does that has
// many connections.
func BenchmarkDrain(b *testing.B) {
	for _, backlog := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(backlog), func(b *testing.B) {
			s := fresh(b)
			fill(b, s, "a", backlog+b.N)
			b.ResetTimer()
			for done := 0; done < b.N; {
				done += drain(b, s)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

func drain(b *testing.B, s *sqlite.Store) int {
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
	return len(settlements)
}

// BenchmarkClaimBehind claims in one lane, while 500,000 jobs wait in a paused one
// and as many in the same one for tomorrow.
func BenchmarkClaimBehind(b *testing.B) {
	s := fresh(b)
	fill(b, s, "blocked", 500_000)
	if err := s.Pause(b.Context(), noon, "blocked", ""); err != nil {
		b.Fatal(err)
	}
	fill(b, s, "a", b.N+64)
	b.ResetTimer()
	for done := 0; done < b.N; {
		done += drain(b, s)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkOpen opens a queue of a million jobs and makes it ready to deliver.
func BenchmarkOpen(b *testing.B) {
	s := fresh(b)
	fill(b, s, "a", 1_000_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s := open(b, s.Dir())
		if _, err := s.Recover(b.Context(), noon); err != nil {
			b.Fatal(err)
		}
		drain(b, s)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
