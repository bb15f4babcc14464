package corpus

import (
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/message"
)

func headerCases() []Case {
	return []Case{
		with("header/no-subject", func(m *message.Message) { m.Subject = "" }),
		with("header/folds-ascii", func(m *message.Message) { m.Header = foldSweep("a") }),
		with("header/folds-umlaut", func(m *message.Message) { m.Header = foldSweep("ü") }),
		with("header/folds-emoji", func(m *message.Message) { m.Header = foldSweep("👍🏽") }),
		with("header/folds-words", func(m *message.Message) { m.Header = wordSweep("word") }),
		with("header/folds-words-umlaut", func(m *message.Message) { m.Header = wordSweep("für") }),
		with("header/fields", func(m *message.Message) {
			m.Header = []message.Field{
				{Name: "X-B", Value: "1"}, {Name: "X-A", Value: ""}, {Name: "x-b", Value: "zwölf"}, {Name: "X-B", Value: "3"},
				{Name: "X-" + strings.Repeat("N", 74), Value: strings.Repeat("long name ", 20) + "end"},
				{Name: "X-" + strings.Repeat("M", 40), Value: strings.Repeat("ö", 80)},
				{Name: "Feedback-ID", Value: "a:b:c"}, {Name: "X!#$%&'*+^_`{|}~", Value: "odd name"},
			}
		}),
		with("header/known-fields", func(m *message.Message) {
			m.Header = []message.Field{
				{Name: "Organization", Value: "Bücher & Söhne"}, {Name: "Keywords", Value: "eins, zwei"},
				{Name: "Comments", Value: "(not a comment)"}, {Name: "Auto-Submitted", Value: "auto-generated"},
				{Name: "Precedence", Value: "bulk"},
			}
		}),
		with("header/message-id-long", func(m *message.Message) {
			m.MessageID = "<" + strings.Repeat("0123456789", 20) + "@" + strings.Repeat("label.", 20) + "example>"
		}),
		with("header/message-id-odd", func(m *message.Message) { m.MessageID = "<$a+b=c/%d!e.f@[127.0.0.1]>" }),
		with("header/date-west", func(m *message.Message) {
			m.Date = time.Date(1999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -(9*60*60+30*60)))
		}),
		with("header/date-far", func(m *message.Message) { m.Date = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC) }),
	}
}

// foldSweep has values whose last word ends at, before and after every column
// where a line could be broken.
func foldSweep(letter string) (fields []message.Field) {
	for n := 50; n <= 90; n++ {
		letters := strings.Repeat(letter, n/len(letter)+1)
		fields = append(fields, message.Field{Name: fmt.Sprintf("X-Fold-%d", n), Value: letters + " tail " + letters})
	}
	return fields
}

// wordSweep moves the spaces between words over every column.
func wordSweep(word string) (fields []message.Field) {
	for n := range 20 {
		value := strings.Repeat("i", n) + strings.Repeat(" "+word, 40)
		fields = append(fields, message.Field{Name: fmt.Sprintf("X-Words-%d", n), Value: strings.TrimSpace(value)})
	}
	return fields
}
