package smtp_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestHelloOfOldAndOddServers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script string
		class        smtp.Class // ClassNone: the dial goes well
	}{
		{"HELO", "S: 220 x\nC: EHLO client.test\nS: 502 what\nC: HELO client.test\nS: 250 x\nS! wait", smtp.ClassNone},
		{"HELO after 550", "S: 220 x\nC: EHLO client.test\nS: 550 no\nC: HELO client.test\nS: 250 x\nS! wait", smtp.ClassNone},
		{"neither", "S: 220 x\nC: EHLO client.test\nS: 502 what\nC: HELO client.test\nS: 550 5.7.1 go away\nS! wait", smtp.ClassConnect},
		{"421", "S: 220 x\nC: EHLO client.test\nS: 421 4.3.2 closing", smtp.ClassConnectionLimit},
		{"421 to HELO", "S: 220 x\nC: EHLO client.test\nS: 502 what\nC: HELO client.test\nS: 421 closing", smtp.ClassConnectionLimit},
		{"for now", "S: 220 x\nC: EHLO client.test\nS: 451 4.3.0 later\nS! wait", smtp.ClassConnect},
		{"closed", "S: 220 x\nC: EHLO client.test\nS! close", smtp.ClassConnect},
		{"codes that change", "S: 220 x\nC: EHLO client.test\nS: 250-x\nS: 251 PIPELINING\nS! wait", smtp.ClassProtocol},
		{"junk", "S: 220 x\nC: EHLO client.test\nS: 250-x\nS: PIPELINING\nS! wait", smtp.ClassProtocol},
		{"another success", "S: 220 x\nC: EHLO client.test\nS: 220 x\nS! wait", smtp.ClassProtocol},
		{"endless", "S: 220 x\nC: EHLO client.test\n" + strings.Repeat("S: 250-X\n", 520) + "S! wait", smtp.ClassProtocol},
		// More than was asked for: the replies can no longer be counted.
		{"one more reply", "S: 220 x\nC: EHLO client.test\nS: 250 x\nS: 250 x\nS! wait", smtp.ClassProtocol},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			d := playing(t, test.script)
			if test.class != smtp.ClassNone {
				if e := d.refusedDial(t.Context()); e.Class != test.class {
					t.Errorf("class %v: %v", e.Class, e)
				}
				return
			}
			if c := d.dial(); c.Level() != smtp.LevelLockStep || len(c.Capabilities().Keywords()) != 0 {
				t.Errorf("%v %v", c.Level(), c.Capabilities().Keywords())
			}
		})
	}
}

func TestHELOServerTakesAMessage(t *testing.T) {
	t.Parallel()
	inBubble(t, "HELO", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{NoEHLO: true})
		c := d.dial()
		for range 2 {
			if result, err := hand(t, c, note()); err != nil || result.Err != nil || result.Level != smtp.LevelLockStep || result.RoundTrips != 4 {
				t.Errorf("%v, %+v", err, result)
			}
		}
		eightBit, err := hand(t, c, noteOf(smtp.Bytes([]byte("Subject: x\r\n\r\nü\r\n"))))
		if err != nil || !errors.Is(eightBit.Err, smtp.ClassContent) || !strings.Contains(eightBit.Err.Error(), "8BITMIME") {
			t.Errorf("%v, %v", err, eightBit.Err)
		}
	})
}

