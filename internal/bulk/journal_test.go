package bulk_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const (
	firstLine = `{"time":"2026-01-02T03:04:05Z","event":"campaign","campaign":"test","letter":"f00"}` + "\n"
	beginLine = `{"time":"2026-01-02T03:04:05Z","event":"begin","key":"00000000000000aa","row":7,"to":[{"address":"ann@example.org"}],"server":"a"}` + "\n"
)

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAJournalIsNotOverwritten(t *testing.T) {
	t.Parallel()
	path := write(t, firstLine)
	if _, err := bulk.Create(path, "other", ""); !errors.Is(err, bulk.ErrJournalExists) {
		t.Errorf("got %v", err)
	}
}

func TestTwoProcessesDoNotShareAJournal(t *testing.T) {
	t.Parallel()
	path := write(t, firstLine)
	first, _, err := bulk.Resume(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := bulk.Resume(path); !errors.Is(err, bulk.ErrJournalInUse) {
		t.Errorf("got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, _, err := bulk.Resume(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

// Half a begin line was never acted on; half a result leaves its row unknown.
func TestHalfALineAtTheEnd(t *testing.T) {
	t.Parallel()
	result := strings.Replace(strings.Replace(beginLine, "begin", "result", 1), `"}]`, `","outcome":"accepted"}]`, 1)
	for _, c := range []struct {
		name, text string
		doubt      int
	}{
		{"begin", firstLine + beginLine[:len(beginLine)-1], 0},
		{"result", firstLine + beginLine + result[:40], 1},
		{"whole", firstLine + beginLine + result, 0},
	} {
		path := write(t, c.text)
		journal, history, err := bulk.Resume(path)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err := journal.Close(); err != nil {
			t.Error(err)
		}
		doubt := history.InDoubt()
		if len(doubt) != c.doubt || history.Campaign != "test" || history.Letter != "f00" {
			t.Errorf("%s: in doubt %v, campaign %q", c.name, doubt, history.Campaign)
		}
		if c.doubt == 1 && (doubt[0].Row != 7 || doubt[0].Address != "ann@example.org" || doubt[0].Since.Year() != 2026) {
			t.Errorf("%s: %+v", c.name, doubt[0])
		}
		if text, _ := os.ReadFile(path); !strings.HasSuffix(string(text), "}\n") {
			t.Errorf("%s: what is written next would be part of a broken line", c.name)
		}
	}
}

func TestDamagedJournals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		line int
	}{
		{"", 1},
		{"email,name\nann@example.org,Ann\n", 1},
		{beginLine, 1},
		{firstLine + "garbage\n" + beginLine, 2},
		{firstLine + beginLine + strings.Replace(beginLine, "00000000000000aa", "no key", 1), 3},
	} {
		_, err := bulk.ReadHistory(write(t, c.text))
		var e *bulk.JournalError
		if !errors.As(err, &e) || e.Line != c.line {
			t.Errorf("%q: got %v, want line %d", c.text, err, c.line)
		}
	}
	if _, _, err := bulk.Resume(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestResultsOfAKilledRun(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 1, s)
		if err := os.WriteFile(c.journal, []byte(firstLine+beginLine), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(c.resultLines()[1], "|"); got != "7|ann@example.org|unknown|||2026-01-02T03:04:05Z|||the process ended before the outcome was noted" {
			t.Error(got)
		}
		c.mustRun()
		c.eachOnce(1, s)
	})
}

func FuzzJournal(f *testing.F) {
	f.Add(firstLine + beginLine)
	f.Add(firstLine + strings.Replace(beginLine, "begin", "result", 1))
	f.Add("{}\n")
	path := filepath.Join(f.TempDir(), "journal")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		history, err := bulk.ReadHistory(path)
		if e := (*bulk.JournalError)(nil); err != nil && !errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
		if err == nil {
			history.InDoubt()
		}
		if werr := bulk.WriteResults(&out, path); (werr == nil) != (err == nil) {
			t.Errorf("history: %v, results: %v", err, werr)
		}
	})
}
