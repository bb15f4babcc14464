package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/maildrop"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/sendmail"
	"github.com/kaizenmail/kaizen/smtp"
)

// clerk is a mailer that takes a second for each message.
type clerk struct {
	name   string
	answer func(s *smtp.Submission) (smtp.Reply, error) // nil: accepted

	mu     sync.Mutex
	busy   int
	most   int           // at a time
	taken  []time.Time   // when messages were begun
	has    []string      // Message-IDs of what was accepted
	broken error         // what Check says
	pause  time.Duration // instead of a second; after the content was read
	early  time.Duration // a pause before
	checks int
}

func (c *clerk) String() string { return "clerk:" + c.name }

func (c *clerk) Check(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checks++
	return c.broken
}

func (c *clerk) Mail(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
	c.mu.Lock()
	c.busy++
	c.most = max(c.most, c.busy)
	c.taken = append(c.taken, time.Now())
	pause, early := c.pause, c.early
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.busy--
		c.mu.Unlock()
	}()
	if err := wait(ctx, early); err != nil {
		return smtp.Reply{}, err
	}
	content, err := io.ReadAll(s.Content)
	if err != nil {
		return smtp.Reply{}, err
	}
	if pause == 0 {
		pause = time.Second
	}
	if err := wait(ctx, pause); err != nil {
		return smtp.Reply{}, err
	}
	if c.answer != nil {
		if reply, err := c.answer(s); err != nil || !reply.Positive() {
			return reply, err
		}
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(string(content), "Message-ID: "), "\r\n")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.has = append(c.has, id)
	return smtp.Reply{Code: 250, Text: "queued as " + fmt.Sprint(len(c.has))}, nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (c *clerk) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// What holds for servers holds for a mailer: how many at a time, how many in any
// window, and who learns what.
func TestMailerKeepsLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &clerk{name: "a"}
		client := kaizen.New(kaizen.Config{})
		account := kaizen.Account{Name: "local", Mailer: c, Limits: kaizen.Limits{Connections: 3, Rates: []kaizen.Rate{{Count: 7, Per: 10 * time.Second}}}}
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				r, err := client.Send(context.Background(), account, note(fmt.Sprint(i)))
				if err != nil || r.Outcome != smtp.Accepted || r.QueueID() == "" || r.Transactions[0].Server != "clerk:a" {
					t.Error(r, err)
				}
			})
		}
		all.Wait()
		slices.SortFunc(c.taken, time.Time.Compare)
		for i := range c.taken[7:] {
			if apart := c.taken[i+7].Sub(c.taken[i]); apart < 10*time.Second {
				t.Fatalf("8 messages in %v", apart)
			}
		}
		if len(c.has) != 40 || c.most != 3 {
			t.Errorf("%d messages, %d at a time", len(c.has), c.most)
		}
		stats := client.Stats()
		if len(stats) != 1 || stats[0].Accepted != 40 {
			t.Errorf("%+v", stats)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A caller who goes away takes the message back if that is possible, and is told
// if not.
func TestMailerCancel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		clerk *clerk
		want  kaizen.Outcome
	}{
		"before its last octet": {&clerk{early: time.Hour}, smtp.NotSent},
		"after its last octet":  {&clerk{pause: time.Hour}, smtp.Unknown},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := kaizen.New(kaizen.Config{DrainTimeout: time.Minute})
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := client.Send(ctx, kaizen.Account{Mailer: c.clerk}, note("1"))
			var e *kaizen.Error
			if !errors.As(err, &e) || e.Outcome != c.want || e.Class != kaizen.ErrCanceled {
				t.Errorf("%s: %v", name, err)
			}
			if err := client.Close(); (err == nil) != (c.want == smtp.NotSent) {
				t.Errorf("%s: close: %v", name, err)
			}
			if len(c.clerk.has) > 0 {
				t.Errorf("%s: sent", name)
			}
		})
	}
}

