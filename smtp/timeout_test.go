package smtp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// patience of each phase: different, so that a wrong one shows.
var patience = smtp.Timeouts{Connect: 7 * time.Second, Greeting: 3 * time.Second, Command: 11 * time.Second,
	Data: 16 * time.Second, Final: 90 * time.Second}

func TestSilenceWhileDialling(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		tls   smtptest.TLSMode
		at    smtptest.Phase
		phase smtp.Phase
		after time.Duration
	}{
		{"greeting", smtptest.TLSNone, smtptest.PhaseConnect, smtp.PhaseGreeting, patience.Greeting},
		{"greeting over TLS", smtptest.TLSImplicit, smtptest.PhaseGreeting, smtp.PhaseGreeting, patience.Greeting},
		{"handshake", smtptest.TLSImplicit, smtptest.PhaseTLS, smtp.PhaseTLS, patience.Connect},
		{"hello", smtptest.TLSNone, smtptest.PhaseEHLO, smtp.PhaseHello, patience.Command},
		{"STARTTLS", smtptest.TLSStartTLS, smtptest.PhaseSTARTTLS, smtp.PhaseTLS, patience.Command},
		{"handshake behind STARTTLS", smtptest.TLSStartTLS, smtptest.PhaseTLS, smtp.PhaseTLS, patience.Connect},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			d := newDesk(t, smtptest.Config{TLS: test.tls, Faults: []smtptest.Fault{{Phase: test.at, Action: smtptest.Stall}}})
			d.config.Timeouts = patience
			began := time.Now()
			e := d.refusedDial(t.Context())
			took(t, began, test.after)
			if e.Class != smtp.ClassTimeout || e.Phase != test.phase || e.Outcome != smtp.NotSent {
				t.Errorf("%v, class %v, phase %v", e, e.Class, e.Phase)
			}
		})
	}
}

func TestSilenceOfTheNetwork(t *testing.T) {
	t.Parallel()
	inBubble(t, "connect", func(t *testing.T) {
		config := smtp.Config{Host: "mail.test", Timeouts: patience,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }}
		began := time.Now()
		_, err := smtp.Dial(t.Context(), config)
		took(t, began, patience.Connect)
		if e := known(t, err); e.Class != smtp.ClassTimeout || e.Phase != smtp.PhaseConnect || !strings.Contains(e.Hint, "587") {
			t.Errorf("%v", e)
		}
	})
	inBubble(t, "name", func(t *testing.T) {
		config := smtp.Config{Host: "mail.test", Timeouts: patience,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", Name: "mail.test", IsTimeout: true}}
			}}
		_, err := smtp.Dial(t.Context(), config)
		if e := known(t, err); e.Class != smtp.ClassTimeout {
			t.Errorf("class %v: %v", e.Class, e)
		}
	})
}

func TestSilenceInATransaction(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at      smtptest.Phase
		phase   smtp.Phase
		after   time.Duration
		outcome smtp.Outcome
	}{
		{smtptest.PhaseAUTH, smtp.PhaseAuth, patience.Command, smtp.NotSent},
		{smtptest.PhaseMAIL, smtp.PhaseMail, patience.Command, smtp.NotSent},
		{smtptest.PhaseRCPT, smtp.PhaseRcpt, patience.Command, smtp.NotSent},
		{smtptest.PhaseDATA, smtp.PhaseData, patience.Command, smtp.NotSent},
		// Only once the terminator is out can nobody tell any more.
		{smtptest.PhaseFinal, smtp.PhaseFinal, patience.Final, smtp.Unknown},
		{smtptest.PhaseAfterFinal, smtp.PhaseFinal, patience.Final, smtp.Unknown},
	} {
		for _, level := range []smtp.Level{smtp.LevelLockStep, smtp.LevelGroup} {
			inBubble(t, test.at.String()+" "+level.String(), func(t *testing.T) {
				d := newDesk(t, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": "secret"}},
					Faults: []smtptest.Fault{{Phase: test.at, Action: smtptest.Stall}}})
				d.config.Timeouts, d.config.MaxLevel = patience, level
				d.config.Auth = &smtp.Auth{Username: "ann", Password: "secret"}
				c := d.dial()
				began := time.Now()
				result, err := hand(t, c, note())
				took(t, began, test.after)
				e := known(t, err)
				if e.Class != smtp.ClassTimeout || e.Phase != test.phase {
					t.Errorf("%v, class %v", e, e.Class)
				}
				if result != nil && (result.Outcome != test.outcome || result.Err.Class != smtp.ClassTimeout) {
					t.Errorf("%v, %v", result.Outcome, result.Err)
				}
				dead(t, d, c)
			})
		}
	}
}

