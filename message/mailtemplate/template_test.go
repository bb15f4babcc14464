package mailtemplate_test

import (
	"testing"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/message/mailtemplate"
)

func TestRender(t *testing.T) {
	t.Parallel()
	tm, err := mailtemplate.New(mailtemplate.Source{
		Subject: "Your order, {{.name}}\n",
		Text:    "Dear {{.name}}",
		HTML:    "<p>Dear {{.name}}</p>",
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := tm.Render(map[string]any{"name": "Ann & Bob"})
	if err != nil {
		t.Fatal(err)
	}
	var m message.Message
	r.Fill(&m)
	if m.Subject != "Your order, Ann & Bob" || m.Text != "Dear Ann & Bob" || m.HTML != "<p>Dear Ann &amp; Bob</p>" {
		t.Errorf("%+v", r)
	}
}
