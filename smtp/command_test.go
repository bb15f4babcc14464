package smtp_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

func full() smtp.Capabilities {
	return smtp.Capabilities{Pipelining: true, Chunking: true, BinaryMIME: true, EightBitMIME: true,
		SMTPUTF8: true, DSN: true, RequireTLS: true, Size: true}
}

func TestAppendMail(t *testing.T) {
	t.Parallel()
	plain := smtp.Capabilities{}
	tests := []struct {
		name     string
		envelope smtp.Envelope
		params   smtp.MailParams
		want     string
	}{
		{"plain", smtp.Envelope{From: "a@example.com"}, smtp.MailParams{Caps: plain, Size: 12}, "MAIL FROM:<a@example.com>"},
		{"null", smtp.Envelope{}, smtp.MailParams{Caps: plain, Size: -1}, "MAIL FROM:<>"},
		{"size", smtp.Envelope{From: "a@example.com"}, smtp.MailParams{Caps: full(), Size: 12}, "MAIL FROM:<a@example.com> SIZE=12"},
		{"size unknown", smtp.Envelope{From: "a@example.com"}, smtp.MailParams{Caps: full(), Size: -1}, "MAIL FROM:<a@example.com>"},
		{"body", smtp.Envelope{From: "a@example.com"}, smtp.MailParams{Caps: full(), Size: -1, Body: "BINARYMIME"}, "MAIL FROM:<a@example.com> BODY=BINARYMIME"},
		{"all", smtp.Envelope{From: "ä@example.com", Return: smtp.ReturnHeaders, EnvelopeID: "a+b =c", RequireTLS: true},
			smtp.MailParams{Caps: full(), Size: 0, Body: "8BITMIME", UTF8: true},
			"MAIL FROM:<ä@example.com> SIZE=0 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=a+2Bb+20+3Dc"},
		{"wishes dropped", smtp.Envelope{From: "a@example.com", Return: smtp.ReturnFull, EnvelopeID: "x"},
			smtp.MailParams{Caps: plain, Size: -1}, "MAIL FROM:<a@example.com>"},
		{"domain as A-label", smtp.Envelope{From: "a@Bücher.example"}, smtp.MailParams{Caps: full(), Size: -1}, "MAIL FROM:<a@xn--bcher-kva.example>"},
		{"domain as U-label", smtp.Envelope{From: "ä@Bücher.example"}, smtp.MailParams{Caps: full(), Size: -1, UTF8: true}, "MAIL FROM:<ä@bücher.example> SMTPUTF8"},
		{"quoted", smtp.Envelope{From: `"a b@\"c"@[127.0.0.1]`}, smtp.MailParams{Caps: plain, Size: -1}, `MAIL FROM:<"a b@\"c"@[127.0.0.1]>`},
		{"v6", smtp.Envelope{From: `a@[IPv6:::1]`}, smtp.MailParams{Caps: plain, Size: -1}, `MAIL FROM:<a@[IPv6:::1]>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := smtp.AppendMail([]byte("RSET\r\n"), &tt.envelope, tt.params)
			if err != nil || string(got) != "RSET\r\n"+tt.want+"\r\n" {
				t.Fatalf("got  %q, %v\nwant %q", got, err, tt.want)
			}
		})
	}
}

func TestAppendMailRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		envelope smtp.Envelope
		params   smtp.MailParams
		want     error
	}{
		{"REQUIRETLS", smtp.Envelope{RequireTLS: true}, smtp.MailParams{}, smtp.ClassTLS},
		{"8BITMIME", smtp.Envelope{}, smtp.MailParams{Body: "8BITMIME"}, smtp.ClassContent},
		{"BINARYMIME", smtp.Envelope{}, smtp.MailParams{Body: "BINARYMIME"}, smtp.ClassContent},
		{"sender", smtp.Envelope{From: "ä@example.com"}, smtp.MailParams{UTF8: true}, smtp.ClassSender},
		{"recipient", smtp.Envelope{To: smtp.To("a@example.com", "ä@example.com")}, smtp.MailParams{UTF8: true}, smtp.ClassRecipient},
		{"header", smtp.Envelope{}, smtp.MailParams{UTF8: true}, smtp.ClassContent},
		{"forgotten", smtp.Envelope{From: "ä@example.com"}, smtp.MailParams{Caps: full()}, smtp.ClassSender},
	}
	for _, tt := range tests {
		got, err := smtp.AppendMail([]byte("x"), &tt.envelope, tt.params)
		if !errors.Is(err, tt.want) || string(got) != "x" {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

func TestAppendRcpt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		recipient smtp.Recipient
		caps      smtp.Capabilities
		want      string
	}{
		{smtp.Recipient{Address: "b@example.com"}, full(), "RCPT TO:<b@example.com>"},
		{smtp.Recipient{Address: "Postmaster"}, full(), "RCPT TO:<Postmaster>"},
		{smtp.Recipient{Address: "b@example.com", Notify: smtp.NotifyNever}, full(), "RCPT TO:<b@example.com> NOTIFY=NEVER"},
		{smtp.Recipient{Address: "b@example.com", Notify: smtp.NotifyNever, OriginalRecipient: "x@y"}, smtp.Capabilities{}, "RCPT TO:<b@example.com>"},
		{smtp.Recipient{Address: "b@example.com", Notify: smtp.NotifySuccess | smtp.NotifyDelay, OriginalRecipient: "c+d@example.com"},
			full(), "RCPT TO:<b@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+2Bd@example.com"},
		{smtp.Recipient{Address: "b@example.com", OriginalRecipient: "X400;/c=de"}, full(), "RCPT TO:<b@example.com> ORCPT=x400;/c+3Dde"},
		{smtp.Recipient{Address: "b@example.com", OriginalRecipient: `"a;b"@c`}, full(), `RCPT TO:<b@example.com> ORCPT=rfc822;"a;b"@c`},
		{smtp.Recipient{Address: "b@example.com", OriginalRecipient: `ä+\@c😀`}, full(), `RCPT TO:<b@example.com> ORCPT=utf-8;\x{E4}\x{2B}\x{5C}@c\x{1F600}`},
	}
	for _, tt := range tests {
		got, err := smtp.AppendRcpt(nil, &tt.recipient, smtp.MailParams{Caps: tt.caps})
		if err != nil || string(got) != tt.want+"\r\n" {
			t.Errorf("got  %q, %v\nwant %q", got, err, tt.want)
		}
	}
}

func TestEnvelopeValidate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 63)
	for _, address := range []string{"a@example.com", "ä@bücher.example", "a..b.@docomo.example", `"a b"@x_y.example`,
		"a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "o'neil+x=y@example.com", "x" + long + "@example.com"} {
		e := smtp.Envelope{From: address, To: smtp.To(address)}
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"a", "@example.com", "a@", "a b@example.com", "a@exa mple.com", "<a@example.com>",
		"a@example.com>", "a@example.com\r\nRCPT TO:<b@example.com>", "a@example.com\n", "a\x00@example.com", "a\x7f@b",
		"a\u0085b@c", "a\u2028b@c", "a\u3000b@c", "\xff@example.com", `"a@example.com`, `"a"b@example.com`, `"a<b"@example.com`,
		"a,b@example.com", "@r:a@example.com", "a@[1.2.3]", "a@[::1]", "a@[IPv6:1.2.3.4]", "a@[IPv6:fe80::1%eth0]", "a@[127.0.0.1",
		"a@-x.example", "a@x-.example", "a@x..example", "a@example.", "a@.example", "a@" + long + "x.example",
		long + "xx@example.com", "a@" + strings.Repeat(long+".", 4) + "example"} {
		for _, e := range []smtp.Envelope{{From: address, To: smtp.To("b@example.com")}, {To: smtp.To("b@example.com", address)}} {
			want := smtp.ClassSender
			if e.From == "" {
				want = smtp.ClassRecipient
			}
			err := e.Validate()
			if !errors.Is(err, want) || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("%q: got %v, want %v", address, err, want)
			}
		}
	}
}

