package sqlite_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
)

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// The folder is for its owner only.
func TestFolderIsPrivate(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	info, err := os.Stat(s.Dir())
	// Windows has no such modes.
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Who knows less than the schema leaves the queue alone.
func TestNewerVersion(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	craft(t, s.Dir(), "PRAGMA user_version=4711")
	_, err := sqlite.Open(s.Dir(), sqlite.Options{})
	var version *sqlite.VersionError
	if !errors.As(err, &version) || version.Found != 4711 || !strings.Contains(err.Error(), s.Dir()) {
		t.Errorf("%v", err)
	}
}

// A database of somebody else's is refused, and stays as it is.
func TestForeignDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	craft(t, dir, "CREATE TABLE theirs(x)")
	before, _ := os.ReadFile(filepath.Join(dir, "queue.db"))
	_, err := sqlite.Open(dir, sqlite.Options{})
	var failed *sqlite.DiskError
	if !errors.As(err, &failed) {
		t.Errorf("%v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "queue.db")); !slices.Equal(before, after) {
		t.Error("it was changed")
	}
}

func TestNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "queue.db"), []byte(strings.Repeat("no database. ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(dir, sqlite.Options{})
	var failed *sqlite.DiskError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "backup") {
		t.Errorf("%v", err)
	}
}

func craft(t testing.TB, dir, sql string) {
	t.Helper()
	c, err := sqlite3.Open("file:" + filepath.Join(dir, "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(sql); err != nil {
		t.Fatal(err)
	}
}

// A job of the durability memory is there for everybody who looks, and after Close.
func TestMemoryDurability(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	m := mail("a", []byte("x"))
	m.Durability = queue.Memory
	big := mail("a", large('x'))
	big.Durability = queue.Memory
	receipts, err := s.Put(t.Context(), noon, []queue.Submission{m, big})
	if err != nil || receipts[0].Durability != queue.Memory {
		t.Fatal(receipts, err)
	}
	if d := get(t, s, receipts[1].ID); d.State != queue.Queued || d.Body == nil {
		t.Errorf("%+v", d)
	}
	receipts, err = s.Put(t.Context(), noon, []queue.Submission{m})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.Dir())
	get(t, s, receipts[0].ID)
	check(t, s)
}

// IDs are dense as long as one process after the other puts one job.
func TestIDsAreDense(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 5 {
		s := open(t, dir)
		if id := put(t, s, mail("a", []byte("x")))[0]; id != queue.ID(i+1) {
			t.Errorf("job %d has the ID %s", i+1, id)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Another process puts jobs; this one, which delivers, hears of it, and the other
// one is told who delivers.
func TestOtherProcess(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("KAIZEN_TEST_QUEUE"); dir != "" {
		putFromOtherProcess(t, dir)
		return
	}
	s := fresh(t)
	if _, err := s.Recover(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	var processes []*exec.Cmd
	for range 3 {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOtherProcess$")
		c.Env = append(os.Environ(), "KAIZEN_TEST_QUEUE="+s.Dir())
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		processes = append(processes, c)
	}
	for range 50 {
		put(t, s, mail("mine", []byte("x")))
	}
	for _, c := range processes {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	changed, err := s.Changes(t.Context(), noon)
	slices.Sort(changed)
	if err != nil || !slices.Equal(changed, []string{"mine", "theirs"}) {
		t.Errorf("changed %q, %v", changed, err)
	}
	if got := claim(t, s, queue.Want{Lane: "theirs", Count: 1000}); len(got.Claims) != 150 {
		t.Errorf("claimed %d", len(got.Claims))
	}
	check(t, s)
}

func putFromOtherProcess(t *testing.T, dir string) {
	s := open(t, dir)
	stats, err := s.Stats(t.Context(), noon)
	if err != nil || !stats.Delivering || !strings.HasPrefix(stats.DeliveredBy, "process ") {
		t.Errorf("%+v, %v", stats, err)
	}
	var locked *queue.LockedError
	if _, err := s.Recover(t.Context(), noon); !errors.As(err, &locked) || locked.By != stats.DeliveredBy {
		t.Errorf("Recover: %v", err)
	}
	for range 50 {
		put(t, s, mail("theirs", []byte("x")))
	}
}

// Many open a queue that is not there yet, at once.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "queue")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := sqlite.Open(dir, sqlite.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Put(t.Context(), noon, []queue.Submission{mail("a", []byte("x"))}); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s := open(t, dir)
	if jobs, err := s.List(t.Context(), noon, queue.Filter{}); err != nil || len(jobs) != 8 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
	check(t, s)
}

// A step of the schema that fails leaves the version before.
func TestMigrationFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	craft(t, dir, "CREATE TABLE lane(x); PRAGMA application_id="+sqlite.ApplicationID)
	var failed *sqlite.DiskError
	if _, err := sqlite.Open(dir, sqlite.Options{}); !errors.As(err, &failed) || !strings.Contains(err.Error(), "version 1") {
		t.Fatalf("%v", err)
	}
	craft(t, dir, "DROP TABLE lane")
	s := open(t, dir)
	put(t, s, mail("a", []byte("x")))
	check(t, s)
}
