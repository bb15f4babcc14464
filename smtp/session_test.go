package smtp_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// desk is a server in memory and a client's configuration for it.
type desk struct {
	t      *testing.T
	server *smtptest.Server
	config smtp.Config
	open   atomic.Int64 // connections of the client that were not closed
}

func newDesk(t *testing.T, config smtptest.Config) *desk {
	t.Helper()
	if config.Network == "" {
		config.Network = smtptest.Memory
	}
	config.Transcripts = true
	d := &desk{t: t, server: smtptest.NewServer(config)}
	t.Cleanup(func() {
		d.server.Close()
		if err := d.server.Err(); err != nil {
			t.Error(err)
		}
	})
	d.config = smtp.Config{Host: "localhost", Port: 25, TLS: smtp.TLSNone, LocalName: "client.test",
		Memory: new(smtp.Memory), DialContext: d.dialContext, LMTP: config.LMTP}
	if config.TLS != smtptest.TLSNone {
		d.config.TLS, d.config.TLSConfig = smtp.TLSStartTLS, d.server.ClientTLS()
	}
	if config.TLS == smtptest.TLSImplicit {
		d.config.TLS, d.config.Port = smtp.TLSImplicit, 465
	}
	return d
}

// playing is a desk whose server plays scripts, one on each connection.
func playing(t *testing.T, scripts ...string) *desk {
	t.Helper()
	return newDesk(t, smtptest.Config{Scripts: dialogues(scripts...)})
}

func dialogues(scripts ...string) (all []*smtptest.Script) {
	for _, s := range scripts {
		all = append(all, smtptest.Dialogue(s))
	}
	return all
}

// countedConn tells the desk when it is closed.
type countedConn struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

func (c *countedConn) Peek() (int, error) {
	return c.Conn.(interface{ Peek() (int, error) }).Peek()
}

func (d *desk) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.server.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.open.Add(1)
	return &countedConn{Conn: conn, open: &d.open}, nil
}

func (d *desk) dial() *smtp.Conn {
	d.t.Helper()
	c, err := smtp.Dial(d.t.Context(), d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	return c
}

// refusedDial is for dials that must fail; nothing may stay open after them.
func (d *desk) refusedDial(ctx context.Context) *smtp.Error {
	d.t.Helper()
	c, err := smtp.Dial(ctx, d.config)
	if err == nil {
		c.Close()
		d.t.Fatal("dialled")
	}
	if n := d.open.Load(); n != 0 {
		d.t.Errorf("%d connections left open", n)
	}
	return known(d.t, err)
}

// known is the *smtp.Error that every failure is.
func known(t *testing.T, err error) *smtp.Error {
	t.Helper()
	var e *smtp.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v is no *smtp.Error", err, err)
	}
	return e
}

// hand sends one transaction and returns its result with what Stream returned.
func hand(t *testing.T, c *smtp.Conn, tx *smtp.Transaction) (*smtp.Result, error) {
	t.Helper()
	return handWith(t.Context(), t, c, tx)
}

func handWith(ctx context.Context, t *testing.T, c *smtp.Conn, tx *smtp.Transaction) (*smtp.Result, error) {
	t.Helper()
	var result *smtp.Result
	told := 0
	tx.Done = func(r *smtp.Result) { result = r; told++ }
	given := false
	err := c.Stream(ctx, func(bool) *smtp.Transaction {
		if given {
			return nil
		}
		given = true
		return tx
	})
	if given && told != 1 {
		t.Fatalf("told %d times", told)
	}
	return result, err
}

// note is a small message to one recipient.
func note() *smtp.Transaction {
	return noteOf(smtp.Bytes([]byte("Message-ID: <1@a.test>\r\n\r\nHello\r\n")))
}

func noteOf(content *smtp.Content) *smtp.Transaction {
	return &smtp.Transaction{Envelope: smtp.Envelope{From: "ann@a.test", To: smtp.To("bob@b.test")}, Content: content}
}

// inBubble runs a test on its own time.
func inBubble(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// took checks how long something took, in the bubble's time.
func took(t *testing.T, began time.Time, want time.Duration) {
	t.Helper()
	if d := time.Since(began); d != want {
		t.Errorf("took %v, want %v", d, want)
	}
}