// What holds for a server that is down holds for a mailer that fails its check.
func TestMailerOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &clerk{broken: errors.New("gone for lunch")}
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		account := kaizen.Account{Name: "local", Mailer: c}
		if _, err := client.Send(t.Context(), account, note("1")); !errors.Is(err, kaizen.ErrConnect) || !errors.Is(err, c.broken) {
			t.Error(err)
		}
		if err := client.Verify(t.Context(), account); !errors.Is(err, kaizen.ErrConnect) || err.Error() != "account local: clerk:: connect: gone for lunch" {
			t.Error(err)
		}
		if h := client.Health(); len(h) != 1 || h[0].Condition == kaizen.Healthy || h[0].Server != "clerk:" {
			t.Errorf("%+v", h)
		}
		c.set(func() { c.broken = nil })
		if err := client.Verify(t.Context(), account); err != nil {
			t.Error(err)
		}
		if _, err := client.Send(t.Context(), account, note("2")); err != nil {
			t.Error(err)
		}
	})
}

// A login that a mailer's service has refused stops the account until somebody
// says that it works.
func TestMailerLoginRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := &smtp.Error{Class: smtp.ClassAuth, Outcome: smtp.Rejected, Reply: smtp.Reply{Code: 535, Text: "bad key"}}
		c := &clerk{answer: func(*smtp.Submission) (smtp.Reply, error) { return smtp.Reply{}, refused }}
		dir := t.TempDir()
		client := kaizen.New(kaizen.Config{StateDir: dir})
		client.UseTestClock()
		defer client.Close()
		account := kaizen.Account{Name: "api", Mailer: c}
		for range 3 {
			if _, err := client.Send(context.Background(), account, note("1")); !errors.Is(err, kaizen.ErrAuth) {
				t.Error(err)
			}
		}
		if len(c.taken) != 1 {
			t.Errorf("asked %d times", len(c.taken))
		}
		c.set(func() { c.answer = nil })
		if err := client.Resume(context.Background(), account); err != nil {
			t.Error(err)
		}
		if _, err := client.Send(context.Background(), account, note("2")); err != nil {
			t.Error(err)
		}
	})
}

// Recipients that have no room get another hand-over.
func TestMailerInParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		c := &clerk{answer: func(s *smtp.Submission) (smtp.Reply, error) {
			sizes = append(sizes, min(2, len(s.Envelope.To)))
			for i := range s.Envelope.To[min(2, len(s.Envelope.To)):] {
				s.Refuse(i+2, smtp.Reply{Code: 452, Enhanced: smtp.EnhancedCode{4, 5, 3}})
			}
			return smtp.Reply{Code: 250}, nil
		}}
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		r, err := client.Send(t.Context(), kaizen.Account{Mailer: c}, note("1", "a@example.net", "b@example.net", "c@example.net", "d@example.net", "e@example.net"))
		if err != nil || len(r.Transactions) != 3 || !slices.Equal(sizes, []int{2, 2, 1}) {
			t.Error(sizes, err)
		}
	})
}

// lacks cannot be compared, as a function.
type lacks func()

func (lacks) String() string { return "lacks" }
func (lacks) Mail(_ context.Context, s *smtp.Submission) (smtp.Reply, error) {
	_, err := io.Copy(io.Discard, s.Content)
	if err == nil && s.Envelope.From == "" {
		panic("no sender")
	}
	return smtp.Reply{}, err
}

func TestMailerOfAnyType(t *testing.T) {
	t.Parallel()
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	account := kaizen.Account{Mailer: lacks(func() {})}
	for range 3 {
		if _, err := client.Send(t.Context(), account, note("1")); err != nil {
			t.Error(err)
		}
	}
	if err := client.Verify(t.Context(), account); err != nil {
		t.Error(err)
	}
	m := note("1")
	m.Envelope.From = ""
	_, err := client.Send(t.Context(), account, m)
	if e := new(kaizen.Error); !errors.As(err, &e) || e.Outcome != smtp.Unknown || !strings.Contains(err.Error(), "no sender") {
		t.Error(err)
	}
	if got := fmt.Sprintf("%+v", account); got != "account lacks" {
		t.Error(got)
	}
	account.Host = "mx.example.com"
	if _, err := client.Send(t.Context(), account, note("1")); err == nil || !strings.Contains(err.Error(), "a server and a mailer") {
		t.Error(err)
	}
}

