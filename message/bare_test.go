package message_test

import (
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

// An address that needs no parser comes out as the parser would have it.
func TestBareAddressesAreReadAsInBrackets(t *testing.T) {
	t.Parallel()
	for _, a := range []string{"ann@example.com", "a.b+c@sub.example.co.uk", "x_y=z@example.com", "#!$%&'*/?^`{|}~-@example.com",
		"ann@localhost", "Ann@EXAMPLE.com", "ann@exa_mple.com", "ann@-example.com", "ann@xn--bcher-kva.example"} {
		bare := message.Message{From: a, To: []string{a}, Subject: "s", Text: "t"}
		inBrackets := message.Message{From: "<" + a + ">", To: []string{"<" + a + ">"}, Subject: "s", Text: "t"}
		got, gotErr := bare.Envelope()
		want, wantErr := inBrackets.Envelope()
		if (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s: %v, in brackets %v", a, gotErr, wantErr)
			continue
		}
		if gotErr == nil && (got.From != want.From || got.To[0] != want.To[0]) {
			t.Errorf("%s: %v, in brackets %v", a, got, want)
		}
	}
	for _, a := range []string{"ann@", "@example.com", "ann@@example.com", "ann@example.com.", "ann", "a..b@example.com", "ann@example.com\r\n"} {
		if _, err := (&message.Message{From: a, To: []string{"bob@example.net"}, Text: "t"}).Envelope(); err == nil {
			t.Errorf("%q was taken", a)
		}
	}
}
