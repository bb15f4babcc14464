package smtptest_test

import (
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const lmtpLetter = "LHLO x\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nRCPT TO:<c@b.test>\r\nRCPT TO:<d@b.test>\r\n" +
	"DATA\r\nMessage-ID: <1>\r\n\r\nHello\r\n.\r\n"

// A reply for each recipient that was accepted, in their order; each may be
// refused by itself.
func TestLMTP(t *testing.T) {
	t.Parallel()
	full := &smtptest.Reply{Code: 552, Text: "5.2.2 Full"}
	reject := func(p smtptest.Phase, arg string) *smtptest.Reply {
		if p == smtptest.PhaseFinal && arg == "c@b.test" {
			return full
		}
		return nil
	}
	for name, c := range map[string]struct {
		config smtptest.Config
		says   string
		want   string
		taken  string
	}{
		"all":          {smtptest.Config{}, lmtpLetter, "250 250 250 250 250 354 250 250 250", "b c d"},
		"one full":     {smtptest.Config{Reject: reject}, lmtpLetter, "250 250 250 250 250 354 250 552 250", "b d"},
		"one unknown":  {smtptest.Config{UnknownRecipients: []string{"c@b.test"}}, lmtpLetter, "250 250 250 550 250 354 250 250", "b d"},
		"none":         {smtptest.Config{UnknownRecipients: []string{"@b.test"}}, lmtpLetter[:strings.Index(lmtpLetter, "Message")], "250 250 550 550 550 503", ""},
		"EHLO, HELO":   {smtptest.Config{}, "EHLO x\r\nHELO x\r\n", "500 500", ""},
		"cut in the 2": {smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Nth: 2}}}, lmtpLetter, "250 250 250 250 250 354 250", "b"},
		"lost":         {smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseAfterFinal, Nth: 2}}}, lmtpLetter, "250 250 250 250 250 354 250", "b c d"},
		"421":          {smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Close421, Nth: 3}}}, lmtpLetter, "250 250 250 250 250 354 250 250 421", "b c"},
		"one reply":    {smtptest.Config{Quirks: smtptest.Quirks{OneFinalReply: true}}, lmtpLetter, "250 250 250 250 250 354 250", "b c d"},
		"too large":    {smtptest.Config{Limits: smtptest.Limits{MaxSize: 5}}, lmtpLetter, "250 250 250 250 250 354 552 552 552", ""},
		"BDAT": {smtptest.Config{Reject: reject}, "LHLO x\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nRCPT TO:<c@b.test>\r\nBDAT 2\r\n\r\nBDAT 7 LAST\r\nHello\r\n",
			"250 250 250 250 250 250 552", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.config.Network, c.config.LMTP = smtptest.Memory, true
			s := start(t, c.config)
			if got := dialogue(t, s, c.says); got != "220 "+c.want {
				t.Errorf("said %s, want 220 %s", got, c.want)
			}
			var taken []string
			for _, tally := range s.Accepted() {
				for _, to := range tally.Recipients {
					taken = append(taken, strings.TrimSuffix(to, "@b.test"))
				}
			}
			if got := strings.Join(taken, " "); got != c.taken {
				t.Errorf("taken for %s, want %s", got, c.taken)
			}
		})
	}
}

// What speaks SMTP does not know LHLO.
func TestNoLMTP(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Network: smtptest.Memory})
	if got := dialogue(t, s, "LHLO x\r\n"); got != "220 500" {
		t.Error(got)
	}
}
