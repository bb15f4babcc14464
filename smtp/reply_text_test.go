package smtp_test

import (
	"encoding/json"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// Replies are kept on disk: what is written must be read again.
func TestReplyAsJSON(t *testing.T) {
	t.Parallel()
	for _, r := range []smtp.Reply{
		{},
		{Code: 250, Text: "ok"},
		{Code: 451, Enhanced: smtp.EnhancedCode{4, 7, 500}, Text: "busy\nsay it again"},
		{Code: 535, Enhanced: smtp.EnhancedCode{5, 7, 8}, Text: ""},
	} {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back smtp.Reply
		if err := json.Unmarshal(b, &back); err != nil || back != r {
			t.Errorf("%s: %+v, %v", b, back, err)
		}
	}
	for _, bad := range []string{"5", "5.7", "5.7.8.9", "5.7.8 x", "x.1.1", "3.1.1", "5.7.12345", " 5.1.1"} {
		var e smtp.EnhancedCode
		if err := e.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q: read as %v", bad, e)
		}
	}
	var c smtp.Class
	if err := c.UnmarshalText([]byte("rate")); err != nil || c != smtp.ClassRate {
		t.Errorf("%v, %v", c, err)
	}
	if err := c.UnmarshalText([]byte("rates")); err == nil {
		t.Error("a class that is none")
	}
}
