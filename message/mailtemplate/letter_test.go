package mailtemplate_test

import (
	"os"
	"testing"

	"github.com/kaizenmail/kaizen/message/mailtemplate"
)

// letter is a template as people write them: layout, partial, style sheet.
func letter(t testing.TB, change func(*mailtemplate.Source)) *mailtemplate.Template {
	t.Helper()
	source, err := mailtemplate.Read(os.DirFS("testdata/letter"))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&source)
	}
	tm, err := mailtemplate.New(source)
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

// row is data for the letter, as a line of JSON would give it.
func row() map[string]any {
	return map[string]any{
		"id": "c-4711", "name": "Ann O'Neil", "email": "ann+books@example.com", "order": "TB-20418",
		"ordered": "2026-01-31", "street": "1 Sand & Shell Lane", "town": "Porthaven", "total": 61.4,
		"items": []any{
			map[string]any{"isbn": "9780571", "title": "Tarka the Otter", "author": "Henry Williamson", "price": 12.5},
			map[string]any{"isbn": "9781784", "title": "The Sea, the Sea", "author": "Iris Murdoch", "price": 18.9},
			map[string]any{"isbn": "9780008", "title": "Dictionary of “Winds” <2nd>", "author": "Lyall Watson", "price": "30"},
		},
	}
}

func BenchmarkRender(b *testing.B) {
	for name, change := range map[string]func(*mailtemplate.Source){
		"KeepCSS":    func(s *mailtemplate.Source) { s.KeepCSS, s.Text = true, "Dear {{.name}}" },
		"Inline":     func(s *mailtemplate.Source) { s.Text = "Dear {{.name}}" },
		"InlineText": nil,
	} {
		b.Run(name, func(b *testing.B) {
			tm, data := letter(b, change), row()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tm.Render(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
