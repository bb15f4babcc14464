package corpus

import (
	"strings"

	"github.com/kaizenmail/kaizen/message"
)

// fieldCases are messages with a calendar, and those that belong to a thread or
// a mailing.
func fieldCases() []Case {
	return []Case{
		with("calendar/alone", func(m *message.Message) { m.Text, m.Calendar.Text = "", calendar("Umzug 🚚") }),
		with("calendar/text", func(m *message.Message) { m.Calendar.Text = calendar("Meeting") }),
		with("calendar/everything", func(m *message.Message) {
			m.HTML, m.Calendar = `<img src="cid:logo">`, message.Calendar{Text: calendar(strings.Repeat("長い", 100)), Name: "Termin für alle.ics"}
			m.Attachments = []message.Attachment{{Name: "a.pdf", Data: []byte("pdf")}, {Name: "logo.png", ContentID: "logo", Data: []byte("png")}}
		}),
		with("field/thread", func(m *message.Message) {
			m.InReplyTo, m.References = "<c@example.com>", []string{"<a@example.com>", "b@example.com", "<c@example.com>"}
		}),
		with("field/thread-default", func(m *message.Message) { m.InReplyTo = "c@example.com" }),
		with("field/thread-long", func(m *message.Message) {
			for _, letter := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
				m.References = append(m.References, "<"+strings.Repeat(letter, 60)+"@example.com>")
			}
			m.InReplyTo = m.References[25]
		}),
		with("field/important", func(m *message.Message) { m.Importance = message.ImportanceHigh }),
		with("field/unimportant", func(m *message.Message) { m.Importance = message.ImportanceLow }),
		with("field/unsubscribe", func(m *message.Message) {
			m.Unsubscribe = message.Unsubscribe{
				URL: "https://example.com/u?a=b&c=%C3%BC;" + strings.Repeat("x", 200), Mailto: "leave@example.com?subject=leave%20me", OneClick: true,
			}
		}),
		with("field/unsubscribe-mail", func(m *message.Message) { m.Unsubscribe.Mailto = "leave@example.com" }),
	}
}

func calendar(summary string) string {
	return strings.Join([]string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//corpus//EN", "METHOD:REQUEST", "BEGIN:VEVENT",
		"UID:1@corpus.example", "DTSTAMP:20260329T000000Z", "DTSTART:20260401T120000Z", "SUMMARY:" + summary, "END:VEVENT", "END:VCALENDAR", "",
	}, "\r\n")
}
