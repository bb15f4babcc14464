package corpus

import (
	"fmt"
	"net/mail"
	"strings"

	"github.com/kaizenmail/kaizen/message"
)

// named writes a mailbox as a program would.
func named(name, address string) string {
	return (&mail.Address{Name: name, Address: address}).String()
}

func addressCases() []Case {
	return []Case{
		with("address/all-fields", func(m *message.Message) {
			m.From, m.Sender = "Zoë Größe <zoe@example.com>", "The Office <office@example.com>"
			m.ReplyTo = []string{"desk@example.com", named("Hilfe, sofort", "help@example.com")}
			m.Cc = []string{named("Ann (the other)", "ann@example.net"), "מישהו <someone@example.org>"}
			m.Bcc = []string{"Secret <secret@hidden.example>", "bob@example.org"}
		}),
		with("address/bcc-only", func(m *message.Message) { m.To, m.Bcc = nil, []string{"secret@hidden.example"} }),
		with("address/cc-only", func(m *message.Message) { m.To, m.Cc = nil, []string{"cy@example.org"} }),
		with("address/hundred", func(m *message.Message) { m.To, m.Cc = hundred("to"), hundred("cc") }),
		with("address/quoted-local-parts", func(m *message.Message) {
			m.To = []string{
				`"a b"@example.com`, `"a@b"@example.com`, `"a\"b"@example.com`, `"a\\b"@example.com`, `"a,b"@example.com`,
				`Space <"a b"@example.com>`, `"two..dots"@example.com`, `".dot"@example.com`, `"(),:;[]"@example.com`,
			}
		}),
		with("address/odd-local-parts", func(m *message.Message) {
			m.To = []string{"a+b=c@example.com", "!#$%&'*/?^_`{|}~@example.com", "x.y-z_0@example.com", "=?a?=@example.com"}
		}),
		with("address/international-domains", func(m *message.Message) {
			m.From = "Zoë <zoe@bücher.example>"
			m.To = []string{"kanji@例え.テスト", "שלום <shalom@דוגמה.טעסט>", "sharp@straße.example", "emoji@i❤.example"}
		}),
		with("address/utf8-local-parts", func(m *message.Message) {
			m.From = "Zoë <zoë@example.com>"
			m.To = []string{"用户@例え.テスト", "אני <אני@דוגמה.טעסט>", `"ü ü"@example.com`}
		}),
		with("address/literals", func(m *message.Message) {
			m.To = []string{"a@[127.0.0.1]", "c@localhost"}
		}),
		with("address/long", func(m *message.Message) {
			long := strings.Repeat("l", 64) + "@" + strings.Repeat(strings.Repeat("d", 60)+".", 3) + "com"
			m.From, m.To = named("Ann", long), []string{long, named(strings.Repeat("Name ", 12)+"end", long), named(strings.Repeat("ü", 60), long)}
		}),
		with("address/name-lengths", func(m *message.Message) {
			m.To, m.Cc = nil, nil
			for n := range 50 {
				m.To = append(m.To, named(strings.Repeat("n", n+20), "a@example.com"), named(strings.Repeat("x ", n)+"(y)", "b@example.com"))
				m.Cc = append(m.Cc, named(strings.Repeat("ü", n+1), "c@example.com"))
			}
		}),
	}
}

func hundred(kind string) (list []string) {
	for i := range 50 {
		list = append(list,
			named(fmt.Sprintf("Empfänger Nummer %d", i), fmt.Sprintf("%s%d@example.org", kind, i)),
			fmt.Sprintf("%s-plain%d@example.org", kind, i))
	}
	return list
}
