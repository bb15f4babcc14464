package smtp_test

import (
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

var queueIDs = []struct{ server, text, want string }{
	{"Postfix", "Ok: queued as 4XyZ1q2w3eR", "4XyZ1q2w3eR"},
	{"Exim", "OK id=1tABcd-00000001abc-2XYZ", "1tABcd-00000001abc-2XYZ"},
	{"Gmail", "OK  1763942400 a640c23a62f3a-b7654fd4b2asm1014666b.21 - gsmtp", "a640c23a62f3a-b7654fd4b2asm1014666b.21"},
	{"Exchange", "<1@a.test> [InternalId=34359738400, Hostname=AM0PR01.prod.outlook.com] 8341 bytes in 0.1, 60 KB/sec Queued mail for delivery", "34359738400"},
	{"Exchange Online", "OK <SG2PR01MB436374B1057F304AB66B5FD0A5B29@SG2PR01MB4363.apcprd01.prod.exchangelabs.com> [Hostname=SG2PR01MB4363.apcprd01.prod.exchangelabs.com]", "SG2PR01MB436374B1057F304AB66B5FD0A5B29@SG2PR01MB4363.apcprd01.prod.exchangelabs.com"},
	{"SES", "Ok 0102018c2f3e4d5a-11112222-3333-4444-5555-666677778888-000000", "0102018c2f3e4d5a-11112222-3333-4444-5555-666677778888-000000"},
	{"sendmail", "5AO0123x012345 Message accepted for delivery", "5AO0123x012345"},
	{"OpenSMTPD", "4f8a1b2c Message accepted for delivery", "4f8a1b2c"},
	{"Haraka", "Message Queued (6A1B2C3D-4E5F-6789.1)", "6A1B2C3D-4E5F-6789.1"},
	{"Brevo", "OK: queued as <202511240101.12345@smtp-relay.example.com>", "202511240101.12345@smtp-relay.example.com"},
	{"Stalwart", "Message queued with id 7b2c1d.", "7b2c1d"},
	{"KumoMTA", "OK ids=9fbc1a2b3c4d", "9fbc1a2b3c4d"},
	{"Dovecot", "<bob@example.net> OSpqC1/LCWtCawAAg+zDdQ:T7 Saved", "OSpqC1/LCWtCawAAg+zDdQ:T7"},
	{"Dovecot, first", "<bob@example.net> OSpqC1/LCWtCawAAg+zDdQ Saved", "OSpqC1/LCWtCawAAg+zDdQ"},
	{"Mailgun", "Great success", ""},
	{"plain", "Ok", ""},
	{"thanks", "Ok Thanks", ""},
	{"nothing", "", ""},
	{"a dot", "Ok: queued as .", ""},
}

func TestQueueIDsOfServers(t *testing.T) {
	t.Parallel()
	for _, test := range queueIDs {
		if got := smtp.QueueID(test.text); got != test.want {
			t.Errorf("%s: %q: %q, want %q", test.server, test.text, got, test.want)
		}
	}
}

func FuzzQueueID(f *testing.F) {
	for _, test := range queueIDs {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id := smtp.QueueID(text)
		if !strings.Contains(text, id) || strings.ContainsAny(id, " <>()\r\n\x00") {
			t.Errorf("%q from %q", id, text)
		}
	})
}
