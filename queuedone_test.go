package kaizen_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// RunUntilEmpty waits for retries, and not for what stands until somebody acts.
func TestQueueRunUntilEmpty(t *testing.T) {
	r := &rcpts{no: func(address string, n int) *smtptest.Reply {
		if address == "later@example.net" && n < 3 {
			return &smtptest.Reply{Code: 450, Text: "4.2.0 Busy"}
		}
		return nil
	}}
	bubble(t, smtptest.Config{Reject: r.reject}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s, "paused": s})
		defer o.close()
		retried := o.enqueue("ses", note("1", "later@example.net"), kaizen.EnqueueOptions{})
		held := o.enqueue("ses", note("2"), kaizen.EnqueueOptions{})
		o.control(queue.Command{Action: queue.DoHold, IDs: []queue.ID{held}})
		orphan := o.enqueue("nobody", note("3"), kaizen.EnqueueOptions{})
		paused := o.enqueue("paused", note("4"), kaizen.EnqueueOptions{})
		if err := o.store.Pause(t.Context(), time.Now(), "paused", ""); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := o.client.RunUntilEmpty(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 80*time.Second || took > 102*time.Second {
			t.Errorf("it took %v", took)
		}
		o.wants(retried, queue.Sent)
		o.wants(held, queue.Held)
		o.wants(orphan, queue.Queued)
		o.wants(paused, queue.Queued)
	})
}

// A client without a queue, one that runs already, and a store of another one.
func TestQueueRunRefusals(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		none := kaizen.New(kaizen.Config{})
		defer none.Close()
		if err := none.Run(t.Context()); err == nil {
			t.Error("it ran without a queue")
		}
		if _, err := none.Enqueue(t.Context(), "ses", note("1"), kaizen.EnqueueOptions{}); !errors.Is(err, kaizen.ErrState) {
			t.Errorf("%v", err)
		}
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		synctest.Wait()
		if err := o.client.Run(t.Context()); err == nil {
			t.Error("it runs twice")
		}
		other := open(t, o.store, nil)
		defer other.close()
		if err := other.client.Run(t.Context()); !errors.As(err, new(*queue.LockedError)) {
			t.Errorf("%v", err)
		}
		id := other.enqueue("ses", note("1"), kaizen.EnqueueOptions{})
		pass(200 * time.Millisecond)
		o.wants(id, queue.Sent)
	})
}

// reports are the messages that came from nobody.
func reports(s *smtptest.Server) (list []*smtptest.Message) {
	for _, m := range s.Messages() {
		if m.From == "" {
			list = append(list, m)
		}
	}
	return list
}

// A job that fails makes one report to its sender, also over restarts; one from
// nobody makes none.
func TestQueueReports(t *testing.T) {
	r := &rcpts{no: func(address string, _ int) *smtptest.Reply {
		switch {
		case strings.HasPrefix(address, "never"):
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		case strings.HasPrefix(address, "later"):
			return &smtptest.Reply{Code: 450, Text: "4.2.0 Busy"}
		}
		return nil
	}}
	bubble(t, smtptest.Config{Reject: r.reject, KeepMessages: true}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		o.run()
		report := kaizen.EnqueueOptions{Report: true}
		failed := o.enqueue("ses", note("failed", "yes@example.net", "never@example.net"), report)
		nobody := note("nobody", "never@example.net")
		nobody.Envelope.From = ""
		o.enqueue("ses", nobody, report)
		o.enqueue("ses", note("sent"), report)
		o.enqueue("ses", note("quiet", "never@example.net"), kaizen.EnqueueOptions{})
		pass(time.Minute)
		list := reports(s)
		if len(list) != 1 || list[0].To[0].Address != "ann@example.com" || len(list[0].To) != 1 {
			t.Fatalf("%d reports", len(list))
		}
		text := string(list[0].Data)
		for _, want := range []string{"multipart/report", "Final-Recipient: rfc822; never@example.net", "Action: failed", "5.1.1", "550"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in %s", want, text)
			}
		}
		if strings.Contains(text, "yes@example.net") {
			t.Error("it tells of who got it")
		}
		expired := o.enqueue("ses", note("expired", "later@example.net"), kaizen.EnqueueOptions{Report: true, Expire: time.Minute})
		pass(2 * time.Minute)
		o.wants(expired, queue.Expired)
		o.wants(failed, queue.Failed)
		o.close()
		o.reopen()
		o.run()
		pass(time.Minute)
		if n := len(reports(s)); n != 2 {
			t.Errorf("%d reports", n)
		}
		o.close()
	})
}

