package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// cycleOf is how many jobs are claimed, begun and settled at a time.
const cycleOf = 64

// BenchmarkCycle claims, begins and settles, a commit for each, and compares that
// with the same statements in the same groups by nothing but a connection, in the
// same queue right before.
func BenchmarkCycle(b *testing.B) {
	for _, backlog := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(backlog), func(b *testing.B) {
			s := fresh(b)
			fill(b, s, "a", backlog+2*b.N+4*cycleOf)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			bare := bareCycles(b, filepath.Join(s.Dir(), "queue.db"), b.N)
			s = open(b, s.Dir())
			b.ResetTimer()
			for done := 0; done < b.N; done += cycleOf {
				cycle(b, s)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
			b.ReportMetric(bare.Seconds()/b.Elapsed().Seconds(), "of-bare")
		})
	}
}

func cycle(b *testing.B, s queue.Store) {
	claimed, err := s.Claim(b.Context(), noon, []queue.Want{{Lane: "a", Count: cycleOf}})
	if err != nil {
		b.Fatal(err)
	}
	var tokens []queue.Token
	var settlements []queue.Settlement
	for _, c := range claimed[0].Claims {
		tokens = append(tokens, c.Token)
		settlements = append(settlements, accepted(c.Token))
	}
	if _, err := s.Begin(b.Context(), noon, tokens); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Settle(b.Context(), noon, settlements); err != nil {
		b.Fatal(err)
	}
}

// plainWriter is a connection and its statements.
type plainWriter struct {
	b *testing.B
	c *sqlite3.Conn
	s map[string]*sqlite3.Stmt
}

// do runs a statement, and shows its rows.
func (w *plainWriter) do(sql string, row func(*sqlite3.Stmt), args ...any) {
	st := w.s[sql]
	if st == nil {
		var err error
		if st, _, err = w.c.Prepare(sql); err != nil {
			w.b.Fatal(err)
		}
		w.s[sql] = st
	}
	for i, arg := range args {
		var err error
		switch arg := arg.(type) {
		case int64:
			err = st.BindInt64(i+1, arg)
		case []byte:
			err = st.BindBlob(i+1, arg)
		}
		if err != nil {
			w.b.Fatal(err)
		}
	}
	for st.Step() {
		if row != nil {
			row(st)
		}
	}
	if err := st.Reset(); err != nil {
		w.b.Fatal(err)
	}
}

// bareCycles is how long n jobs take.
func bareCycles(b *testing.B, file string, n int) time.Duration {
	c, err := sqlite3.Open("file:" + file + "?_pragma=synchronous(full)&_pragma=cache_size(-16384)&_pragma=wal_autocheckpoint(2048)")
	if err != nil {
		b.Fatal(err)
	}
	w := &plainWriter{b, c, map[string]*sqlite3.Stmt{}}
	start := time.Now()
	for done := 0; done < n; done += cycleOf {
		w.cycle()
	}
	took := time.Since(start)
	for _, st := range w.s {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	}
	if err := c.Close(); err != nil {
		b.Error(err)
	}
	return took
}

// bareEntry is as long as a line of a history.
var bareEntry = make([]byte, 140)

func (w *plainWriter) cycle() {
	type job struct{ id, due, expires int64 }
	var jobs []job
	var octets int
	w.do("BEGIN IMMEDIATE", nil)
	w.do("SELECT id, due FROM ready WHERE lane=1 AND rank=2 AND due <= ? ORDER BY due, id LIMIT ?", func(st *sqlite3.Stmt) {
		jobs = append(jobs, job{id: st.ColumnInt64(0), due: st.ColumnInt64(1)})
	}, noon.UnixMilli(), int64(cycleOf))
	for i := range jobs {
		j := &jobs[i]
		w.do("SELECT * FROM job WHERE id=?", func(st *sqlite3.Stmt) { j.expires = st.ColumnInt64(5); octets += len(st.ColumnRawBlob(18)) }, j.id)
		w.do("DELETE FROM ready WHERE lane=1 AND rank=2 AND due=? AND id=?", nil, j.due, j.id)
		w.do("INSERT INTO active VALUES(?, 1, 1234567890123456, 0, ?)", nil, j.id, j.expires)
	}
	w.do("COMMIT", nil)
	for _, j := range jobs {
		w.do("SELECT data FROM octets WHERE id=?", func(st *sqlite3.Stmt) { octets += len(st.ColumnRawBlob(0)) }, j.id)
	}
	w.do("BEGIN IMMEDIATE", nil)
	for _, j := range jobs {
		w.do("UPDATE active SET begun=1 WHERE id=? AND nonce=1234567890123456", nil, j.id)
	}
	w.do("COMMIT", nil)
	w.do("BEGIN IMMEDIATE", nil)
	for _, j := range jobs {
		w.do("DELETE FROM active WHERE id=? AND nonce=1234567890123456", nil, j.id)
		w.do("UPDATE job SET state='s', changed=?, attempts=attempts+1, entries=entries+1, progress='a' WHERE id=?", nil, noon.UnixMilli(), j.id)
		w.do("INSERT INTO history VALUES(?, 1, ?)", nil, j.id, bareEntry)
		w.do("INSERT INTO done VALUES(0, ?, ?)", nil, noon.UnixMilli(), j.id)
		w.do("DELETE FROM expiry WHERE expires=? AND id=?", nil, j.expires, j.id)
	}
	w.do("COMMIT", nil)
	if octets == 0 {
		w.b.Fatal("nothing was claimed")
	}
}
