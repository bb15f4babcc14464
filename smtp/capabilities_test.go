package smtp_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// What providers were seen to answer to EHLO, after TLS.
var offers = []struct {
	name, text string
	want       smtp.Capabilities
}{
	{"Gmail", "smtp.gmail.com at your service, [192.0.2.1]\nSIZE 35882577\n8BITMIME\nAUTH LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH\nENHANCEDSTATUSCODES\nPIPELINING\nCHUNKING\nSMTPUTF8",
		smtp.Capabilities{Size: true, MaxSize: 35882577, EightBitMIME: true, EnhancedStatusCodes: true, Pipelining: true, Chunking: true, SMTPUTF8: true,
			Auth: []string{"LOGIN", "PLAIN", "XOAUTH2", "PLAIN-CLIENTTOKEN", "OAUTHBEARER", "XOAUTH"}}},
	{"Office 365", "x.outlook.office365.com Hello [192.0.2.1]\nSIZE 157286400\nPIPELINING\nDSN\nENHANCEDSTATUSCODES\nAUTH LOGIN XOAUTH2\n8BITMIME\nBINARYMIME\nCHUNKING\nSMTPUTF8",
		smtp.Capabilities{Size: true, MaxSize: 157286400, Pipelining: true, DSN: true, EnhancedStatusCodes: true, Auth: []string{"LOGIN", "XOAUTH2"},
			EightBitMIME: true, BinaryMIME: true, Chunking: true, SMTPUTF8: true}},
	{"SES", "email-smtp.amazonaws.com\n8BITMIME\nSIZE 10485760\nAUTH PLAIN LOGIN\nOk", // a line that is no keyword
		smtp.Capabilities{EightBitMIME: true, Size: true, MaxSize: 10485760, Auth: []string{"PLAIN", "LOGIN"}, Other: map[string]string{"OK": ""}}},
	{"Yahoo", "hello\nPIPELINING\nSIZE 41697280\n8 BITMIME", // malformed: not offered
		smtp.Capabilities{Pipelining: true, Size: true, MaxSize: 41697280, Other: map[string]string{"8": "BITMIME"}}},
	{"Exchange of old", "x\nAUTH LOGIN\nAUTH=LOGIN PLAIN", smtp.Capabilities{Auth: []string{"LOGIN", "PLAIN"}}},
	{"the first line is a name", "PIPELINING\nDSN", smtp.Capabilities{DSN: true}},
	{"case and blanks", "x\n  pipelining \nStartTLS\nsize\nauth plain  Login", smtp.Capabilities{Pipelining: true, StartTLS: true, Size: true, Auth: []string{"PLAIN", "LOGIN"}}},
	{"no fixed size", "x\nSIZE 0", smtp.Capabilities{Size: true}},
	{"nonsense size", "x\nSIZE 99999999999999999999", smtp.Capabilities{Size: true}},
	{"negative size", "x\nSIZE -1", smtp.Capabilities{Size: true}},
	{"limits", "x\nLIMITS MAILMAX=20 rcptmax=100 FUTURE=3 RCPTDOMAINMAX=1", smtp.Capabilities{Limits: smtp.Limits{MailMax: 20, RcptMax: 100, RcptDomainMax: 1}}},
	{"limits with a fault", "x\nLIMITS MAILMAX=20 RCPTMAX", smtp.Capabilities{}}, // RFC 9422: the whole keyword is void
	{"limits of zero", "x\nLIMITS MAILMAX=0", smtp.Capabilities{}},
	{"others", "x\nDELIVERBY 240\nREQUIRETLS\nXCLIENT NAME ADDR\n\n", smtp.Capabilities{DeliverBy: true, RequireTLS: true, Other: map[string]string{"XCLIENT": "NAME ADDR"}}},
	{"HELO", "mx.example.com", smtp.Capabilities{}},
}

func TestCapabilitiesOfServers(t *testing.T) {
	t.Parallel()
	for _, offer := range offers {
		got := smtp.ParseCapabilities(offer.text)
		if !reflect.DeepEqual(got, offer.want) {
			t.Errorf("%s:\n%+v, want\n%+v", offer.name, got, offer.want)
		}
	}
}

// Keywords are what a server would have to answer to offer the same.
func TestKeywordsSayTheSameAgain(t *testing.T) {
	t.Parallel()
	for _, offer := range offers {
		lines := offer.want.Keywords()
		if !slices.IsSorted(lines) {
			t.Errorf("%s: not sorted: %q", offer.name, lines)
		}
		if again := smtp.ParseCapabilities("x\n" + strings.Join(lines, "\n")); !reflect.DeepEqual(again, offer.want) {
			t.Errorf("%s: %q", offer.name, lines)
		}
	}
}

func FuzzCapabilities(f *testing.F) {
	for _, offer := range offers {
		f.Add(offer.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := smtp.ParseCapabilities(text)
		if c.MaxSize < 0 || c.Limits.MailMax < 0 || c.Limits.RcptMax < 0 {
			t.Errorf("%+v", c)
		}
		for _, line := range c.Keywords() {
			if strings.Contains(line, "\n") {
				t.Errorf("%q has two lines", line)
			}
		}
	})
}