// Jobs of the queue go out through a mailer as through a server: tried again when
// that helps, failed when it does not, in doubt when nobody knows.
func TestMailerOfTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := open(t, memory.New(), nil)
		var busy atomic.Int32
		c := &clerk{name: "q", answer: func(s *smtp.Submission) (smtp.Reply, error) {
			switch to := s.Envelope.To[0].Address; {
			case to == "no@example.net":
				return smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1}, Text: "no such user"}, nil
			case to == "doubt@example.net":
				return smtp.Reply{}, errors.New("the line went dead")
			case to == "busy@example.net" && busy.Add(1) <= 2:
				return smtp.Reply{Code: 451, Text: "busy"}, nil
			}
			return smtp.Reply{Code: 250}, nil
		}}
		o.accounts.set("local", kaizen.Account{Mailer: c, Retry: kaizen.Retry{Backoff: []time.Duration{time.Minute}}})
		defer o.close()
		sent := o.enqueue("local", note("sent"), kaizen.EnqueueOptions{})
		failed := o.enqueue("local", note("failed", "no@example.net"), kaizen.EnqueueOptions{})
		retried := o.enqueue("local", note("retried", "busy@example.net"), kaizen.EnqueueOptions{})
		doubt := o.enqueue("local", note("doubt", "doubt@example.net"), kaizen.EnqueueOptions{Unknown: queue.Hold})
		o.run()
		pass(5 * time.Minute)
		o.wants(sent, queue.Sent)
		o.wants(failed, queue.Failed)
		if d := o.wants(retried, queue.Sent); d.Attempts != 3 {
			t.Errorf("%d attempts", d.Attempts)
		}
		o.wants(doubt, queue.Held)
	})
}

// A run that is cut leaves a queued message where it was, or in doubt.
func TestMailerOfTheQueueIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := open(t, memory.New(), nil)
		c := &clerk{early: time.Hour}
		o.accounts.set("local", kaizen.Account{Mailer: c})
		id := o.enqueue("local", note("1"), kaizen.EnqueueOptions{})
		o.run()
		pass(time.Second)
		o.end()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = o.client.Shutdown(ctx) // it says that it had to cut something
		<-o.ended
		o.wants(id, queue.Queued)
		if len(c.has) > 0 {
			t.Error("sent")
		}
	})
}

func TestMailerHooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []string
		client := kaizen.New(kaizen.Config{Trace: &kaizen.Trace{
			SendStart: func(ctx context.Context, i kaizen.SendStartInfo) context.Context {
				told = append(told, i.Account+" "+i.Server)
				return ctx
			},
			SendDone: func(_ context.Context, i kaizen.SendDoneInfo) {
				told = append(told, i.Server+" "+i.Receipt.Outcome.String())
			},
		}})
		defer client.Close()
		committed := 0
		m := note("1")
		m.Commit = func() error { committed++; return nil }
		if _, err := client.Send(t.Context(), kaizen.Account{Name: "local", Mailer: &clerk{}}, m); err != nil || committed != 1 {
			t.Error(committed, err)
		}
		if !slices.Equal(told, []string{"local clerk:", "clerk: accepted"}) {
			t.Error(told)
		}
	})
}

