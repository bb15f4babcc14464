// Package matrix_test holds the engine to what expected.txt says must become of
// messages, for each fault of smtptest, at each phase of a session, at each level
// of the wire: on one connection, and through a Client.
package matrix_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const (
	// messages are sent one behind the other: three in groups, by which the server
	// earns look-ahead, one that begins it, and then the three that are looked at,
	// with one more behind them.
	messages = 8
	earning  = 3
	struckAt = 6
	// resting is how long a connection at rest is left alone; the fault strikes
	// half way.
	resting = 20 * time.Second

	smallBody, largeBody = 300, 200 << 10
	twoChunks            = 90 << 10 // more than one write, less than two
)

// settingUp are the places before any message, in which the first message of a
// connection is the one looked at.
var settingUp = map[string]bool{"connect": true, "greeting": true, "ehlo": true, "starttls": true, "tls": true, "auth": true}

// struckNumber is the number of the message looked at.
func (c cell) struckNumber() int {
	if settingUp[c.place] {
		return 1
	}
	return struckAt
}

// split is how many messages go before the pause of places that need one.
func (c cell) split() int {
	switch c.place {
	case "idle", "noop":
		return struckAt - 1
	}
	return messages
}

// server is one that misbehaves as the cell wants.
func (c cell) server(t *testing.T) *smtptest.Server {
	t.Helper()
	config := smtptest.Config{Network: smtptest.Memory, Latency: 50 * time.Millisecond, Faults: []smtptest.Fault{c.fault(t)}}
	switch c.place {
	case "starttls":
		config.TLS = smtptest.TLSStartTLS
	case "tls":
		config.TLS = smtptest.TLSImplicit
	case "auth":
		config.Auth = &smtptest.Auth{Users: map[string]string{"ann": "secret"}, Required: true}
	case "rset":
		if c.level == "lock-step" { // RSET follows a refusal alone
			config.Reject = func(p smtptest.Phase, arg string) *smtptest.Reply {
				if p != smtptest.PhaseFinal || arg != messageID(struckAt-1) {
					return nil
				}
				return &smtptest.Reply{Code: 554, Text: "5.6.0 Not this one"}
			}
		}
	}
	return smtptest.NewServer(config)
}

func (c cell) fault(t *testing.T) smtptest.Fault {
	t.Helper()
	place, action := c.place, c.action
	switch place {
	case "body":
		place = fmt.Sprintf("body@%d", smallBody/2)
	case "body-large":
		place = "body@50000"
	case "idle":
		place = fmt.Sprintf("idle@%v", resting/2)
	}
	switch action {
	case "451":
		action = "reply=451 4.3.0 Later"
	case "550":
		action = "reply=550 5.7.1 No"
	case "500":
		action = "reply=500 5.5.2 What"
	}
	f, err := smtptest.ParseFault(place + ":" + action)
	if err != nil {
		t.Fatal(err)
	}
	f.Nth = c.occurrence()
	return f
}

// occurrence is which one of the phase concerns the struck message.
func (c cell) occurrence() int {
	switch {
	case c.place == "idle":
		return 0 // after each pause that is long enough, of which there is one
	case c.place == "rset" && c.level != "lock-step":
		return struckAt - 1 // none before the first
	case settingUp[c.place], c.place == "noop", c.place == "quit", c.place == "rset":
		return 1
	case c.place == "data" && c.level == "bdat":
		return earning + 1
	}
	return struckAt
}

// content is that of message n. The struck one is as large as its place needs.
func (c cell) content(n int) *smtp.Content {
	size := smallBody
	switch {
	case n == struckAt && c.place == "body-large":
		size = largeBody
	case n == struckAt && c.place == "data" && c.level == "bdat":
		size = twoChunks
	}
	text := []byte("Message-ID: " + messageID(n) + "\r\n\r\n")
	return smtp.Bytes(append(text, bytes.Repeat([]byte("A line of the text.\r\n"), size/21)...))
}

// chunked: with BDAT. Only groups that end with DATA earn look-ahead.
func (c cell) chunked(n int) bool { return c.level == "bdat" && (n > earning || settingUp[c.place]) }

func messageID(n int) string { return fmt.Sprintf("<%d@matrix.test>", n) }

func (c cell) envelope(n int) smtp.Envelope {
	return smtp.Envelope{From: fmt.Sprintf("s%d@matrix.test", n), To: smtp.To(fmt.Sprintf("r%d@matrix.test", n))}
}

func (c cell) maxLevel() smtp.Level {
	switch c.level {
	case "lock-step":
		return smtp.LevelLockStep
	case "group":
		return smtp.LevelGroup
	}
	return smtp.LevelLookAhead
}

// expectation splits "not sent connect again, kept".
func expectation(field string) (verdict string, again, kept bool) {
	verdict, kept = strings.CutSuffix(field, ", kept")
	return verdict, strings.HasSuffix(verdict, " again"), kept
}

// told turns "settled" into what it stands for.
func (c cell) told() string {
	switch {
	case c.before != "settled":
		return c.before
	case c.level == "lock-step":
		return "rejected content"
	}
	return "accepted"
}

// throughClient is what the senders of the struck message and of the next one
// are told in the end, and how many repeats that takes.
func (c cell) throughClient(t *testing.T) (struck, after string, repeats int) {
	t.Helper()
	if c.client == "" {
		final := func(field string) string {
			verdict, again, _ := expectation(field)
			if again {
				repeats++
			}
			if again || field == "" {
				return "accepted"
			}
			return verdict
		}
		return final(c.struck), final(c.after), repeats
	}
	fields := strings.Split(c.client, ", ")
	if len(fields) != 3 {
		t.Fatalf("%v: want struck, after, repeats: %s", c, c.client)
	}
	repeats, err := strconv.Atoi(fields[2])
	if err != nil {
		t.Fatal(err)
	}
	return fields[0], fields[1], repeats
}

// checkArrivals complains of a message that was told one thing and arrived
// otherwise. more is how often it arrives besides.
func checkArrivals(t *testing.T, s *smtptest.Server, n int, verdict string, more int) {
	t.Helper()
	times := s.Accepted()[messageID(n)].Times
	want := more
	if verdict == "accepted" {
		want++
	}
	if times != want {
		t.Errorf("message %d was told %q and arrived %d times, want %d", n, verdict, times, want)
	}
}