func TestEnvelopeValidateOptions(t *testing.T) {
	t.Parallel()
	to := smtp.To("b@example.com")
	bad := []struct {
		envelope smtp.Envelope
		want     smtp.Class
		says     string
	}{
		{smtp.Envelope{}, smtp.ClassRecipient, "no recipients"},
		{smtp.Envelope{To: to, EnvelopeID: strings.Repeat("x", 101)}, smtp.ClassSender, "EnvelopeID"},
		{smtp.Envelope{To: to, EnvelopeID: "a\r\nb"}, smtp.ClassSender, "EnvelopeID"},
		{smtp.Envelope{To: to, Return: 9}, smtp.ClassSender, "Return"},
		{smtp.Envelope{To: []smtp.Recipient{{Address: "b@example.com", Notify: smtp.NotifyNever | smtp.NotifyDelay}}}, smtp.ClassRecipient, "NotifyNever"},
		{smtp.Envelope{To: []smtp.Recipient{{Address: "b@example.com", OriginalRecipient: "x\ny"}}}, smtp.ClassRecipient, "OriginalRecipient"},
		{smtp.Envelope{To: []smtp.Recipient{{Address: "b@example.com", OriginalRecipient: "rfc822;"}}}, smtp.ClassRecipient, "OriginalRecipient"},
		{smtp.Envelope{To: []smtp.Recipient{{Address: "b@example.com", OriginalRecipient: "x400;ä"}}}, smtp.ClassRecipient, "OriginalRecipient"},
	}
	for _, tt := range bad {
		err := tt.envelope.Validate()
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("got %v, want %v with %q", err, tt.want, tt.says)
		}
	}
	if err := (&smtp.Envelope{To: to}).Validate(); err != nil {
		t.Errorf("null reverse-path: %v", err)
	}
}

