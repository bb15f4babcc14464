package smtptest_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// dialogue sends everything at once and returns the codes of the replies.
func dialogue(t *testing.T, s *smtptest.Server, says string) string {
	t.Helper()
	var codes []string
	for line := range strings.Lines(play(t, s, says)) {
		if len(line) > 3 && line[3] == ' ' {
			codes = append(codes, line[:3])
		}
	}
	return strings.Join(codes, " ")
}

const hello = "EHLO x\r\n"
const oneRcpt = "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"

func TestQuirks(t *testing.T) {
	t.Parallel()
	two := oneRcpt + "BDAT 3 LAST\r\nx\r\n"
	tests := []struct {
		name     string
		config   smtptest.Config
		says     string
		codes    string
		accepted int
	}{
		{"none", smtptest.Config{}, hello + group + letter + two + "QUIT\r\n", "220 250 250 250 250 354 250 250 250 250 221", 2},
		{"pipelining refused", smtptest.Config{Quirks: smtptest.Quirks{RejectPipelining: true}}, hello + group, "220 500", 0},
		{"strict sync", smtptest.Config{Quirks: smtptest.Quirks{StrictSync: true}}, group + letter, "220 250 503 503 554", 0},
		{"errors", smtptest.Config{Quirks: smtptest.Quirks{ErrorLimit: 3}}, "A\r\nB\r\nNOOP\r\nC\r\nD\r\n", "220 502 502 250 502 421", 0},
		{"limit at data", smtptest.Config{Limits: smtptest.Limits{MessagesPerConnection: 1}, Quirks: smtptest.Quirks{LimitAtData: true, StickyTransaction: true}},
			hello + group + letter + oneRcpt + "DATA\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n", "220 250 250 250 250 354 250 250 250 452 503 250 250", 1},
		{"rset refused", smtptest.Config{Quirks: smtptest.Quirks{RefuseRSET: true}}, hello + oneRcpt + "RSET\r\nMAIL FROM:<>\r\n", "220 250 250 250 502 503", 0},
		{"bdat swallowed", smtptest.Config{}, hello + "BDAT 6\r\nNOOP\r\nNOOP\r\n", "220 250 503 250", 0},
		{"bdat not swallowed", smtptest.Config{Quirks: smtptest.Quirks{UnswallowedBDAT: true}}, hello + "BDAT 6\r\nNOOP\r\nNOOP\r\n", "220 250 503 250 250", 0},
		{"refused chunk breaks", smtptest.Config{Limits: smtptest.Limits{MaxSize: 4}}, hello + oneRcpt + "BDAT 6\r\n123456BDAT 1 LAST\r\n1RSET\r\n" + two, "220 250 250 250 552 503 250 250 250 250", 1},
		{"data always", smtptest.Config{Quirks: smtptest.Quirks{DataAlways: true}}, hello + "MAIL FROM:<>\r\nDATA\r\n.\r\nQUIT\r\n", "220 250 250 354 554 221", 0},
		{"no recipients", smtptest.Config{}, hello + "MAIL FROM:<>\r\nDATA\r\n", "220 250 250 554", 0},
		{"250 to data", smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseDATA, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 250}}}},
			hello + oneRcpt + "DATA\r\nNOOP\r\n", "220 250 250 250 250 250", 0},
		{"354 without recipients", smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseDATA, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 354}}}},
			hello + "DATA\r\n.\r\nNOOP\r\n", "220 250 354 554 250", 0},
		{"split", smtptest.Config{Quirks: smtptest.Quirks{SplitReplies: true, MultilineReplies: true}}, hello + group + letter, "220 250 250 250 250 354 250", 1},
		{"no EHLO", smtptest.Config{NoEHLO: true}, hello + "HELO x\r\nMAIL FROM:<> SIZE=1\r\n", "220 502 250 250", 0},
		{"one message", smtptest.Config{Limits: smtptest.Limits{MessagesPerConnection: 1}}, hello + group + letter + oneRcpt, "220 250 250 250 250 354 250 421", 1},
		{"one message, 452", smtptest.Config{Limits: smtptest.Limits{MessagesPerConnection: 1, MessagesReply: smtptest.Reply{Code: 452}}}, hello + group + letter + oneRcpt, "220 250 250 250 250 354 250 452 503", 1},
		{"too many recipients", smtptest.Config{Limits: smtptest.Limits{RecipientsPerMessage: 1}}, hello + oneRcpt + "RCPT TO:<e@f.test>\r\n", "220 250 250 250 452", 0},
		{"too big by SIZE", smtptest.Config{Limits: smtptest.Limits{MaxSize: 10}}, hello + "MAIL FROM:<> SIZE=11\r\nMAIL FROM:<> SIZE=10\r\n", "220 250 552 250", 0},
		{"too big", smtptest.Config{Limits: smtptest.Limits{MaxSize: 10}}, hello + group + letter + "NOOP\r\n", "220 250 250 250 250 354 552 250", 0},
		{"rate", smtptest.Config{Limits: smtptest.Limits{Rate: smtptest.Rate{N: 1, Per: time.Hour}}}, hello + oneRcpt + "RSET\r\n" + oneRcpt, "220 250 250 250 250 451 503", 0},
		{"rate at the end", smtptest.Config{Limits: smtptest.Limits{Rate: smtptest.Rate{N: 1, Per: time.Hour, AtFinal: true}}}, hello + two + two, "220 250 250 250 250 250 250 451", 1},
		{"syntax", smtptest.Config{}, hello + "MAIL FROM: <a@b>\r\nMAIL FROM:<a@b\r\nMAIL FROM:<a@b>X\r\nMAIL FROM:<> FOO=1\r\nMAIL FROM:<é@b>\r\nNOOP\nEHLO\r\n", "220 250 501 501 501 555 553 500 501", 0},
		{"auth alone", smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"": ""}}, Quirks: smtptest.Quirks{AuthAlone: true}}, hello + "AUTH PLAIN AAA=\r\nMAIL FROM:<>\r\n", "220 250 554", 0},
		{"auth in a group", smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"": ""}}}, hello + "AUTH PLAIN AAA=\r\nMAIL FROM:<>\r\n", "220 250 235 250", 0},
		{"long verb", smtptest.Config{}, "QUITQUITQUIT\r\nDATAX\r\nSTARTTLSX\r\nmail from:<>\r\nquit\r\n", "220 502 502 502 503 221", 0},
		{"rate given back", smtptest.Config{Limits: smtptest.Limits{Rate: smtptest.Rate{N: 1, Per: time.Hour, AtFinal: true}},
			Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Answer, Nth: 1, Reply: smtptest.Reply{Code: 450}}}}, hello + two + two + two, "220 250 250 250 450 250 250 250 250 250 451", 1},
		{"quoted", smtptest.Config{}, hello + "MAIL FROM:<\"a> b\"@c.test>\r\n", "220 250 250", 0},
		{"binary needs BDAT", smtptest.Config{}, hello + "MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<a@b.test>\r\nDATA\r\n", "220 250 250 250 503", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.config.Network = smtptest.Memory
			s := start(t, tt.config)
			if got := dialogue(t, s, tt.says); got != tt.codes {
				t.Errorf("got  %s\nwant %s", got, tt.codes)
			}
			if got := s.Stats().Accepted; got != tt.accepted {
				t.Errorf("accepted %d, want %d", got, tt.accepted)
			}
		})
	}
}

