package kaizen_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// logbook keeps what hooks were told.
type logbook struct {
	mu    sync.Mutex
	began []kaizen.SendStartInfo
	ended []kaizen.SendDoneInfo
	dials []kaizen.DialDoneInfo
	keys  []any // that SendDone found in its context
}

type logbookKey struct{}

func (l *logbook) trace() *kaizen.Trace {
	return &kaizen.Trace{
		SendStart: func(ctx context.Context, info kaizen.SendStartInfo) context.Context {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.began = append(l.began, info)
			return context.WithValue(ctx, logbookKey{}, len(l.began))
		},
		SendDone: func(ctx context.Context, info kaizen.SendDoneInfo) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.ended, l.keys = append(l.ended, info), append(l.keys, ctx.Value(logbookKey{}))
		},
		DialDone: func(info kaizen.DialDoneInfo) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.dials = append(l.dials, info)
		},
	}
}

func TestTraceOfAMessage(t *testing.T) {
	bubble(t, smtptest.Config{Latency: 20 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		var l logbook
		client := kaizen.New(kaizen.Config{Trace: l.trace()})
		defer client.Close()
		began := time.Now()
		receipt, err := client.Send(t.Context(), account(s), note("1"))
		if err != nil {
			t.Fatal(err)
		}
		if len(l.began) != 1 || len(l.ended) != 1 || len(l.dials) != 1 || l.keys[0] != 1 {
			t.Fatalf("hooks: %+v", &l)
		}
		if b := l.began[0]; b.Account != "localhost:25" || b.Server != "localhost:25" || b.Message.(*kaizen.Prepared).MessageID != "1" {
			t.Errorf("began with %+v", b)
		}
		e := l.ended[0]
		if e.Account != "localhost:25" || e.Server != "localhost:25" || e.Receipt != receipt || e.Err != nil || e.Message == nil || e.Waited != receipt.Waited || len(e.Repeated) != 0 {
			t.Errorf("ended with %+v", e)
		}
		d := l.dials[0]
		if d.Err != nil || d.Server != "localhost:25" || d.Info == nil || !d.Started.Equal(began) || d.Duration < d.Info.OpenTime {
			t.Errorf("dialled with %+v", d)
		}
		if opened := receipt.Transactions[0].Opened; opened == nil || !opened.Started.Equal(d.Started) {
			t.Errorf("opened: %+v", opened)
		}
	})
}

// What never reaches a server ends too, and says what is known.
func TestTraceOfFailures(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	down := account(s)
	down.Name = "down"
	down.DialContext = nil
	down.Host, down.Port = "127.0.0.1", 1
	var l logbook
	client := kaizen.New(kaizen.Config{Trace: l.trace()})
	defer client.Close()
	_, _ = client.Send(t.Context(), down, note("1"))
	_, _ = client.Send(t.Context(), kaizen.Account{Name: "nowhere"}, note("2"))
	_, _ = client.Send(t.Context(), account(s), &kaizen.Prepared{})
	if len(l.ended) != 3 {
		t.Fatalf("%d messages ended", len(l.ended))
	}
	if e := l.ended[0]; e.Receipt != nil || !errors.Is(e.Err, kaizen.ErrConnect) || e.Server != "127.0.0.1:1" || e.Account != "down" || e.Message == nil {
		t.Errorf("without a server: %+v", e)
	}
	if e := l.ended[1]; e.Server != "" || e.Account != "nowhere" || e.Message != nil {
		t.Errorf("without an account: %+v", e)
	}
	if e := l.ended[2]; e.Message != nil || !errors.Is(e.Err, kaizen.ErrContent) {
		t.Errorf("without a content: %+v", e)
	}
	if len(l.dials) == 0 || l.dials[0].Err == nil || l.dials[0].Info != nil || l.dials[0].Account != "down" {
		t.Errorf("dials: %+v", l.dials)
	}
}

// Tries on connections that broke are told, although the receipt knows only the
// one that went well.
func TestTraceOfRepeatedTries(t *testing.T) {
	bubble(t, smtptest.Config{Latency: time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		var l logbook
		client := kaizen.New(kaizen.Config{Trace: l.trace()})
		defer client.Close()
		sendAll(t, client, account(s), 3)
		synctest.Wait()
		s.DropIdle(smtptest.CloseRST) // arrives behind the next envelope
		sendAll(t, client, account(s), 3)
		repeated := 0
		for _, e := range l.ended {
			for _, r := range e.Repeated {
				repeated++
				if r.Outcome != smtp.NotSent || r.Err == nil {
					t.Errorf("repeated after %+v", r)
				}
			}
		}
		if want := client.Stats()[0].Repeated; int64(repeated) != want || want == 0 {
			t.Errorf("%d tries told, %d counted", repeated, want)
		}
	})
}

// A Trace may have no hooks at all, and a Transport is traced too.
func TestTraceWithoutHooks(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	trace := &kaizen.Trace{}
	client := kaizen.New(kaizen.Config{Trace: trace})
	defer client.Close()
	transport, err := client.Transport(t.Context(), account(s))
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	trace.SendDone = func(context.Context, kaizen.SendDoneInfo) { done++ }
	if _, err := transport.Send(t.Context(), note("1")); err != nil || done != 1 {
		t.Errorf("%v, %d ended", err, done)
	}
}

// BenchmarkTrace compares a client without hooks, and with hooks that do nothing.
func BenchmarkTrace(b *testing.B) {
	idle := &kaizen.Trace{
		SendStart: func(ctx context.Context, _ kaizen.SendStartInfo) context.Context { return ctx },
		SendDone:  func(context.Context, kaizen.SendDoneInfo) {},
		DialDone:  func(kaizen.DialDoneInfo) {},
	}
	for name, trace := range map[string]*kaizen.Trace{"none": nil, "empty": {}, "hooks": idle} {
		b.Run(name, func(b *testing.B) {
			s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
			defer s.Close()
			client := kaizen.New(kaizen.Config{Trace: trace})
			defer client.Close()
			a, m := account(s), note("1")
			a.Name = "bench"
			a.Limits.MessagesPerConnection = -1
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Send(context.Background(), a, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
