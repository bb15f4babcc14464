package sqlite_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
	"github.com/kaizenmail/kaizen/smtp"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func fresh(t testing.TB) *sqlite.Store { return open(t, filepath.Join(t.TempDir(), "queue")) }

// mail is a job for a lane.
func mail(lane string, body []byte) queue.Submission {
	return queue.Submission{
		Job: queue.Job{
			Lane:       lane,
			Envelope:   smtp.Envelope{From: "from@example.org"},
			Recipients: queue.To(smtp.To("to@example.com")),
			Subject:    "Hello",
			MessageID:  "1@example.org",
			Expires:    noon.Add(72 * time.Hour),
		},
		Body: queue.Octets(body),
	}
}

func put(t testing.TB, s *sqlite.Store, jobs ...queue.Submission) []queue.ID {
	t.Helper()
	receipts, err := s.Put(t.Context(), noon, jobs)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]queue.ID, len(receipts))
	for i, r := range receipts {
		ids[i] = r.ID
	}
	return ids
}

func claim(t testing.TB, s *sqlite.Store, want queue.Want) queue.Claimed {
	t.Helper()
	claimed, err := s.Claim(t.Context(), noon, []queue.Want{want})
	if err != nil {
		t.Fatal(err)
	}
	return claimed[0]
}

func get(t testing.TB, s *sqlite.Store, id queue.ID) queue.Details {
	t.Helper()
	d, err := s.Get(t.Context(), noon, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// accepted settles a claim as sent.
func accepted(token queue.Token) queue.Settlement {
	return queue.Settlement{Token: token, State: queue.Sent, Attempt: &queue.Attempt{
		Started: noon, Server: "mail.example.com:587", Outcome: smtp.Accepted,
		Reply: smtp.Reply{Code: 250, Text: "queued as 4711"}, QueueID: "4711",
	}}
}

func settle(t testing.TB, s *sqlite.Store, settlements ...queue.Settlement) {
	t.Helper()
	errs, err := s.Settle(t.Context(), noon, settlements)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func content(t testing.TB, c *queue.Content) []byte {
	t.Helper()
	r, err := c.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A job walks from Put to Sent, and is remembered by the next process.
func TestWalk(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	if _, err := s.Recover(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	body := []byte("Subject: Hello\r\n\r\nHi.\r\n")
	id := put(t, s, mail("a", body))[0]
	got := claim(t, s, queue.Want{Lane: "a", Count: 5})
	if len(got.Claims) != 1 || got.Claims[0].Job.ID != id || !bytes.Equal(got.Claims[0].Body.Octets, body) || !got.Next.IsZero() {
		t.Fatalf("claimed %+v", got)
	}
	token := got.Claims[0].Token
	if errs, err := s.Begin(t.Context(), noon, []queue.Token{token}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	if d := get(t, s, id); d.State != queue.Active || !d.Begun {
		t.Errorf("begun, and %+v", d)
	}
	settle(t, s, accepted(token))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d := get(t, open(t, s.Dir()), id)
	r := d.Recipients[0]
	if d.State != queue.Sent || !d.Ended.Equal(noon) || r.State != queue.Sent || r.Reply.Code != 250 || len(d.History) != 1 || d.Last.Code != 250 {
		t.Errorf("%+v", d)
	}
	if fmt.Sprint(d.Attempts, d.Body.Size, d.Doubt) != fmt.Sprint(1, len(body), false) {
		t.Errorf("%+v", d)
	}
}

// To look for the few jobs that are held or have failed does not read all that wait.
func TestRareStatesAreFound(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	plan, err := s.Plan(t.Context(), queue.Filter{States: []queue.State{queue.Held, queue.Failed}, Reverse: true})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan, "INDEX job_apart") {
		t.Errorf("the plan is %q", plan)
	}
}

// Nobody else can read what people write to each other.
func TestFilesAreOurs(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	put(t, s, mail("a", large('x')), mail("a", []byte("y")))
	err := filepath.WalkDir(s.Dir(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