// What the envelope and the content need decides what MAIL and RCPT say.
func TestParametersOnlyWhereNeeded(t *testing.T) {
	t.Parallel()
	plain, eight := "Subject: x\r\n\r\nHello\r\n", "Subject: x\r\n\r\nGrüße\r\n"
	every := []string{"PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN", "REQUIRETLS"}
	for _, test := range []struct {
		name, text string
		extensions []string
		change     func(*smtp.Transaction)
		mail, rcpt string     // what the commands must be, without the verb's path
		class      smtp.Class // of a refusal on this side
	}{
		{"nothing special", plain, every, nil, "<ann@a.test> SIZE=21", "<bob@b.test>", 0},
		{"no extensions", plain, smtptest.NoExtensions(), nil, "<ann@a.test>", "<bob@b.test>", 0},
		{"8-bit", eight, every, nil, "<ann@a.test> SIZE=23 BODY=8BITMIME", "<bob@b.test>", 0},
		{"8-bit, not offered", eight, smtptest.NoExtensions(), nil, "", "", smtp.ClassContent},
		{"8-bit header", "Subject: ü\r\n\r\n", every, nil, "<ann@a.test> SIZE=15 BODY=8BITMIME SMTPUTF8", "<bob@b.test>", 0},
		{"mailbox beyond ASCII", plain, every, func(tx *smtp.Transaction) { tx.Envelope.To = smtp.To("jürgen@b.test") },
			"<ann@a.test> SIZE=21 SMTPUTF8", "<jürgen@b.test>", 0},
		{"mailbox beyond ASCII, not offered", plain, smtptest.NoExtensions(), func(tx *smtp.Transaction) { tx.Envelope.To = smtp.To("jürgen@b.test") }, "", "", smtp.ClassRecipient},
		{"sender beyond ASCII, not offered", plain, smtptest.NoExtensions(), func(tx *smtp.Transaction) { tx.Envelope.From = "jürgen@b.test" }, "", "", smtp.ClassSender},
		{"domain beyond ASCII", plain, smtptest.NoExtensions(), func(tx *smtp.Transaction) { tx.Envelope.To = smtp.To("joe@bücher.example") },
			"<ann@a.test>", "<joe@xn--bcher-kva.example>", 0},
		{"too large", plain + strings.Repeat("x\r\n", 400), every, nil, "", "", smtp.ClassSize},
		{"null sender", plain, every, func(tx *smtp.Transaction) { tx.Envelope.From = "" }, "<> SIZE=21", "<bob@b.test>", 0},
		{"notifications", plain, every, func(tx *smtp.Transaction) {
			tx.Envelope.Return, tx.Envelope.EnvelopeID = smtp.ReturnHeaders, "q=1"
			tx.Envelope.To[0].Notify, tx.Envelope.To[0].OriginalRecipient = smtp.NotifySuccess|smtp.NotifyDelay, "bob+x@b.test"
		}, "<ann@a.test> SIZE=21 RET=HDRS ENVID=q+3D1", "<bob@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob+2Bx@b.test", 0},
		{"notifications, not offered", plain, smtptest.NoExtensions(), func(tx *smtp.Transaction) {
			tx.Envelope.Return, tx.Envelope.To[0].Notify = smtp.ReturnFull, smtp.NotifyNever
		}, "<ann@a.test>", "<bob@b.test>", 0},
		{"TLS all the way, not offered", plain, smtptest.NoExtensions(), func(tx *smtp.Transaction) { tx.Envelope.RequireTLS = true }, "", "", smtp.ClassTLS},
		{"TLS all the way", plain, every, func(tx *smtp.Transaction) { tx.Envelope.RequireTLS = true }, "<ann@a.test> SIZE=21 REQUIRETLS", "<bob@b.test>", 0},
		{"long line", "Subject: x\r\n\r\n" + strings.Repeat("x", 999) + "\r\n", []string{"PIPELINING"}, nil, "", "", smtp.ClassContent},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			d := newDesk(t, smtptest.Config{TLS: smtptest.TLSImplicit, Extensions: test.extensions})
			c := d.dial()
			tx := noteOf(smtp.Bytes([]byte(test.text)))
			if test.change != nil {
				test.change(tx)
			}
			result, err := hand(t, c, tx)
			script := d.server.Transcript(1)
			switch {
			case err != nil:
				t.Error(err)
			case test.class != smtp.ClassNone:
				if result.Err == nil || result.Err.Class != test.class || result.Outcome != smtp.NotSent || strings.Contains(script, "MAIL") {
					t.Errorf("%+v, %v\n%s", result.Outcome, result.Err, script)
				}
				return
			case result.Outcome != smtp.Accepted:
				t.Error(result.Err)
			}
			if !strings.Contains(script, "C: MAIL FROM:"+test.mail+"\n") || !strings.Contains(script, "C: RCPT TO:"+test.rcpt+"\n") {
				t.Error(script)
			}
		})
	}
}

// 8-bit octets that only show far into a stream end the connection: nothing of
// the message may be taken.
func TestEightBitFarIntoAStream(t *testing.T) {
	t.Parallel()
	inBubble(t, "stream", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{Extensions: []string{"PIPELINING"}})
		c := d.dial()
		text := "Subject: x\r\n\r\n" + strings.Repeat("line of text\r\n", 20_000) + "ü\r\n"
		result, err := hand(t, c, noteOf(smtp.Reader(strings.NewReader(text))))
		if err == nil || result.Outcome != smtp.NotSent || result.Err.Class != smtp.ClassContent || len(d.server.Accepted()) != 0 {
			t.Errorf("%v, %+v", err, result)
		}
		dead(t, d, c)
	})
}