// One finished state is told of each job, as the last thing.
func TestQueueEvents(t *testing.T) {
	r := &rcpts{no: func(address string, n int) *smtptest.Reply {
		switch {
		case strings.HasPrefix(address, "never"):
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		case strings.HasPrefix(address, "later") && n < 3:
			return &smtptest.Reply{Code: 450, Text: "4.2.0 Busy"}
		}
		return nil
	}}
	bubble(t, smtptest.Config{Reject: r.reject}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		o.run()
		for i := range 300 {
			o.enqueue("ses", note(fmt.Sprint(i), fmt.Sprint([]string{"yes", "never", "later"}[i%3], i, "@example.net")), kaizen.EnqueueOptions{})
		}
		pass(10 * time.Minute)
		o.close()
		told := make(map[queue.ID][]queue.State)
		for _, e := range o.events {
			told[e.Job.ID] = append(told[e.Job.ID], e.Job.State)
		}
		for id, states := range told {
			want := []queue.State{queue.Queued, queue.Sent}
			switch (id - 1) % 3 {
			case 1:
				want[1] = queue.Failed
			case 2:
				want = []queue.State{queue.Queued, queue.Queued, queue.Queued, queue.Sent}
			}
			if !slices.Equal(states, want) {
				t.Errorf("job %s: %v", id, states)
			}
		}
		if len(told) != 300 {
			t.Errorf("told of %d jobs", len(told))
		}
	})
}

// With a key the same message is queued once, however often it is composed.
func TestEnqueueWithKey(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		compose := func(id, text string) *kaizen.Prepared {
			m := note(id)
			m.Content = smtp.Bytes([]byte("Date: " + time.Now().Format(time.RFC1123Z) + "\r\nMessage-ID: <" + id + ">\r\nSubject: note\r\n\r\n" + text + "\r\n"))
			return m
		}
		key := kaizen.EnqueueOptions{Key: "invoice-17"}
		first := o.enqueue("ses", compose("1", "pay"), key)
		pass(time.Minute)
		r, err := o.client.Enqueue(t.Context(), "ses", compose("2", "pay"), key)
		if err != nil || r.ID != first || !r.Existing {
			t.Errorf("%+v, %v", r, err)
		}
		_, err = o.client.Enqueue(t.Context(), "ses", compose("3", "pay more"), key)
		var conflict *queue.ConflictError
		if !errors.As(err, &conflict) || conflict.ID != first {
			t.Errorf("%v", err)
		}
		other, err := o.client.Enqueue(t.Context(), "other", compose("4", "pay more"), key)
		if err != nil || other.Existing {
			t.Errorf("%+v, %v", other, err)
		}
		if got := o.kinds(first); len(got) != 1 {
			t.Errorf("told %v", got)
		}
	})
}

// What is queued arrives as it was handed in, whatever it is read from; and is found
// under its subject.
func TestEnqueueContents(t *testing.T) {
	large := []byte("Message-ID: <x>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n" + strings.Repeat(strings.Repeat("0123456789", 7)+"\r\n", 75_000))
	bubble(t, smtptest.Config{KeepMessages: true}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		for _, durability := range []queue.Durability{queue.Disk, queue.Memory} {
			for name, content := range map[string]*smtp.Content{
				"bytes":  smtp.Bytes(large),
				"reader": smtp.Reader(bytes.NewReader(large)),
				"open": smtp.Open(func() (io.ReadCloser, error) {
					return io.NopCloser(bytes.NewReader(large)), nil
				}),
			} {
				m := note("x")
				m.Content = content
				due := time.Now().Add(time.Minute)
				id := o.enqueue("ses", m, kaizen.EnqueueOptions{Durability: durability, NotBefore: due, Key: name + durability.String()})
				pass(59 * time.Second)
				if d := o.wants(id, queue.Queued); d.Subject != "Grüße" || d.Size != int64(len(large)) || !d.Due.Equal(due) || d.Expires.Sub(due) != 48*time.Hour {
					t.Errorf("%s: %+v", name, d.Job)
				}
				pass(10 * time.Second)
				o.wants(id, queue.Sent)
				messages := s.Messages()
				if !bytes.Equal(messages[len(messages)-1].Data, large) {
					t.Errorf("%s: it has changed", name)
				}
			}
		}
	})
}

// A content that cannot be read, or can go nowhere, is not queued.
func TestEnqueueRefuses(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, _ *smtptest.Server) {
		o := open(t, memory.New(), nil)
		defer o.close()
		broken := io.MultiReader(strings.NewReader("Subject: x\r\n\r\n"+strings.Repeat("x\r\n", 50_000)), failingReader{})
		for name, m := range map[string]*kaizen.Prepared{
			"open":    {Envelope: note("").Envelope, Content: smtp.Open(func() (io.ReadCloser, error) { return nil, errFull })},
			"read":    {Envelope: note("").Envelope, Content: smtp.Reader(broken)},
			"nobody":  {Envelope: kaizen.Envelope{From: "ann@example.com"}, Content: smtp.Bytes([]byte("x"))},
			"address": {Envelope: kaizen.Envelope{From: "ann@example.com", To: smtp.To("a\r\n@b.example")}, Content: smtp.Bytes([]byte("x"))},
		} {
			for _, key := range []string{"", "key"} {
				_, err := o.client.Enqueue(t.Context(), "ses", m, kaizen.EnqueueOptions{Key: key})
				var e *kaizen.Error
				if !errors.As(err, &e) || e.Account != "ses" || e.Outcome != smtp.NotSent {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := o.client.Enqueue(ctx, "ses", note("1"), kaizen.EnqueueOptions{}); !errors.Is(err, kaizen.ErrCanceled) {
			t.Errorf("%v", err)
		}
		if n := o.count(queue.States()...); n != 0 {
			t.Errorf("%d jobs were queued", n)
		}
	})
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errFull }
