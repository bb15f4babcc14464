package sqlite_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/queuetest"
	"github.com/kaizenmail/kaizen/queue/sqlite"
)

var harness = queuetest.Harness{
	Open: func(tb testing.TB, dir string) queue.Store {
		tb.Helper()
		s, err := sqlite.Open(dir, sqlite.Options{})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { sound(tb, dir) })
		return s
	},
	Durable: true,
	Shared:  true,
	Crash:   func(_ testing.TB, s queue.Store) { s.(*sqlite.Store).Crash() },
	Damage: func(tb testing.TB, dir string, id queue.ID) {
		tb.Helper()
		alter(tb, dir, "UPDATE octets SET data = CAST('not this' AS BLOB) WHERE id = (SELECT body FROM job WHERE id = "+id.String()+")")
	},
}

// alter changes the database behind the store's back.
func alter(tb testing.TB, dir, sql string) {
	tb.Helper()
	c, err := sqlite3.Open("file:" + filepath.Join(dir, "queue.db") + "?_pragma=busy_timeout(10000)")
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(sql); err != nil {
		tb.Fatal(err)
	}
	if c.TotalChanges() == 0 {
		tb.Fatalf("nothing was changed by %s", sql)
	}
}

// sound looks at what a test has left, but where it was damaged on purpose.
func sound(tb testing.TB, dir string) {
	tb.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	report, err := s.Check(context.Background())
	if err != nil {
		tb.Error(err)
	}
	for _, f := range report.Findings {
		if !strings.Contains(f.What, "damaged") {
			tb.Error(f)
		}
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, harness)
}

func FuzzPut(f *testing.F) { queuetest.FuzzPut(f, harness) }

func BenchmarkStore(b *testing.B) { queuetest.Benchmark(b, harness) }
