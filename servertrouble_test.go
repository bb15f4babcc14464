package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// What one server refuses for now costs no message, if another server would take it.
func TestWhatOneServerRefusesForNowGoesToAnother(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]smtptest.Config{
		"login": {Auth: &smtptest.Auth{AnySecret: true, Verdict: func(string, string) *smtptest.Reply {
			return &smtptest.Reply{Code: 454, Text: "4.7.0 Temporary authentication failure"}
		}}},
		"MAIL":  {Faults: []smtptest.Fault{{Phase: smtptest.PhaseMAIL, Action: smtptest.Close421}}},
		"RCPT":  {Faults: []smtptest.Fault{{Phase: smtptest.PhaseRCPT, Action: smtptest.Close421}}},
		"drop":  {Faults: []smtptest.Fault{{Phase: smtptest.PhaseMAIL, Action: smtptest.Drop}}},
		"stall": {Faults: []smtptest.Fault{{Phase: smtptest.PhaseMAIL, Action: smtptest.Stall}}},
		"mute login": {Auth: &smtptest.Auth{AnySecret: true, Verdict: func(string, string) *smtptest.Reply {
			<-time.After(time.Hour)
			return nil
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, servers := newRoads(t, 2, smtptest.Config{Auth: config.Auth})
				if config.Auth != nil {
					a.Username, a.Password, a.InsecureAuth = "ann", "geheim", true
				}
				bad := config
				bad.Network = smtptest.Memory
				servers["mx0.test"].Server.Close()
				servers["mx0.test"].Server = smtptest.NewServer(bad)
				well := smtptest.Config{Network: smtptest.Memory}
				if config.Auth != nil {
					well.Auth = &smtptest.Auth{AnySecret: true}
				}
				servers["mx1.test"].Server.Close()
				servers["mx1.test"].Server = smtptest.NewServer(well)
				defer servers["mx0.test"].Close()
				defer servers["mx1.test"].Close()
				client := kaizen.New(kaizen.Config{})
				for range 5 {
					began := time.Now()
					_, err := client.Send(t.Context(), a, note("x"))
					if took := time.Since(began); err != nil || took > 12*time.Second {
						t.Errorf("after %v: %v", took, err)
					}
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_ = client.Shutdown(ctx)
			})
		})
	}
}

// A content that breaks off, or whose sender leaves, ends the connection, but says
// nothing of the server.
func TestASpoiltContentIsNoFaultOfTheServer(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]io.Reader{
		"breaks off": io.MultiReader(strings.NewReader("Subject: x\r\n\r\n"+strings.Repeat("octets\r\n", 40<<10)), &failing{}),
		"canceled":   io.MultiReader(strings.NewReader("Subject: x\r\n\r\n"+strings.Repeat("octets\r\n", 40<<10)), &lingering{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, servers := newRoads(t, 2, smtptest.Config{})
				client := kaizen.New(kaizen.Config{})
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				_, err := client.Send(ctx, a, &kaizen.Prepared{
					Envelope: smtp.Envelope{From: "ann@example.org", To: smtp.To("bob@example.org")}, Content: smtp.Reader(content)})
				var e *kaizen.Error
				if !errors.As(err, &e) || e.Outcome != smtp.NotSent {
					t.Errorf("%v", err)
				}
				synctest.Wait()
				if h := client.Health()[0]; h.Condition != kaizen.Healthy {
					t.Errorf("%+v", h)
				}
				if _, err := client.Send(t.Context(), a, note("y")); err != nil || servers["mx1.test"].Stats().Connections > 0 {
					t.Errorf("%v; %d connections to the second", err, servers["mx1.test"].Stats().Connections)
				}
				client.Close()
			})
		})
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errors.New("the disk is broken") }

// lingering gives a little, and then nothing for a while.
type lingering struct{ n int }

func (l *lingering) Read(p []byte) (int, error) {
	if l.n++; l.n > 10 {
		return 0, io.EOF
	}
	<-time.After(time.Second)
	return copy(p, "more\r\n"), nil
}

// Messages that are stuck at a silent server do not slow down the queue, which other
// servers deliver as fast as the first one did.
func TestAQueueGoesOnAtFullSpeedBesideASilentServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, servers := newRoads(t, 2, smtptest.Config{Latency: 50 * time.Millisecond})
		o := open(t, memory.New(), nil)
		o.accounts.set("farm", a)
		for i := range 8000 {
			if _, err := o.client.Enqueue(t.Context(), "farm", note(fmt.Sprintf("m%d", i)), kaizen.EnqueueOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- o.client.Run(ctx) }()
		<-time.After(5 * time.Second)
		before := servers["mx0.test"].Stats().Accepted
		<-time.After(10 * time.Second)
		alone := servers["mx0.test"].Stats().Accepted - before
		servers["mx0.test"].mute()
		<-time.After(20 * time.Second)
		before = servers["mx1.test"].Stats().Accepted
		<-time.After(10 * time.Second)
		if beside := servers["mx1.test"].Stats().Accepted - before; beside < alone*9/10 {
			t.Errorf("%d messages in 10 s beside a silent server, %d before", beside, alone)
		}
		for _, r := range servers {
			r.revive()
		}
		<-time.After(time.Minute)
		stop()
		<-ended
		o.client.Close()
	})
}

// Many recipients that are answered one by one are no silence.
func TestManySlowRecipientsAreNoSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, servers := newRoads(t, 2, smtptest.Config{Extensions: []string{"SIZE"}, Latency: 300 * time.Millisecond})
		client := kaizen.New(kaizen.Config{})
		m := &kaizen.Prepared{Envelope: smtp.Envelope{From: "ann@example.org"}, Content: smtp.Bytes([]byte("Subject: x\r\n\r\nx\r\n"))}
		for i := range 60 {
			m.Envelope.To = append(m.Envelope.To, smtp.To(fmt.Sprintf("bob%d@example.org", i))...)
		}
		if _, err := client.Send(t.Context(), a, m); err != nil {
			t.Error(err)
		}
		if n := servers["mx1.test"].Stats().Connections; n > 0 || client.Health()[0].Condition != kaizen.Healthy {
			t.Errorf("%d connections to the second: %+v", n, client.Health()[0])
		}
		client.Close()
	})
}
