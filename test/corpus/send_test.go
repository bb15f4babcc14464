package corpus_test

import (
	"bytes"
	"testing"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/kaizenmail/kaizen/test/corpus"
)

// TestArrivesOctetForOctet sends the corpus over one connection at each level,
// by DATA and by BDAT.
func TestArrivesOctetForOctet(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]struct {
		level    smtp.Level
		chunking bool
	}{
		"lock-step":  {level: smtp.LevelLockStep},
		"group":      {level: smtp.LevelGroup},
		"look-ahead": {level: smtp.LevelLookAhead},
		"chunked":    {level: smtp.LevelLookAhead, chunking: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, KeepMessages: true})
			defer server.Close()
			cases := all(t)
			sendAll(t, smtp.Config{Host: "localhost", Port: 25, TLS: smtp.TLSNone, MaxLevel: how.level, DialContext: server.DialContext}, cases, how.chunking)
			arrived := server.Messages()
			if len(arrived) != len(cases) {
				t.Fatalf("%d of %d messages arrived", len(arrived), len(cases))
			}
			for i, c := range cases {
				checkArrived(t, c, arrived[i])
			}
		})
	}
}

func sendAll(t *testing.T, config smtp.Config, cases []corpus.Case, chunking bool) {
	t.Helper()
	conn, err := smtp.Dial(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	var waiting []*smtp.Transaction
	for _, c := range cases {
		waiting = append(waiting, transaction(t, c, chunking))
	}
	err = conn.Stream(t.Context(), func(bool) *smtp.Transaction {
		if len(waiting) == 0 {
			return nil
		}
		next := waiting[0]
		waiting = waiting[1:]
		return next
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}

func transaction(t *testing.T, c corpus.Case, chunking bool) *smtp.Transaction {
	t.Helper()
	content, err := c.Message.Content()
	if err != nil {
		t.Fatal(err)
	}
	return &smtp.Transaction{
		Envelope: envelope(t, c.Message), Content: content, Chunking: chunking,
		Done: func(r *smtp.Result) {
			if r.Err != nil {
				t.Errorf("%s: %v", c.Name, r.Err)
			}
		},
	}
}

func envelope(t *testing.T, m *message.Message) smtp.Envelope {
	t.Helper()
	e, err := m.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func checkArrived(t *testing.T, c corpus.Case, arrived *smtptest.Message) {
	t.Helper()
	if want := write(t, c.Message); !bytes.Equal(arrived.Data, want) {
		t.Errorf("%s: %d octets arrived as %d others", c.Name, len(want), len(arrived.Data))
	}
	e := envelope(t, c.Message)
	if arrived.From != e.From || len(arrived.To) != len(e.To) {
		t.Fatalf("%s: envelope %+v arrived as %s to %+v", c.Name, e, arrived.From, arrived.To)
	}
	for i, to := range arrived.To {
		if to.Address != e.To[i].Address {
			t.Errorf("%s: recipient %s arrived as %s", c.Name, e.To[i].Address, to.Address)
		}
	}
}