// dead: the connection is closed and says so.
func dead(t *testing.T, d *desk, c *smtp.Conn) {
	t.Helper()
	if n := d.open.Load(); n != 0 || c.Alive() {
		t.Errorf("%d open, alive %v", n, c.Alive())
	}
	asked := false
	err := c.Stream(t.Context(), func(bool) *smtp.Transaction { asked = true; return nil })
	if err == nil || asked || errors.Is(err, smtp.ClassCanceled) { // nobody canceled anything
		t.Errorf("a dead connection was used: %v", err)
	}
}

func TestSilenceBetweenTransactions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at    smtptest.Phase
		phase smtp.Phase
		do    func(t *testing.T, c *smtp.Conn) error
	}{
		{smtptest.PhaseNOOP, smtp.PhaseIdle, func(t *testing.T, c *smtp.Conn) error { return c.Noop(t.Context()) }},
		{smtptest.PhaseQUIT, smtp.PhaseQuit, func(t *testing.T, c *smtp.Conn) error { return c.Quit(t.Context()) }},
		{smtptest.PhaseRSET, smtp.PhaseReset, func(t *testing.T, c *smtp.Conn) error {
			result, err := hand(t, c, note())
			if result.Outcome != smtp.NotSent || !result.Repeatable {
				t.Errorf("%+v", result)
			}
			return err
		}},
	} {
		inBubble(t, test.at.String(), func(t *testing.T) {
			d := newDesk(t, smtptest.Config{Faults: []smtptest.Fault{{Phase: test.at, Action: smtptest.Stall}}})
			d.config.Timeouts = patience
			c := d.dial()
			if result, err := hand(t, c, note()); err != nil || result.Err != nil {
				t.Fatal(err, result.Err)
			}
			began := time.Now()
			e := known(t, test.do(t, c))
			took(t, began, patience.Command)
			if e.Class != smtp.ClassTimeout || e.Phase != test.phase {
				t.Errorf("%v, class %v", e, e.Class)
			}
			dead(t, d, c)
		})
	}
}

// A reply that drips must be whole within its time.
func TestDripDoesNotExtendAReply(t *testing.T) {
	t.Parallel()
	inBubble(t, "drip", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseMAIL, Action: smtptest.Drip, Pause: 4 * time.Second}}})
		d.config.Timeouts, d.config.MaxLevel = patience, smtp.LevelLockStep
		c := d.dial()
		began := time.Now()
		result, err := hand(t, c, note())
		took(t, began, patience.Command)
		if e := known(t, err); e.Class != smtp.ClassTimeout || e.Phase != smtp.PhaseMail || result.Outcome != smtp.NotSent {
			t.Errorf("%v, %v", e, result.Outcome)
		}
	})
	inBubble(t, "slow replies each have their own time", func(t *testing.T) {
		late := smtptest.Fault{Action: smtptest.Delay, Pause: patience.Command - time.Second}
		var faults []smtptest.Fault
		for _, p := range []smtptest.Phase{smtptest.PhaseEHLO, smtptest.PhaseMAIL, smtptest.PhaseRCPT, smtptest.PhaseDATA} {
			late.Phase = p
			faults = append(faults, late)
		}
		d := newDesk(t, smtptest.Config{Faults: faults})
		d.config.Timeouts = patience
		if result, err := hand(t, d.dial(), note()); err != nil || result.Outcome != smtp.Accepted {
			t.Error(err, result.Err)
		}
	})
}

// A body of any size may take any time as long as the server takes some of it.
func TestStalledBody(t *testing.T) {
	t.Parallel()
	text := []byte("Subject: x\r\n\r\n" + strings.Repeat("line of text\r\n", 20_000))
	for name, mode := range map[string]smtptest.TLSMode{"plain": smtptest.TLSNone, "TLS": smtptest.TLSImplicit} {
		for _, at := range []int64{0, 50_000, 200_000} {
			inBubble(t, name, func(t *testing.T) {
				d := newDesk(t, smtptest.Config{TLS: mode, Buffer: 4096,
					Faults: []smtptest.Fault{{Phase: smtptest.PhaseBody, Action: smtptest.Stall, Octets: at}}})
				d.config.Timeouts = patience
				c := d.dial()
				began := time.Now()
				result, err := hand(t, c, noteOf(smtp.Bytes(text)))
				// The link looks for progress in eighths of the time; what the server
				// may have said is waited for a little.
				if d := time.Since(began); d < patience.Data || d > patience.Data*9/8+2*time.Second {
					t.Errorf("took %v", d)
				}
				if e := known(t, err); e.Class != smtp.ClassTimeout || e.Phase != smtp.PhaseBody || result.Outcome != smtp.NotSent {
					t.Errorf("%v, %v", e, result.Outcome)
				}
				dead(t, d, c)
			})
		}
	}
}

