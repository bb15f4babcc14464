package corpus

import (
	"strings"

	"github.com/kaizenmail/kaizen/message"
)

// textCases puts each hard text wherever a message takes one.
func textCases() (cases []Case) {
	for _, hard := range texts() {
		cases = append(cases, with("text/"+hard.name, func(m *message.Message) {
			m.Subject, m.Text, m.HTML = hard.text, hard.text, "<p>"+hard.text+"</p>\n"
			m.From = named(hard.text, "ann@example.com")
			m.To = []string{named(hard.text, "bob@example.org"), "cy@example.net", named(hard.text, "di@example.org")}
			m.Header = []message.Field{{Name: "X-Text", Value: hard.text}}
			m.Attachments = []message.Attachment{
				{Name: hard.text, ContentType: "application/x-hard", Data: []byte(hard.text)},
				{Name: hard.text + ".txt", ContentType: "text/plain; charset=utf-8", Data: []byte(hard.text)},
			}
		}))
	}
	return cases
}

type hardText struct{ name, text string }

func texts() []hardText {
	return []hardText{
		{"plain", "Good morning"},
		{"umlauts", "Grüße aus Zürich, à bientôt"},
		{"one-umlaut", "ü"},
		{"emoji", "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 👍🏽 skin 🇨🇭 region 1️⃣ keycap 🏴󠁧󠁢󠁥󠁮󠁧󠁿 tags"},
		{"emoji-only", strings.Repeat("👩‍👩‍👧‍👦", 20)},
		{"astral", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𠀀𪚥 \U0010FFFD"},
		{"hebrew", "שלום עולם, מה שלומך היום?"},
		{"arabic", "مرحبا بالعالم \u2067مكس mixed نص\u2069 \u200fنهاية"},
		{"right-to-left-long", strings.Repeat("שלום עולם ", 30) + "סוף"},
		{"right-to-left-override", "annex-\u202efdp.exe"},
		{"combining", "Zoe\u0308 A\u030a\u0301 ก็ नमस्ते हिन्दी 각 각"},
		{"combining-endless", "Z" + strings.Repeat("\u0300\u0323\u035c", 40) + "!"},
		{"japanese", "日本語の件名はとても長いので途中で折り返さなければなりません。カタカナと漢字、ひらがな。"},
		{"chinese-long", strings.Repeat("改善郵件", 60)},
		{"cyrillic", "Съешь же ещё этих мягких французских булок, да выпей чаю"},
		{"encoded-word", "=?utf-8?q?a?= =?utf-8?b?Yg==?="},
		{"encoded-word-part", "what=?really ?= =?utf-8?q?open =?"},
		{"encoded-word-umlaut", "=?utf-8?q?=C3=BC?= ü =?x?="},
		{"specials", `a "b" \c, (d) <e@f.example>; g: [h] @i`},
		{"quotes", `She said "no\yes" \\ "" \"`},
		{"quotes-umlaut", `Zoë "the \ boss", (CEO) <x>`},
		{"unbalanced", `)( "`},
		{"apostrophes", "it's l''été en-US'en'x"},
		{"apostrophes-plain", "it's utf-8''x"},
		{"percent", "100%25 %41%C3%BC %"},
		{"semicolon", `semi;colon="x"; filename=y`},
		{"spaces-around", "  two  spaces  each  "},
		{"spaces-umlaut", "  zwei  Leerschläge  für  alle  "},
		{"only-spaces", "   "},
		{"tabs", "a\tb\t\tc"},
		{"controls", "bell \a escape \x1b[31m delete \x7f"},
		{"separators", "nel\u0085 line\u2028 paragraph\u2029 vt\v ff\f fs\x1c end"},
		{"invisible", "\ufeffbom zero\u200bwidth nbsp\u00a0 soft\u00adhyphen wj\u2060"},
		{"noncharacters", "\ufffd \uffff \ue000 \U0001FFFE"},
		{"underscores", "a_b =5F_ü_"},
		{"question-marks", "Warum? Ähm?=?= ja??="},
		{"998-octets", strings.Repeat("x", 998)},
		{"2000-octets", strings.Repeat("0123456789", 200)},
		{"2000-umlauts", strings.Repeat("äöü", 667)},
		{"words-long", strings.Repeat("seven eight ", 90) + "end"},
		{"words-then-long", "Short words and " + strings.Repeat("L", 120) + " and short again"},
		{"words-umlaut-late", strings.Repeat("plain words ", 15) + "grün"},
		{"dot", "."},
		{"leading-dot", ".htaccess"},
		{"from", "From here to there"},
		{"comma", "Lee, Ann"},
		{"address", "ann@example.com"},
		{"period", "Dr. Ann B. Lee Jr."},
		{"slashes", `../../etc/passwd C:\autoexec.bat`},
		{"dashes", "--"},
		{"html", "<b>&amp; &lt;ü</b>"},
	}
}
