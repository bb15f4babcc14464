package mailtemplate_test

import (
	"fmt"
	"os"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/message/mailtemplate"
)

func Example() {
	t, err := mailtemplate.New(mailtemplate.Source{
		Subject:    `Your order, {{.name}}`,
		HTML:       `<p>Dear {{.name}},</p><p><a href="https://shop.example/{{.order}}">Order {{.order}}</a> is on its way.</p>`,
		HTMLLayout: `<style>p { color: #222 } a:hover { color: red }</style>{{template "content" .}}`,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := t.Render(map[string]any{"name": "Ann & Bob", "order": 4711})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := message.Message{From: "shop@example.com", To: []string{"ann@example.org"}}
	r.Fill(&m)
	fmt.Println(m.Subject)
	fmt.Println(m.HTML)
	fmt.Print(m.Text)
	// Output:
	// Your order, Ann & Bob
	// <style>
	// a:hover { color: red }
	// </style><p style="color: #222">Dear Ann &amp; Bob,</p><p style="color: #222"><a href="https://shop.example/4711">Order 4711</a> is on its way.</p>
	// Dear Ann & Bob,
	//
	// Order 4711 (https://shop.example/4711) is on its way.
}

func ExampleRead() {
	source, err := mailtemplate.Read(os.DirFS("testdata/letter"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(source.Subject)
	for name := range source.Partials {
		fmt.Println(name)
	}
	// Output:
	// Your order {{.order}}, {{.name}}
	// foot.html
}

func ExampleSource_Line() {
	to, err := mailtemplate.Source{}.Line("To", `{{.name | title}} <{{.email}}>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(to.Render(map[string]string{"name": "ann lee", "email": "ann@example.com"}))
	fmt.Println(to.Render(map[string]string{"name": "ann\nBcc: all", "email": "ann@example.com"}))
	// Output:
	// Ann Lee <ann@example.com> <nil>
	//  mailtemplate: To: renders to more than one line (or holds NUL)
}

func ExampleTemplate_Render_missing() {
	t, err := mailtemplate.New(mailtemplate.Source{Text: "Dear {{.name}},\nyour seller is {{default \"one of us\" .seller}}, your key {{.key}}."})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = t.Render(map[string]any{"name": "Ann"})
	fmt.Println(err)
	// Output:
	// mailtemplate: body.txt line 2: map has no entry for key "key"
}

func ExampleInlineCSS() {
	html, err := mailtemplate.InlineCSS(`<style>.big { width: 600px } @media (max-width: 600px) { .big { width: 100% } }</style><p class="big">Hi</p>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(html)
	// Output:
	// <style>
	// @media (max-width: 600px) {
	// .big { width: 100% !important }
	// }
	// </style><p style="width: 600px" class="big">Hi</p>
}

func ExampleTextFromHTML() {
	text, err := mailtemplate.TextFromHTML(`<h1>Tides</h1><ul><li>High: <b>6:12</b></li><li>Low: 12:30</li></ul><p><a href="https://tides.example">All week</a></p>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(text)
	// Output:
	// Tides
	//
	// - High: 6:12
	// - Low: 12:30
	//
	// All week (https://tides.example)
}