// The message behind whose end something waits is dropped, as by OpenSMTPD.
func TestRejectPipeliningDropsTheMessage(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Network: smtptest.Memory, Quirks: smtptest.Quirks{RejectPipelining: true}})
	c := dial(t, s)
	talk(t, c, "", 220)
	talk(t, c, "EHLO x", 250)
	talk(t, c, "MAIL FROM:<>", 250)
	talk(t, c, "RCPT TO:<a@b.test>", 250)
	talk(t, c, "DATA", 354)
	talk(t, c, ".\r\nRSET", 500)
	if s.Stats().Accepted != 0 {
		t.Error("the message was accepted")
	}
}

func TestEarlyTalker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, GreetingDelay: time.Second,
			Quirks: smtptest.Quirks{EarlyTalker: smtptest.Reply{Code: 554, Text: "5.5.0 You talk too soon"}}})
		defer s.Close()
		patient, hasty := dial(t, s), dial(t, s)
		talk(t, hasty, "EHLO x", 554)
		if _, err := hasty.ReadLine(); err != io.EOF {
			t.Error(err)
		}
		talk(t, patient, "", 220)
		talk(t, patient, "EHLO x", 250)
	})
}

func TestConnectionLimitAndPeak(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		s := start(t, smtptest.Config{Network: network, Limits: smtptest.Limits{Connections: 2}})
		first, second := dial(t, s), dial(t, s)
		talk(t, first, "", 220)
		talk(t, second, "", 220)
		talk(t, dial(t, s), "", 421)
		talk(t, first, "QUIT", 221)
		talk(t, dial(t, s), "", 220)
		if st := s.Stats(); st.Peak != 3 || st.Connections != 4 || st.Open != 2 {
			t.Errorf("%+v", st)
		}
	}
}

// In memory a close counts at once: clients may rely on Peak.
func TestPeakAfterCloseWithoutQuit(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Network: smtptest.Memory})
	for range 100 {
		c := dial(t, s)
		talk(t, c, "", 220)
		c.Close()
	}
	if st := s.Stats(); st.Peak != 1 || st.Open != 0 {
		t.Errorf("%+v", st)
	}
}

func TestReject(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Network: smtptest.Memory, Reject: func(p smtptest.Phase, arg string) *smtptest.Reply {
		if p == smtptest.PhaseRCPT && arg == "bad@d.test" || p == smtptest.PhaseFinal && arg == "<1@b.test>" {
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No"}
		}
		return nil
	}})
	got := dialogue(t, s, hello+"MAIL FROM:<>\r\nRCPT TO:<bad@d.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"+letter)
	if got != "220 250 250 550 250 354 550" || s.Stats().Rejected != 1 {
		t.Errorf("%s, %+v", got, s.Stats())
	}
}
