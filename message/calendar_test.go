package message_test

import (
	"bytes"
	"errors"
	"mime"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

const invitation = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1@example.com\r\n" +
	"SUMMARY:Grü\r\n ße\r\nDTSTART:20260102T150000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func TestInvitation(t *testing.T) {
	t.Parallel()
	m := simple()
	m.HTML = `<img src="cid:x">`
	m.Calendar.Text = strings.ReplaceAll(invitation, "\r\n", "\n")
	m.Attachments = []message.Attachment{{Name: "x.png", ContentID: "x", Data: []byte("png")}, {Name: "a.pdf", Data: []byte("pdf")}}
	_, parts := parse(t, write(t, m))
	if len(parts) != 6 {
		t.Fatalf("%d parts", len(parts))
	}
	checkLeaf(t, parts[0], "mixed/alternative/", "text/plain", "Hello\r\n")
	checkLeaf(t, parts[1], "mixed/alternative/related/", "text/html", m.HTML)
	checkLeaf(t, parts[3], "mixed/alternative/", "text/calendar", invitation)
	checkLeaf(t, parts[4], "mixed/", "application/pdf", "pdf")
	checkLeaf(t, parts[5], "mixed/", "application/ics", invitation)
	_, parameters, err := mime.ParseMediaType(parts[3].header.Get("Content-Type"))
	if err != nil || parameters["method"] != "REQUEST" || parameters["charset"] != "utf-8" {
		t.Errorf("parameters %v, %v", parameters, err)
	}
	if parts[3].name != "" || parts[5].name != "invite.ics" {
		t.Errorf("files are called %q and %q", parts[3].name, parts[5].name)
	}
}

func TestInvitationAlone(t *testing.T) {
	t.Parallel()
	m := simple()
	m.Text = ""
	m.Calendar = message.Calendar{Text: invitation, Method: "request", Name: "Einladung für Bob.ics"}
	_, parts := parse(t, write(t, m))
	if len(parts) != 2 {
		t.Fatalf("%d parts", len(parts))
	}
	checkLeaf(t, parts[0], "mixed/", "text/calendar", invitation)
	checkLeaf(t, parts[1], "mixed/", "application/ics", invitation)
	if parts[1].name != m.Calendar.Name {
		t.Errorf("the file is called %q", parts[1].name)
	}
}

func TestCalendarMethods(t *testing.T) {
	t.Parallel()
	const event = "BEGIN:VEVENT\nMETHOD:inside\nEND:VEVENT\nEND:VCALENDAR"
	for text, want := range map[string]string{
		"BEGIN:VCALENDAR\nMETHOD:CANCEL\n" + event:                              "CANCEL",
		"begin:vcalendar\nmethod:reply\n" + event:                               "REPLY",
		"BEGIN:VCALENDAR\nMETHOD;X-A=\"a:b;c\";X-B=d:COUNTER\n" + event:         "COUNTER",
		"BEGIN:VCALENDAR\nMET\n HOD:DECLINE\n\tCOUNTER\n" + event:               "DECLINECOUNTER",
		"BEGIN:VCALENDAR\rMETHOD:ADD\r" + event:                                 "ADD",
		"BEGIN:VCALENDAR\nSUMMARY:gr\xc3\n \xbc\xc3\n \x9f\nMETHOD:X\n" + event: "X",
		"BEGIN:VCALENDAR\n" + event + "\nMETHOD:LATE":                           "",
		"BEGIN:VCALENDAR\n" + event:                                             "",
		"BEGIN:VCALENDAR\nMETHOD:\n" + event:                                    "",
		"BEGIN:VCALENDAR\nMETHOD:A\nMETHOD:B\n" + event:                         "",
		"BEGIN:VCALENDAR\nMETHOD:A B\n" + event:                                 "",
		"BEGIN:VCALENDAR\nMETHOD:A;x=\"\n" + event:                              "",
		"BEGIN:VCALENDAR\nMETHOD:A\n":                                           "",
		"BEGIN:VEVENT\nMETHOD:A\nEND:VEVENT":                                    "",
		"BEGIN:VCALENDAR\nMETHOD:A\nSUMMARY:\xff\nEND:VCALENDAR":                "",
		"Dear Bob": "",
		"\n":       "",
	} {
		m := simple()
		m.Calendar.Text = text
		var b bytes.Buffer
		_, err := m.WriteTo(&b)
		if want != "" && (err != nil || !strings.Contains(b.String(), "text/calendar; method="+want+"; charset=utf-8\r\n")) {
			t.Errorf("%q: %v\n%s", text, err, b.String())
		}
		var refusal *message.Error
		if want == "" && (!errors.As(err, &refusal) || refusal.Field != "Calendar.Text") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzCalendar: a calendar is refused, or goes out octet for octet under a
// method that can stand in a header.
func FuzzCalendar(f *testing.F) {
	f.Add(invitation)
	f.Add("BEGIN:VCALENDAR\nMETHOD;X=\":\":A\nEND:VCALENDAR")
	f.Add("BEGIN:VCALENDAR\nBEGIN:VEVENT\nMETHOD:A\nEND:VEVENT\nEND:VCALENDAR")
	f.Fuzz(func(t *testing.T, text string) {
		m := simple()
		m.Calendar.Text = text
		var b bytes.Buffer
		if _, err := m.WriteTo(&b); err != nil || text == "" {
			return
		}
		checkLines(t, b.Bytes())
		_, parts := parse(t, b.Bytes())
		want := strings.NewReplacer("\r\n", "\r\n", "\n", "\r\n", "\r", "\r\n").Replace(text)
		checkLeaf(t, parts[1], "mixed/alternative/", "text/calendar", want)
		checkLeaf(t, parts[2], "mixed/", "application/ics", want)
	})
}
