package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
)

// check fails the test if anything is found.
func check(t testing.TB, s *sqlite.Store) {
	t.Helper()
	report, err := s.Check(t.Context())
	if err != nil || !report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}

// Each damage is found, and told about the job it is of.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, sql string }{
		{"its record is damaged", "UPDATE job SET doc = CAST('{' AS BLOB) WHERE id = ?"},
		{"its body is damaged", "UPDATE octets SET data = CAST('other' AS BLOB) WHERE id = ?"},
		{"its content is missing", "DELETE FROM octets WHERE id = ?"},
		{"neither ready nor claimed", "DELETE FROM ready WHERE id = ?"},
		{"not what it is ready as", "UPDATE ready SET rank = 3 WHERE id = ?"},
		{"would not", "DELETE FROM expiry WHERE id = ?"},
		{"would be forgotten", "INSERT INTO done VALUES(0, 1, ?)"},
		{"lines of its history", "UPDATE job SET entries = 2 WHERE id = ?"},
		{"history is left over", "INSERT INTO history VALUES(? + 1000, 1, '{}')"},
		{"counter", "UPDATE tally SET n = 1 + ?"},
		{"should be of 2", "INSERT INTO shared VALUES(?, 2)"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			ids := put(t, s, mail("a", []byte("one")), mail("a", []byte("two")))
			check(t, s)
			alter(t, s.Dir(), strings.ReplaceAll(c.sql, "?", ids[1].String()))
			report, err := s.Check(t.Context())
			if err != nil || report.OK() {
				t.Fatalf("%+v, %v", report, err)
			}
			for _, f := range report.Findings {
				if strings.Contains(f.String(), c.what) {
					return
				}
			}
			t.Errorf("%+v", report)
		})
	}
}

// A record that cannot be read keeps its job from being lost: it is held, listed
// with the reason, and can be cancelled.
func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	ids := put(t, s, mail("a", []byte("one")), mail("a", []byte("two")))
	alter(t, s.Dir(), "UPDATE job SET doc = CAST('{' AS BLOB) WHERE id = "+ids[0].String())
	got := claim(t, s, queue.Want{Lane: "a", Count: 2})
	if len(got.Claims) != 1 || len(got.Damaged) != 1 || got.Claims[0].Job.ID != ids[1] {
		t.Fatalf("%+v", got)
	}
	jobs, err := s.List(t.Context(), noon, queue.Filter{States: []queue.State{queue.Held}})
	if err != nil || len(jobs) != 1 || !strings.Contains(jobs[0].Reason, "damaged") {
		t.Fatalf("%+v, %v", jobs, err)
	}
	done, err := s.Control(t.Context(), noon, queue.Command{Action: queue.DoCancel, IDs: ids[:1]})
	if err != nil || done.Changed != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

// large is a body that is kept in a file.
func large(fill byte) []byte { return bytes.Repeat([]byte{fill}, 100_000) }

func bodyFiles(t testing.TB, s *sqlite.Store) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(s.Dir(), "bodies"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// Large bodies are in files, one for each content, which go with the last job.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	stream := mail("a", nil)
	stream.Body = queue.Stream(bytes.NewReader(large('x')))
	ids := put(t, s, mail("a", large('x')), mail("a", large('y')), stream)
	if files := bodyFiles(t, s); len(files) != 2 {
		t.Errorf("%d files: %q", len(files), files)
	}
	if d := get(t, s, ids[2]); !bytes.Equal(content(t, d.Body), large('x')) || d.Size != 100_000 {
		t.Errorf("%+v", d)
	}
	for want := 2; want >= 0; want -= 1 {
		got := claim(t, s, queue.Want{Lane: "a", Count: 1, Begin: true})
		if want == 0 {
			break
		}
		if !bytes.Equal(content(t, &got.Claims[0].Body)[:1], large(byte('z' - want))[:1]) {
			t.Errorf("claimed %+v", got)
		}
		settle(t, s, accepted(got.Claims[0].Token))
		if _, err := s.Purge(t.Context(), noon.Add(1000), queue.Retention{}, 10); err != nil {
			t.Fatal(err)
		}
		check(t, s)
	}
	if files := bodyFiles(t, s); len(files) != 1 {
		t.Errorf("%d files: %q", len(files), files)
	}
	check(t, s)
}

// A file that is damaged is found when it is read.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	id := put(t, s, mail("a", large('x')))[0]
	path := bodyFiles(t, s)[0]
	if err := os.WriteFile(path, large('y'), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := s.Check(t.Context())
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Job != id {
		t.Errorf("%+v, %v", report, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := claim(t, s, queue.Want{Lane: "a", Count: 1}); len(got.Damaged) != 1 {
		t.Errorf("%+v", got)
	}
}

// What a crash has left in the folder of bodies goes when delivery begins; what
// somebody needs, or writes, stays.
func TestOrphans(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	put(t, s, mail("a", large('x')))
	kept := bodyFiles(t, s)
	orphan := filepath.Join(s.Dir(), "bodies", "ab", "ab"+strings.Repeat("0", 62))
	if err := errors.Join(os.MkdirAll(filepath.Dir(orphan), 0o700), os.WriteFile(orphan, nil, 0o600),
		os.WriteFile(filepath.Join(s.Dir(), "bodies", "new-1"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recover(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	files := bodyFiles(t, s)
	for i := 0; len(files) > 1 && i < 100; i++ { // Recover sweeps, too: one lets the other
		if err := s.SweepNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
		files = bodyFiles(t, s)
	}
	if len(files) != 1 || files[0] != kept[0] {
		t.Errorf("%q", files)
	}
	check(t, s)
}

// While some put a large body others let go of the same one: no job loses it.
func TestBodyComesAndGoes(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	other := open(t, s.Dir())
	ctx, cancel := context.WithCancel(t.Context())
	var purging, putting sync.WaitGroup
	purging.Go(func() {
		for ctx.Err() == nil {
			for _, c := range claim(t, s, queue.Want{Lane: "a", Count: 10}).Claims {
				if !bytes.Equal(content(t, &c.Body), large('x')) {
					t.Error("another body")
				}
				settle(t, s, accepted(c.Token))
			}
			if _, err := s.Purge(t.Context(), noon.Add(time.Second), queue.Retention{}, 100); err != nil {
				t.Error(err)
			}
			if err := s.SweepNow(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	for _, into := range []*sqlite.Store{s, other} {
		putting.Go(func() {
			for range 60 {
				put(t, into, mail("a", large('x')))
			}
		})
	}
	putting.Wait()
	cancel()
	purging.Wait()
	check(t, s)
}