func TestCheckArgument(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{"mail.example.com", "[127.0.0.1]", "[IPv6:::1]", "under_score"} {
		if err := smtp.CheckArgument("LocalName", ok); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "a b", "a\r\nMAIL", "a\x00", "a>", "ä.example"} {
		if err := smtp.CheckArgument("LocalName", bad); err == nil || !strings.Contains(err.Error(), "LocalName") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCommandsAllocateNothing(t *testing.T) { // not parallel: it counts allocations
	e := smtp.Envelope{From: "sender@example.com", To: smtp.To("recipient@example.com"), EnvelopeID: "x"}
	p := smtp.MailParams{Caps: full(), Size: 1 << 20, Body: "8BITMIME"}
	buf := make([]byte, 0, 1024)
	n := testing.AllocsPerRun(100, func() {
		b, _ := smtp.AppendMail(buf, &e, p)
		_, _ = smtp.AppendRcpt(b, &e.To[0], p)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = e.Validate() }); n != 0 {
		t.Errorf("Validate: %v allocations", n)
	}
}

func FuzzCommands(f *testing.F) {
	f.Add("a@example.com", "b@example.com", "id", "rfc822;c@example.com", uint8(1), uint8(3), true)
	f.Add(`"a b"@bücher.example`, "ä@[IPv6:::1]", "a+b", "ä", uint8(2), uint8(8), false)
	f.Add("a@b\r\nDATA", "Postmaster", "\n", ">", uint8(9), uint8(200), true)
	f.Fuzz(func(t *testing.T, from, to, id, original string, ret, notify uint8, utf8 bool) {
		e := smtp.Envelope{From: from, EnvelopeID: id, Return: smtp.Return(ret), RequireTLS: utf8,
			To: []smtp.Recipient{{Address: to, OriginalRecipient: original, Notify: smtp.Notify(notify)}}}
		p := smtp.MailParams{Caps: full(), Size: 1 << 62, Body: "BINARYMIME", UTF8: utf8}
		valid := e.Validate() == nil
		mail, mailErr := smtp.AppendMail(nil, &e, p)
		rcpt, rcptErr := smtp.AppendRcpt(nil, &e.To[0], p)
		if valid && (mailErr != nil || rcptErr != nil) && (utf8 || !smtp.EnvelopeNeedsUTF8(&e)) {
			t.Fatalf("valid, but %v, %v", mailErr, rcptErr)
		}
		if !valid && mailErr == nil && rcptErr == nil {
			t.Fatalf("not valid: %v, but %q %q", e.Validate(), mail, rcpt)
		}
		checkCommand(t, mail, mailErr, "MAIL FROM:<", 512+400, utf8)
		checkCommand(t, rcpt, rcptErr, "RCPT TO:<", 512+12*500, utf8)
	})
}

func checkCommand(t *testing.T, line []byte, err error, prefix string, limit int, utf8 bool) {
	t.Helper()
	if err != nil {
		if len(line) > 0 {
			t.Fatalf("%q left behind by %v", line, err)
		}
		return
	}
	body, ended := bytes.CutSuffix(line, []byte("\r\n"))
	if !ended || bytes.ContainsAny(body, "\r\n\x00") || len(line) > limit || !bytes.HasPrefix(line, []byte(prefix)) {
		t.Fatalf("%q", line)
	}
	if bytes.Count(body, []byte("<")) != 1 || bytes.Count(body, []byte(">")) != 1 {
		t.Fatalf("angle brackets in %q", line)
	}
	if !utf8 && bytes.ContainsFunc(body, func(r rune) bool { return r >= 0x80 }) {
		t.Fatalf("not ASCII: %q", line)
	}
}