// A folder is a mailer: what arrives is what was sent.
func TestSendIntoAFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mail")
	account, err := kaizen.ParseURL("eml:" + filepath.ToSlash(dir) + "?bare=true&rate=none&connections=4")
	if err != nil {
		t.Fatal(err)
	}
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	want := map[string]bool{}
	var all sync.WaitGroup
	for i := range 50 {
		octets, _ := note(fmt.Sprint(i)).Content.Octets()
		want[string(octets)] = true
		all.Go(func() {
			if _, err := client.Send(t.Context(), account, note(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	found, _ := filepath.Glob(filepath.Join(dir, "*-note-*.eml"))
	got := map[string]bool{}
	for _, file := range found {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		got[string(content)] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d messages of %d", len(got), len(want))
	}
}

func TestParseMailerURL(t *testing.T) {
	t.Parallel()
	dir := filepath.ToSlash(t.TempDir())
	for url, want := range map[string]kaizen.Mailer{
		"sendmail:":                          sendmail.New(sendmail.Options{}),
		"sendmail:///":                       sendmail.New(sendmail.Options{}),
		"SENDMAIL:///usr/bin/msmtp":          sendmail.New(sendmail.Options{Path: filepath.FromSlash("/usr/bin/msmtp")}),
		"sendmail:/usr/bin/msmtp":            sendmail.New(sendmail.Options{Path: filepath.FromSlash("/usr/bin/msmtp")}),
		"sendmail:msmtp?args=-a+work&dsn=1":  sendmail.New(sendmail.Options{Path: "msmtp", Args: []string{"-a", "work"}, DSN: true}),
		"maildir:" + dir:                     maildrop.New(filepath.FromSlash(dir), maildrop.Options{}),
		"maildir:relative/x%20%40y":          maildrop.New("relative/x @y", maildrop.Options{}),
		"maildir:" + dir + "?bare=1&sync=no": nil,
		"eml:" + dir + "/%23?bare=true":      maildrop.New(filepath.FromSlash(dir)+"/#", maildrop.Options{Format: maildrop.EML, Bare: true}),
		"eml:" + dir + "/a@b.example":        maildrop.New(filepath.FromSlash(dir)+"/a@b.example", maildrop.Options{Format: maildrop.EML}),
	} {
		a, err := kaizen.ParseURL(url)
		switch {
		case want == nil && err == nil, want != nil && err != nil:
			t.Errorf("%s: %v", url, err)
		case want != nil && a.Mailer.String() != want.String():
			t.Errorf("%s: %v, want %v", url, a.Mailer, want)
		}
	}
	a, err := kaizen.ParseURL("sendmail:?name=local&connections=2&rate=3/1m&timeout=30s")
	if err != nil || a.Name != "local" || a.Limits.Connections != 2 || len(a.Limits.Rates) != 1 {
		t.Errorf("%+v %v", a, err)
	}
	for url, part := range map[string]string{
		"maildir:": "path", "eml:///": "path", "maildir://tmp/x": "path", "maildir:///x#y": "path", "sendmail://ann@/x": "path",
		"maildir:%zz": "path", "maildir:///%zz": "form", "maildir:x%00y": "path", "maildir:///x?tls=none": "parameters", "eml:x?args=y": "parameters",
		"sendmail:?bare=true": "parameters", "sendmail:?dsn=perhaps": "dsn", "sendmail:?timeout=0s": "timeout", "sendmail:?timeout=1s&timeout=2s": "timeout",
		"maildir:x?sync=x": "sync", "sendmail:?rate=x": "rate", "sendmail:?%zz": "parameters",
	} {
		_, err := kaizen.ParseURL(url)
		if e := new(kaizen.URLError); !errors.As(err, &e) || e.Part != part {
			t.Errorf("%s: %v, want %s", url, err, part)
		}
	}
}

// FuzzParseMailerURL: what is read can be named, and what is not says why.
func FuzzParseMailerURL(f *testing.F) {
	for _, seed := range []string{"sendmail:", "sendmail:///usr/bin/msmtp?args=-a+work&dsn=1&timeout=3s", "maildir:///tmp/x?bare=1&sync=0", "eml:x%20y?rate=none&connections=2", "eml:%zz", "EML://h/x", "maildir:x#y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		a, err := kaizen.ParseURL(url)
		if err != nil {
			if e := new(kaizen.URLError); !errors.As(err, &e) {
				t.Errorf("%v", err)
			}
			return
		}
		if a.Mailer != nil && (a.Mailer.String() == "" || strings.ContainsAny(a.Mailer.String(), "\x00\n\r")) {
			t.Errorf("%q", a.Mailer.String())
		}
	})
}

// A report on a message that a mailer refused names no server: there was none.
func TestMailerReport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "mail")
		o := open(t, memory.New(), nil)
		box := maildrop.New(dir, maildrop.Options{NoSync: true})
		c := &clerk{name: "x:y", answer: func(s *smtp.Submission) (smtp.Reply, error) {
			return smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1}, Text: "no such user"}, nil
		}}
		both := mailers{c, box}
		o.accounts.set("local", kaizen.Account{Mailer: &both})
		defer o.close()
		id := o.enqueue("local", note("1", "no@example.net"), kaizen.EnqueueOptions{Report: true})
		o.run()
		pass(time.Minute)
		o.wants(id, queue.Failed)
		found, _ := filepath.Glob(filepath.Join(dir, "new", "*"))
		if len(found) != 1 {
			t.Fatal(found)
		}
		report, err := os.ReadFile(found[0])
		if err != nil || !strings.Contains(string(report), "no such user") || strings.Contains(string(report), "Remote-MTA") {
			t.Errorf("%v %s", err, report)
		}
	})
}

// mailers are two: reports have the null sender and go to the second.
type mailers [2]kaizen.Mailer

func (m *mailers) String() string { return "mailers:both" }
func (m *mailers) Mail(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
	if s.Envelope.From == "" {
		return m[1].Mail(ctx, s)
	}
	return m[0].Mail(ctx, s)
}
