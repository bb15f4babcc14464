package kaizen_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// DialAndSend has one connection, says QUIT, and leaves nothing behind.
func TestDialAndSend(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Transcripts: true, Limits: smtptest.Limits{RecipientsPerMessage: 2}})
	a := account(s)
	a.MinIdle = 3
	if _, err := kaizen.DialAndSend(t.Context(), a, note("1", people(5)...)); err != nil {
		t.Fatal(err)
	}
	eachOnce(t, s, "1", people(5))
	if st := s.Stats(); st.Connections != 1 || st.Open != 0 || !strings.Contains(s.Transcript(1), "QUIT") {
		t.Errorf("%d connections, %d open:\n%s", st.Connections, st.Open, s.Transcript(1))
	}
}

// It returns with its context, also if the server has the message and is slow
// to say so.
func TestDialAndSendReturnsWithItsContext(t *testing.T) {
	stall := smtptest.Fault{Phase: smtptest.PhaseFinal, Action: smtptest.Stall}
	bubble(t, smtptest.Config{Faults: []smtptest.Fault{stall}}, func(t *testing.T, s *smtptest.Server) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := kaizen.DialAndSend(ctx, account(s), note("1"))
		var e *kaizen.Error
		if !errors.As(err, &e) || e.Outcome != smtp.Unknown {
			t.Errorf("%v", err)
		}
		if d := time.Since(began); d != time.Second {
			t.Errorf("returned after %v", d)
		}
		synctest.Wait()
	})
}

// A Transport is verified, shares the account's pool, and sends nothing once it
// is closed.
func TestTransport(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	transport, err := client.Transport(t.Context(), account(s))
	if err != nil {
		t.Fatal(err)
	}
	var senders sync.WaitGroup
	for range 20 {
		senders.Go(func() {
			if _, err := transport.Send(context.Background(), note("1")); err != nil {
				t.Error(err)
			}
		})
	}
	senders.Wait()
	for range 2 {
		if err := transport.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := s.Stats().Open; n != 0 {
		t.Errorf("%d connections are open", n)
	}
	if _, err := transport.Send(t.Context(), note("2")); !errors.Is(err, kaizen.ErrClosed) || !strings.Contains(err.Error(), "the transport is closed") {
		t.Errorf("sent after Close: %v", err)
	}
	if _, err := client.Send(t.Context(), account(s), note("3")); err != nil {
		t.Errorf("the client goes on: %v", err)
	}
}

// A message composed here arrives octet for octet.
func TestComposedMessageArrivesExactly(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{KeepMessages: true})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	big := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	for name, m := range map[string]*message.Message{
		"text and HTML": {From: "Ann <ann@example.com>", To: []string{"bob@example.net"}, Cc: []string{"cy@example.net"}, Bcc: []string{"dee@example.net"},
			Subject: "Grüße", Text: ".\n..dots and ü\n.", HTML: "<p>.\n..dots and ü\n.</p>"},
		"a large attachment": {From: "ann@example.com", To: []string{"bob@example.net", "cy@example.net", "dee@example.net"},
			Text: "See the file.", Attachments: []message.Attachment{{Name: "data.bin", Data: big}}},
	} {
		r, err := client.Send(t.Context(), account(s), m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var want bytes.Buffer
		if _, err := m.WriteTo(&want); err != nil {
			t.Fatal(err)
		}
		all := s.Messages()
		got := all[len(all)-1]
		if !bytes.Equal(got.Data, want.Bytes()) {
			t.Errorf("%s: %d octets arrived and differ from the %d composed", name, len(got.Data), want.Len())
		}
		if got.ID != r.MessageID || r.MessageID == "" || got.From != "ann@example.com" || len(got.To) != 3 {
			t.Errorf("%s: %q from %q to %v, the receipt has %q", name, got.ID, got.From, got.To, r.MessageID)
		}
		if bytes.Contains(got.Data, []byte("dee@")) && name == "text and HTML" {
			t.Error("the blind copy shows")
		}
		if octets := r.Transactions[0].Octets; octets != int64(want.Len()) {
			t.Errorf("%s: the receipt tells of %d octets of %d", name, octets, want.Len())
		}
	}
}

// zeros is a source of that many octets.
func zeros(n int64) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeroReader{}, n)), nil }
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// An attachment of 64 MB passes through in pieces. The bound is on what lives on
// the heap, with room for the tests beside this one.
func TestLargeAttachmentIsNotHeld(t *testing.T) {
	t.Parallel()
	const size, bound = 64 << 20, 48 << 20
	s := memoryServer(t, smtptest.Config{CountOnly: true})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	m := &message.Message{From: "ann@example.com", To: []string{"bob@example.net"},
		Attachments: []message.Attachment{{Name: "zeros", Open: zeros(size)}}}
	p, err := kaizen.Prepare(m)
	if err != nil {
		t.Fatal(err)
	}
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var most uint64
	var next int64
	p.Progress = func(octets int64) {
		if octets < next {
			return
		}
		next = octets + 8<<20
		runtime.GC()
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapAlloc)
	}
	r, err := client.Send(t.Context(), account(s), p)
	if err != nil || r.Transactions[0].Octets < size {
		t.Fatalf("receipt %v, error %v", r, err)
	}
	if most == 0 || most > before.HeapAlloc+bound {
		t.Errorf("%d octets on the heap for a message of %d; before, %d", most, size, before.HeapAlloc)
	}
}