// A server that takes a kilobyte now and then is slow, not silent.
func TestSlowButSteadyBody(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{patience.Data / 2, patience.Data - time.Second} {
		inBubble(t, pause.String(), func(t *testing.T) {
			client, server := smtptest.PipeOf(1024)
			done := make(chan struct{})
			go func() { defer close(done); sip(server, pause) }()
			defer func() { <-done }()
			config := smtp.Config{Host: "localhost", TLS: smtp.TLSNone, Timeouts: patience,
				DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
			c, err := smtp.Dial(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			result, err := hand(t, c, noteOf(smtp.Bytes(bytes.Repeat([]byte("line of text\r\n"), 3000))))
			if err != nil || result.Outcome != smtp.Accepted {
				t.Errorf("%v, %v", err, result.Err)
			}
		})
	}
}

// sip answers the dialogue blindly and reads the content bit by bit.
func sip(conn net.Conn, pause time.Duration) {
	defer conn.Close()
	b := make([]byte, 1024)
	io.WriteString(conn, "220 x\r\n")
	for _, answer := range []string{"250-x\r\n250-8BITMIME\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"} {
		conn.Read(b)
		io.WriteString(conn, answer)
	}
	var tail []byte
	for {
		<-time.After(pause)
		n, err := conn.Read(b)
		if err != nil {
			return
		}
		tail = append(tail, b[:n]...)
		tail = tail[max(0, len(tail)-5):]
		if string(tail) == "\r\n.\r\n" {
			io.WriteString(conn, "250 ok\r\n")
		}
	}
}

// What bounds a phase may also be the caller's context.
func TestContextEndsAnyPhase(t *testing.T) {
	t.Parallel()
	errCause := errors.New("a cause of its own")
	ends := []struct {
		name  string
		with  func(context.Context) (context.Context, context.CancelFunc)
		class smtp.Class
		is    error
	}{
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, smtp.ClassTimeout, context.DeadlineExceeded},
		{"cancel", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, smtp.ClassCanceled, context.Canceled},
		{"cancel with a cause", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(errCause) })
			return ctx, func() { cancel(nil) }
		}, smtp.ClassCanceled, context.Canceled},
	}
	for _, test := range []struct {
		name string
		tls  smtptest.TLSMode
		at   smtptest.Phase
	}{
		{"handshake", smtptest.TLSImplicit, smtptest.PhaseTLS},
		{"greeting", smtptest.TLSNone, smtptest.PhaseConnect},
		{"hello", smtptest.TLSNone, smtptest.PhaseEHLO},
		{"STARTTLS", smtptest.TLSStartTLS, smtptest.PhaseSTARTTLS},
		{"handshake behind STARTTLS", smtptest.TLSStartTLS, smtptest.PhaseTLS},
		{"auth", smtptest.TLSNone, smtptest.PhaseAUTH},
		{"mail", smtptest.TLSNone, smtptest.PhaseMAIL},
		{"noop", smtptest.TLSNone, smtptest.PhaseNOOP},
	} {
		for _, end := range ends {
			inBubble(t, test.name+" "+end.name, func(t *testing.T) {
				d := newDesk(t, smtptest.Config{TLS: test.tls, Auth: &smtptest.Auth{Users: map[string]string{"ann": "secret"}},
					Faults: []smtptest.Fault{{Phase: test.at, Action: smtptest.Stall}}})
				d.config.Auth = &smtp.Auth{Username: "ann", Password: "secret"}
				ctx, cancel := end.with(t.Context())
				defer cancel()
				began := time.Now()
				c, err := smtp.Dial(ctx, d.config)
				if err == nil {
					err = c.Authenticate(ctx)
				}
				if err == nil && test.at == smtptest.PhaseNOOP {
					err = c.Noop(ctx)
				} else if err == nil {
					_, err = handWith(ctx, t, c, note())
				}
				took(t, began, time.Second)
				if e := known(t, err); e.Class != end.class || !errors.Is(err, end.is) {
					t.Errorf("%v: class %v, is %v: %v", e, e.Class, end.is, errors.Is(err, end.is))
				}
				synctest.Wait()
				if n := d.open.Load(); n != 0 {
					t.Errorf("%d connections left open", n)
				}
			})
		}
	}
}

func TestContextEndsWhileConnecting(t *testing.T) {
	t.Parallel()
	inBubble(t, "cancel", func(t *testing.T) {
		config := smtp.Config{Host: "mail.test", DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, errors.New("the dialer's own words")
		}}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("shutting down")) })
		_, err := smtp.Dial(ctx, config)
		if e := known(t, err); e.Class != smtp.ClassCanceled || !errors.Is(err, context.Canceled) {
			t.Errorf("class %v: %v", e.Class, e)
		}
	})
}
