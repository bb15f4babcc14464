package message_test

import (
	"errors"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestDomains(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"ann@Example.COM":                "ann@Example.COM",
		"ann@bücher.example":             "ann@xn--bcher-kva.example",
		"Ann <ann@BÜCHER.Example>":       "ann@xn--bcher-kva.example",
		"ann@xn--bcher-kva.example":      "ann@xn--bcher-kva.example",
		"ann@faß.example":                "ann@xn--fa-hia.example",
		"ann@例え。jp":                      "ann@xn--r8jz45g.jp",
		"ann@שלום.example":               "ann@xn--9dbne9b.example",
		"zoë@bücher.example":             "zoë@xn--bcher-kva.example",
		`"z oë"@example.com`:             `"z oë"@example.com`,
		"ann@[192.0.2.1]":                "ann@[192.0.2.1]",
		"ann@example.com.":               "",
		"Ann <ann@example.com.>":         "",
		"ann@bücher。example。":            "",
		"ann@。":                          "",
		"ann@\u00ad.com":                 "", // a soft hyphen
		"ann@a..bücher":                  "",
		"ann@-ü.example":                 "",
		"ann@℀.example":                  "", // a sign that stands for "a/c"
		"ann@a_b.bücher":                 "",
		"ann@" + strings.Repeat("ü", 80): "",
	} {
		m := simple()
		m.To = []string{given}
		e, err := m.Envelope()
		if want != "" && (err != nil || e.To[0].Address != want) {
			t.Errorf("%q: %v, %v", given, e.To, err)
		}
		var refusal *message.Error
		if want == "" && (!errors.As(err, &refusal) || refusal.Field != "To[0]") {
			t.Errorf("%q: %v, %v", given, e.To, err)
		}
	}
	m := simple()
	m.From = "ann@example.com."
	if err := m.Prepare(); err == nil || !strings.Contains(err.Error(), "ends in a dot") {
		t.Errorf("%v", err)
	}
}

// TestServersOfAddressesBeyondASCII: an envelope with a local part that is not
// ASCII goes to servers with SMTPUTF8 alone, all else to every server.
func TestServersOfAddressesBeyondASCII(t *testing.T) {
	t.Parallel()
	without := slices.DeleteFunc(smtptest.DefaultExtensions(), func(s string) bool { return s == "SMTPUTF8" })
	for name, test := range map[string]struct {
		m      *message.Message
		utf8   bool // SMTPUTF8 is asked for
		needed bool // and nothing goes without it
	}{
		"domain and names": {&message.Message{From: "Zoë <ann@bücher.example>", To: []string{"Ünal <bob@例え.jp>"}, Subject: "Größe"}, false, false},
		"sender":           {&message.Message{From: "zoë@bücher.example", To: []string{"bob@example.org"}}, true, true},
		"to":               {&message.Message{From: "ann@example.com", To: []string{"ünal@example.org"}}, true, true},
		"bcc":              {&message.Message{From: "ann@example.com", Bcc: []string{"ünal@example.org"}}, true, true},
		"reply to":         {&message.Message{From: "ann@example.com", To: []string{"bob@example.org"}, ReplyTo: []string{"用户@例え.jp"}}, true, true},
	} {
		for _, extensions := range [][]string{smtptest.DefaultExtensions(), without} {
			server := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, KeepMessages: true, Extensions: extensions})
			defer server.Close()
			account := must(kaizen.ParseURL("smtp://" + server.Addr() + "?tls=none"))
			account.DialContext = server.DialContext
			_, err := kaizen.DialAndSend(t.Context(), account, test.m)
			offered := len(extensions) > len(without)
			if test.needed && !offered {
				if err == nil || !strings.Contains(err.Error(), "SMTPUTF8") || len(server.Messages()) > 0 {
					t.Errorf("%s, without SMTPUTF8: %v", name, err)
				}
				continue
			}
			if err != nil || len(server.Messages()) != 1 {
				t.Errorf("%s: %v", name, err)
				continue
			}
			arrived := server.Messages()[0]
			if _, asked := arrived.Params["SMTPUTF8"]; asked != (test.utf8 && offered) {
				t.Errorf("%s: MAIL has %v", name, arrived.Params)
			}
			parsed, _ := parse(t, arrived.Data)
			if list, err := parsed.Header.AddressList("From"); err != nil || list[0].Name != nameOf(t, test.m.From) {
				t.Errorf("%s: From is %v, %v", name, list, err)
			}
		}
	}
}

func nameOf(t *testing.T, address string) string {
	t.Helper()
	return must(mail.ParseAddress(address)).Name
}

// FuzzAddressList: what is written reads back the same with net/mail.
func FuzzAddressList(f *testing.F) {
	f.Add("Ann Lee", "ann@example.com", "", "bob@example.org")
	f.Add(`Smith, "J"`, `"a b"@bücher.example`, "דנה", "dana@שלום.example")
	f.Add(strings.Repeat("x", 80), "a@b", "=?utf-8?q?x?=", "用户@例え.jp")
	f.Fuzz(func(t *testing.T, name1, address1, name2, address2 string) {
		given := []mail.Address{{Name: name1, Address: address1}, {Name: name2, Address: address2}, {Name: name1, Address: address2}}
		m := simple()
		m.To = nil
		for _, a := range given {
			m.To = append(m.To, a.String())
		}
		envelope, err := m.Envelope()
		if err != nil {
			return
		}
		parsed, _ := parse(t, write(t, m))
		list, err := parsed.Header.AddressList("To")
		if err != nil || len(list) != len(given) {
			t.Fatalf("%q came back as %v, %v", m.To, list, err)
		}
		again := simple()
		again.To = nil
		for i, a := range list {
			read := must(mail.ParseAddress(m.To[i]))
			if a.Name != read.Name {
				t.Errorf("name %q came back as %q", read.Name, a.Name)
			}
			again.To = append(again.To, a.String())
		}
		if back, err := again.Envelope(); err != nil || !slices.Equal(back.To, envelope.To) {
			t.Errorf("envelope has %q, header %q (%v)", envelope.To, back.To, err)
		}
	})
}
