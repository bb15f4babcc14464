package queue_test

import (
	"crypto/sha256"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

func submission(change ...func(*queue.Submission)) queue.Submission {
	s := queue.Submission{
		Job:  queue.Job{Lane: "a", Envelope: smtp.Envelope{From: "s@example.com"}, Recipients: queue.To(smtp.To("one@example.org"))},
		Body: queue.Octets([]byte("x")),
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func TestPrepareSetsWhatIsTheStores(t *testing.T) {
	t.Parallel()
	s := submission(func(s *queue.Submission) {
		s.ID, s.State, s.Again, s.Attempts, s.Doubt, s.Reason, s.Ended = 7, queue.Sent, 3, 4, true, "x", noon
		s.Last, s.Envelope.To = smtp.Reply{Code: 250}, smtp.To("dropped@example.org")
		s.Recipients[0].State, s.Recipients[0].Class = queue.Failed, smtp.ClassSize
		s.Due, s.Expires = noon.Add(time.Hour+900*time.Microsecond), noon.In(time.FixedZone("x", 3600)).Add(2*time.Hour)
	})
	if err := s.Prepare(noon.Add(1999 * time.Microsecond)); err != nil {
		t.Fatal(err)
	}
	want := submission().Job
	want.State, want.Created, want.Due, want.Expires = queue.Queued, noon.Add(time.Millisecond), noon.Add(time.Hour), noon.Add(2*time.Hour)
	if !reflect.DeepEqual(s.Job, want) {
		t.Errorf("prepared:\n got %+v\nwant %+v", s.Job, want)
	}
}

func TestPrepareSetsDue(t *testing.T) {
	t.Parallel()
	for _, due := range []time.Time{{}, noon.Add(-time.Hour), noon} {
		s := submission(func(s *queue.Submission) { s.Due = due })
		if err := s.Prepare(noon); err != nil || !s.Due.Equal(noon) {
			t.Errorf("due %v became %v, %v", due, s.Due, err)
		}
	}
}

func TestPrepareChangesNothingElse(t *testing.T) {
	t.Parallel()
	recipients := []queue.Recipient{{Recipient: smtp.Recipient{Address: "one@example.org"}, State: queue.Sent}}
	spare := append(smtp.To("first@example.org"), smtp.To("second@example.org")...)
	s := submission(func(s *queue.Submission) { s.Recipients, s.Envelope.To = recipients, spare[:1] })
	if err := s.Prepare(noon); err != nil {
		t.Fatal(err)
	}
	if recipients[0].State != queue.Sent || spare[1].Address != "second@example.org" {
		t.Errorf("Prepare wrote into %v, %v", recipients, spare)
	}
}

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	many := make([]smtp.Recipient, queue.MaxRecipients+1)
	for i := range many {
		many[i].Address = "one@example.org"
	}
	for want, change := range map[string]func(*queue.Submission){
		"it has no account":                  func(s *queue.Submission) { s.Lane = "" },
		"it has no body":                     func(s *queue.Submission) { s.Body = nil },
		"streamed":                           func(s *queue.Submission) { s.Body, s.Durability = queue.Stream(strings.NewReader("")), queue.Memory },
		"too many":                           func(s *queue.Submission) { s.Recipients = queue.To(many) },
		"no recipients":                      func(s *queue.Submission) { s.Recipients, s.Envelope.To = nil, smtp.To("one@example.org") },
		"priority, policy or":                func(s *queue.Submission) { s.Durability = 9 },
		"tags or backoff":                    func(s *queue.Submission) { s.Backoff = make([]queue.Step, queue.MaxBackoff+1) },
		"step is negative":                   func(s *queue.Submission) { s.Backoff = []queue.Step{time.Hour, -1} },
		"account name has a control":         func(s *queue.Submission) { s.Lane = "a\x00" },
		"account name has 256 octets":        func(s *queue.Submission) { s.Lane = strings.Repeat("x", 256) },
		"subject has 2001 octets":            func(s *queue.Submission) { s.Subject = strings.Repeat("x", 2001) },
		"Message-ID is no UTF-8: \"\\xff\"":  func(s *queue.Submission) { s.MessageID = "\xff" },
		"key has a control character: \"\\n": func(s *queue.Submission) { s.Key = "\n" },
		"a tag is empty":                     func(s *queue.Submission) { s.Tags = []string{"x", ""} },
		"tag has 256 octets":                 func(s *queue.Submission) { s.Tags = []string{strings.Repeat("x", 256)} },
	} {
		s := submission(change)
		if err := s.Prepare(noon); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	s := submission(func(s *queue.Submission) {
		s.Lane, s.Subject, s.Tags = strings.Repeat("x", 255), strings.Repeat("x", 2000), slices.Repeat([]string{"t"}, queue.MaxTags)
		s.Recipients = queue.To(many[1:])
	})
	if err := s.Prepare(noon); err != nil {
		t.Errorf("the most there can be: %v", err)
	}
}

// FuzzPrepare: what is accepted is what every store can keep.
func FuzzPrepare(f *testing.F) {
	f.Add("lane", "from@example.com", "to@example.org", "subject", "key")
	f.Add("\xff", "", "\"q\"@x", "a\x00", "\n")
	f.Fuzz(func(t *testing.T, lane, from, to, subject, key string) {
		s := submission(func(s *queue.Submission) {
			s.Lane, s.Envelope.From, s.Subject, s.Key, s.Tags = lane, from, subject, key, []string{subject}
			s.Recipients = queue.To(smtp.To(to))
		})
		if s.Prepare(noon) != nil {
			return
		}
		for _, text := range []string{s.Lane, s.Envelope.From, s.Recipients[0].Address, s.Subject, s.Key} {
			if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\r\n") || text != queue.Clean(text) {
				t.Errorf("accepted %q", text)
			}
		}
	})
}

func TestMilli(t *testing.T) {
	t.Parallel()
	if got := queue.Milli(noon.In(time.FixedZone("x", 3600)).Add(1999 * time.Microsecond)); got != noon.Add(time.Millisecond) {
		t.Errorf("%v", got)
	}
	if got := queue.Milli(time.Time{}); !got.IsZero() {
		t.Errorf("zero became %v", got)
	}
	if got := queue.Milli(time.Now()); got != queue.Milli(got) {
		t.Errorf("%v is not kept as it is", got)
	}
}

func TestFingerprintTellsApart(t *testing.T) {
	t.Parallel()
	print := func(body string, change ...func(*queue.Submission)) string {
		s := submission(change...)
		return string(s.Fingerprint(sha256.Sum256([]byte(body))))
	}
	same := print("x")
	if print("x", func(s *queue.Submission) { s.Subject, s.Priority, s.Due = "s", queue.Bulk, noon }) != same {
		t.Error("subject, priority and time count")
	}
	seen := map[string]string{same: "itself"}
	for what, p := range map[string]string{
		"body":      print("y"),
		"sender":    print("x", func(s *queue.Submission) { s.Envelope.From = "" }),
		"recipient": print("x", func(s *queue.Submission) { s.Recipients[0].Address = "two@example.org" }),
		"notify":    print("x", func(s *queue.Submission) { s.Recipients[0].Notify = smtp.NotifyNever }),
		"original":  print("x", func(s *queue.Submission) { s.Recipients[0].OriginalRecipient = "o@example.org" }),
		"more":      print("x", func(s *queue.Submission) { s.Recipients = append(s.Recipients, s.Recipients[0]) }),
		"return":    print("x", func(s *queue.Submission) { s.Envelope.Return = smtp.ReturnFull }),
		"envid":     print("x", func(s *queue.Submission) { s.Envelope.EnvelopeID = "e" }),
		"tls":       print("x", func(s *queue.Submission) { s.Envelope.RequireTLS = true }),
		"quotes":    print("x", func(s *queue.Submission) { s.Recipients[0].Address = `one@example.org" 0 "` }),
	} {
		if other, ok := seen[p]; ok {
			t.Errorf("another %s has the print of %s", what, other)
		}
		seen[p] = what
	}
	if p := print("x", func(s *queue.Submission) { s.Print = []byte("mine") }); p != "mine" {
		t.Errorf("a print of its own became %q", p)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	octets := queue.Octets([]byte("abc"))
	if b, ok := octets.Bytes(); !ok || string(b) != "abc" {
		t.Errorf("%q, %t", b, ok)
	}
	for range 2 {
		if b, err := io.ReadAll(octets.Reader()); err != nil || string(b) != "abc" {
			t.Errorf("%q, %v", b, err)
		}
	}
	stream := queue.Stream(strings.NewReader("abc"))
	if b, ok := stream.Bytes(); ok || b != nil {
		t.Errorf("a stream has the octets %q", b)
	}
	if b, err := io.ReadAll(stream.Reader()); err != nil || string(b) != "abc" {
		t.Errorf("%q, %v", b, err)
	}
	small := queue.Content{Size: 3, Octets: []byte("abc")}
	large := queue.Content{Size: 3, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }}
	for _, c := range []queue.Content{small, large} {
		r, err := c.Reader()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != "abc" {
			t.Errorf("%q, %v", b, err)
		}
	}
}