// Replies that come in any form but the right number.
func TestRepliesInManyForms(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]smtptest.Quirks{"split": {SplitReplies: true}, "multiline": {MultilineReplies: true}, "both": {SplitReplies: true, MultilineReplies: true}} {
		inBubble(t, name, func(t *testing.T) {
			d := newDesk(t, smtptest.Config{Quirks: quirks, TLS: smtptest.TLSStartTLS, Auth: &smtptest.Auth{Users: map[string]string{"ann": "secret"}}})
			d.config.Auth = &smtp.Auth{Username: "ann", Password: "secret"}
			c := d.dial()
			for range 5 {
				if result, err := hand(t, c, note()); err != nil || result.Err != nil {
					t.Fatal(err, result.Err)
				}
			}
		})
	}
	for _, at := range []smtptest.Phase{smtptest.PhaseMAIL, smtptest.PhaseRCPT, smtptest.PhaseDATA, smtptest.PhaseFinal} {
		inBubble(t, "oversize "+at.String(), func(t *testing.T) {
			d := newDesk(t, smtptest.Config{Faults: []smtptest.Fault{{Phase: at, Action: smtptest.Oversize}}})
			c := d.dial()
			result, err := hand(t, c, note())
			want := smtp.NotSent
			if at == smtptest.PhaseFinal {
				want = smtp.Unknown
			}
			if e := known(t, err); e.Class != smtp.ClassProtocol || result.Outcome != want {
				t.Errorf("%v, %v", e, result.Outcome)
			}
			dead(t, d, c)
		})
	}
}

// What was learned about a server is forgotten after a day, and at once when it
// offers something else.
func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	demoting := smtptest.Quirks{RejectPipelining: true}
	inBubble(t, "after a day", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{Quirks: demoting})
		if result, _ := hand(t, d.dial(), note()); result.Outcome != smtp.NotSent || !result.Repeatable {
			t.Fatalf("%+v", result)
		}
		for range 3 {
			if result, err := hand(t, d.dial(), note()); err != nil || result.Err != nil || result.Level != smtp.LevelLockStep {
				t.Fatal(err, result.Err)
			}
			<-time.After(7 * time.Hour)
		}
		<-time.After(4 * time.Hour)
		if level := d.dial().Level(); level != smtp.LevelGroup {
			t.Errorf("%v", level)
		}
	})
	inBubble(t, "another offer", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{Quirks: demoting})
		hand(t, d.dial(), note())
		if level := d.dial().Level(); level != smtp.LevelLockStep {
			t.Errorf("%v", level)
		}
		other := newDesk(t, smtptest.Config{Extensions: []string{"PIPELINING"}})
		other.config.Memory = d.config.Memory
		if level := other.dial().Level(); level != smtp.LevelGroup {
			t.Errorf("%v", level)
		}
	})
}

// A refusal that looks like a mix-up demotes at first. If it comes again one
// command at a time, grouping was not to blame.
func TestMemoryAcquits(t *testing.T) {
	t.Parallel()
	for _, at := range []smtptest.Phase{smtptest.PhaseMAIL, smtptest.PhaseDATA, smtptest.PhaseFinal} {
		inBubble(t, at.String(), func(t *testing.T) {
			d := newDesk(t, smtptest.Config{Faults: []smtptest.Fault{
				{Phase: at, Action: smtptest.Answer, Nth: 1, Reply: smtptest.Reply{Code: 503, Text: "5.5.1 Not this one"}},
				{Phase: at, Action: smtptest.Answer, Nth: 2, Reply: smtptest.Reply{Code: 503, Text: "5.5.1 Not this one"}}}})
			if result, _ := hand(t, d.dial(), note()); result.Outcome != smtp.NotSent || !result.Repeatable {
				t.Fatalf("%+v", result)
			}
			c := d.dial()
			if c.Level() != smtp.LevelLockStep {
				t.Errorf("%v", c.Level())
			}
			result, err := hand(t, c, note())
			if err != nil || result.Outcome == smtp.Accepted || result.Repeatable {
				t.Errorf("%v, %+v", err, result)
			}
			if c.Level() != smtp.LevelGroup {
				t.Errorf("still %v", c.Level())
			}
			if result, err = hand(t, c, note()); err != nil || result.Err != nil {
				t.Errorf("%v, %v", err, result.Err)
			}
		})
	}
}
