package message_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

// fieldsOf are the lines of a message's header, without those every message has.
func fieldsOf(t *testing.T, m *message.Message) string {
	t.Helper()
	header, _, _ := strings.Cut(string(write(t, m)), "\r\nMIME-Version")
	_, after, _ := strings.Cut(header, "\r\nMessage-ID: ")
	_, fields, _ := strings.Cut(after, "\r\n")
	return fields
}

func TestThread(t *testing.T) {
	t.Parallel()
	m := simple()
	m.InReplyTo = "2@example.org"
	if got := fieldsOf(t, m); got != "In-Reply-To: <2@example.org>\r\nReferences: <2@example.org>" {
		t.Errorf("got\n%s", got)
	}
	m.References = []string{"<1@example.org>", "2@example.org"}
	if got := fieldsOf(t, m); got != "In-Reply-To: <2@example.org>\r\nReferences: <1@example.org>\r\n <2@example.org>" {
		t.Errorf("got\n%s", got)
	}
	m.References = nil
	for i := range 100 {
		m.References = append(m.References, fmt.Sprintf("<%d.%s@example.org>", i, strings.Repeat("x", 300)))
	}
	parsed, _ := parse(t, write(t, m))
	if got := strings.Fields(parsed.Header.Get("References")); len(got) != 100 || got[99] != m.References[99] {
		t.Errorf("%d came back", len(got))
	}
}

func TestImportance(t *testing.T) {
	t.Parallel()
	for importance, want := range map[message.Importance]string{
		message.ImportanceNormal: "",
		message.ImportanceHigh:   "Importance: high\r\nX-Priority: 1 (Highest)",
		message.ImportanceLow:    "Importance: low\r\nX-Priority: 5 (Lowest)",
	} {
		m := simple()
		m.Importance = importance
		if got := fieldsOf(t, m); got != want {
			t.Errorf("%s: got\n%s", importance, got)
		}
	}
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	const page, post = "https://example.com/u?id=4%7C7", "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click"
	for want, given := range map[string]message.Unsubscribe{
		"":                                    {},
		"List-Unsubscribe: <" + page + ">":    {URL: page},
		"List-Unsubscribe: <mailto:u@ex.com>": {Mailto: "u@ex.com"},
		"List-Unsubscribe: <" + page + ">,\r\n <mailto:u@ex.com?subject=off>":      {URL: page, Mailto: "mailto:u@ex.com?subject=off"},
		"List-Unsubscribe: <" + page + ">" + post:                                  {URL: page, OneClick: true},
		"List-Unsubscribe: <" + page + ">,\r\n <mailto:u@ex.com>" + post:           {URL: page, Mailto: "u@ex.com", OneClick: true},
		"List-Unsubscribe: <https://example.com/" + strings.Repeat("x", 800) + ">": {URL: "https://example.com/" + strings.Repeat("x", 800)},
	} {
		m := simple()
		m.Unsubscribe = given
		if got := fieldsOf(t, m); got != want {
			t.Errorf("%+v: got\n%s", given, got)
		}
	}
}

// TestFieldsRefused are the ways in which the newer fields can be wrong.
func TestFieldsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		field string
		spoil func(m *message.Message)
	}{
		{"InReplyTo", func(m *message.Message) { m.InReplyTo = "1" }},
		{"InReplyTo", func(m *message.Message) { m.InReplyTo = "<1@a> <2@a>" }},
		{"References[1]", func(m *message.Message) { m.References = []string{"<1@a>", ""} }},
		{"References[0]", func(m *message.Message) { m.References = []string{strings.Repeat("x", 900) + "@a"} }},
		{"Importance", func(m *message.Message) { m.Importance = 3 }},
		{"Unsubscribe.URL", func(m *message.Message) { m.Unsubscribe.URL = "http://example.com/" }},
		{"Unsubscribe.URL", func(m *message.Message) { m.Unsubscribe.URL = "https:/example.com" }},
		{"Unsubscribe.URL", func(m *message.Message) { m.Unsubscribe.URL = "https://example.com/ü" }},
		{"Unsubscribe.URL", func(m *message.Message) { m.Unsubscribe.URL = "https://example.com/>,<mailto:eve@example.com" }},
		{"Unsubscribe.Mailto", func(m *message.Message) { m.Unsubscribe.Mailto = "nobody" }},
		{"Unsubscribe.Mailto", func(m *message.Message) { m.Unsubscribe.Mailto = "mailto:" }},
		{"Unsubscribe.Mailto", func(m *message.Message) { m.Unsubscribe.Mailto = "mailto:a%0d%0a@b" }},
		{"Unsubscribe.Mailto", func(m *message.Message) { m.Unsubscribe.Mailto = "a@b,c@d" }},
		{"Unsubscribe.Mailto", func(m *message.Message) { m.Unsubscribe.Mailto = "Ann <a@b>" }},
		{"Unsubscribe.OneClick", func(m *message.Message) { m.Unsubscribe = message.Unsubscribe{Mailto: "a@b", OneClick: true} }},
		{"Calendar.Text", func(m *message.Message) { m.Calendar.Method = "REQUEST" }},
		{"Calendar.Method", func(m *message.Message) { m.Calendar = message.Calendar{Text: invitation, Method: "CANCEL"} }},
		{"Header[0]", func(m *message.Message) { m.Header = []message.Field{{Name: "List-Unsubscribe", Value: "x"}} }},
		{"Header[0]", func(m *message.Message) { m.Header = []message.Field{{Name: "references", Value: "x"}} }},
	} {
		m := simple()
		test.spoil(m)
		checkRefused(t, m, test.field)
	}
}

// TestSameOctetsWithEverything writes a message with all there is.
func TestSameOctetsWithEverything(t *testing.T) {
	t.Parallel()
	m := simple()
	m.HTML, m.Calendar.Text = "<p>", invitation
	m.Attachments = []message.Attachment{message.AttachReaderAt("a", strings.NewReader("abc"), 3), {Name: "b", Data: []byte("b")}}
	m.InReplyTo, m.Importance = "1@a", message.ImportanceHigh
	m.Unsubscribe = message.Unsubscribe{URL: "https://example.com/", OneClick: true}
	first := write(t, m)
	if !bytes.Equal(write(t, m), first) {
		t.Error("two writings differ")
	}
}
