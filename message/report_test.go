package message_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

var reportDate = time.Date(2031, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600))

func openOriginal(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

const lostLetter = "From: Ann <ann@example.com>\r\nTo: bob@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" +
	"Message-ID: <2@example.com>\r\nReferences: <0@example.com>\r\n <1@example.com>\r\n\r\nHello\r\n"

func sampleReport() *message.Report {
	return &message.Report{
		From: "Mail delivery <mailer-daemon@example.com>", To: "ann@example.com", MTA: "relay.example.com",
		Date: reportDate, MessageID: "<r@example.com>",
		Original: message.Original{Arrived: reportDate.Add(-time.Hour), EnvelopeID: "E-7", Open: openOriginal(lostLetter)},
		Recipients: []message.Reported{{
			Recipient: smtp.Recipient{Address: "bob@example.net", OriginalRecipient: "rfc822;robert@example.net"},
			Reply:     smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1}, Text: "No such user\nTry later"},
			Server:    "mx.example.net", Tried: reportDate.Add(-time.Minute),
		}},
	}
}

// readReport reads a report back: the header, the words, the groups of fields of
// the delivery status, and what is returned, nil if nothing is.
func readReport(t *testing.T, r *message.Report) (header textproto.MIMEHeader, words string, status []textproto.MIMEHeader, returned *leaf) {
	t.Helper()
	var b bytes.Buffer
	if n, err := r.WriteTo(&b); err != nil || n != int64(b.Len()) {
		t.Fatalf("WriteTo: %d of %d octets, %v", n, b.Len(), err)
	}
	checkLines(t, b.Bytes())
	parsed, parts := parse(t, b.Bytes())
	if len(parts) < 2 || len(parts) > 3 || parts[0].contentType != "text/plain" || parts[1].contentType != "message/delivery-status" {
		t.Fatalf("%d parts:\n%s", len(parts), b.Bytes())
	}
	if !strings.Contains(parsed.Header.Get("Content-Type"), "multipart/report; report-type=delivery-status;") {
		t.Errorf("Content-Type %q", parsed.Header.Get("Content-Type"))
	}
	for _, c := range parts[1].body {
		if c >= 0x80 {
			t.Fatalf("the delivery status is not ASCII:\n%s", parts[1].body)
		}
	}
	lines := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(parts[1].body, "\r\n\r\n"...))))
	for {
		group, err := lines.ReadMIMEHeader()
		if len(group) == 0 {
			break
		}
		if err != nil {
			t.Fatalf("delivery status: %v\n%s", err, parts[1].body)
		}
		status = append(status, group)
	}
	if len(parts) == 3 {
		returned = &parts[2]
	}
	return textproto.MIMEHeader(parsed.Header), string(parts[0].body), status, returned
}

func TestReport(t *testing.T) {
	t.Parallel()
	header, words, status, returned := readReport(t, sampleReport())
	for name, want := range map[string]string{
		"From": "Mail delivery <mailer-daemon@example.com>", "To": "ann@example.com", "Auto-Submitted": "auto-replied",
		"In-Reply-To": "<2@example.com>", "References": "<0@example.com> <1@example.com> <2@example.com>",
		"Date": "Mon, 03 Feb 2031 04:05:06 +0100", "Message-Id": "<r@example.com>",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := decodeText(t, header.Get("Subject")); got != "Not delivered: Grüße" {
		t.Errorf("subject %q", got)
	}
	for _, want := range []string{"relay.example.com", `"Grüße"`, "bob@example.net", "mx.example.net said: 550 5.1.1 No such user Try later", "no such mailbox"} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in:\n%s", want, words)
		}
	}
	if len(status) != 2 {
		t.Fatalf("delivery status %v", status)
	}
	for name, want := range map[string]string{"Reporting-Mta": "dns; relay.example.com", "Original-Envelope-Id": "E-7", "Arrival-Date": "Mon, 03 Feb 2031 03:05:06 +0100"} {
		if got := status[0].Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"Original-Recipient": "rfc822; robert@example.net", "Final-Recipient": "rfc822; bob@example.net", "Action": "failed", "Status": "5.1.1",
		"Remote-Mta": "dns; mx.example.net", "Diagnostic-Code": "smtp; 550 5.1.1 No such user Try later", "Last-Attempt-Date": "Mon, 03 Feb 2031 04:04:06 +0100",
	} {
		if got := status[1].Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	want, _, _ := strings.Cut(lostLetter, "\r\n\r\n")
	if returned == nil || returned.contentType != "text/rfc822-headers" || string(returned.body) != want+"\r\n" {
		t.Errorf("returned %+v", returned)
	}
}

// A report on a report would go back and forth for ever.
func TestReportEnvelope(t *testing.T) {
	t.Parallel()
	e, err := sampleReport().Envelope()
	if err != nil || e.From != "" || len(e.To) != 1 || e.To[0].Address != "ann@example.com" {
		t.Errorf("envelope %+v, %v", e, err)
	}
	for _, nobody := range []string{"", "<>"} {
		r := sampleReport()
		r.To = nobody
		if _, err := r.Envelope(); !errors.Is(err, message.ErrNoReport) {
			t.Errorf("envelope to %q: %v", nobody, err)
		}
		if _, err := r.WriteTo(io.Discard); !errors.Is(err, message.ErrNoReport) {
			t.Errorf("written to %q: %v", nobody, err)
		}
		if _, err := r.Content(); !errors.Is(err, message.ErrNoReport) {
			t.Errorf("content to %q: %v", nobody, err)
		}
	}
}

func TestReportHeedsNotify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		notify smtp.Notify
		action message.ReportAction
		want   bool
	}{
		{0, message.ReportFailed, true}, {0, message.ReportDelayed, true}, {0, message.ReportRelayed, false},
		{smtp.NotifyNever, message.ReportFailed, false}, {smtp.NotifySuccess, message.ReportExpired, false},
		{smtp.NotifyFailure, message.ReportExpired, true}, {smtp.NotifyFailure, message.ReportDelayed, false},
		{smtp.NotifyDelay, message.ReportDelayed, true}, {smtp.NotifySuccess | smtp.NotifyFailure, message.ReportRelayed, true},
	} {
		r := sampleReport()
		r.Recipients[0].Notify, r.Recipients[0].Action = c.notify, c.action
		_, err := r.Envelope()
		if errors.Is(err, message.ErrNoReport) == c.want || c.want && err != nil {
			t.Errorf("NOTIFY %d, action %d: %v", c.notify, c.action, err)
		}
		r.Recipients = append(r.Recipients, message.Reported{Recipient: smtp.Recipient{Address: "cy@example.net"}})
		wanted := 1
		if c.want {
			wanted = 2
		}
		if _, _, status, _ := readReport(t, r); len(status) != 1+wanted {
			t.Errorf("NOTIFY %d, action %d: reported on %d", c.notify, c.action, len(status)-1)
		}
	}
}

func TestReportStatus(t *testing.T) {
	t.Parallel()
	code := func(c int, e ...uint16) (r smtp.Reply) {
		r.Code, r.Text = c, "words"
		copy(r.Enhanced[:], e)
		return r
	}
	for _, c := range []struct {
		action message.ReportAction
		reply  smtp.Reply
		want   string
	}{
		{message.ReportFailed, code(550, 5, 7, 1), "failed 5.7.1"}, {message.ReportFailed, code(550), "failed 5.0.0"},
		{message.ReportFailed, smtp.Reply{}, "failed 5.0.0"}, {message.ReportFailed, code(550, 2, 1, 1), "failed 5.0.0"},
		{message.ReportFailed, code(451, 5, 1, 1), "failed 5.0.0"}, {message.ReportFailed, code(451, 4, 1, 1), "failed 5.0.0"},
		{message.ReportExpired, code(452, 4, 2, 2), "failed 4.4.7"}, {message.ReportExpired, smtp.Reply{}, "failed 4.4.7"},
		{message.ReportDelayed, code(452, 4, 2, 2), "delayed 4.2.2"}, {message.ReportDelayed, code(452), "delayed 4.0.0"},
		{message.ReportDelayed, smtp.Reply{}, "delayed 4.4.1"},
		{message.ReportRelayed, code(250, 2, 1, 5), "relayed 2.1.5"}, {message.ReportRelayed, code(250), "relayed 2.0.0"},
	} {
		r := sampleReport()
		r.Recipients[0].Notify = smtp.NotifyDelay | smtp.NotifyFailure | smtp.NotifySuccess
		r.Recipients[0].Action, r.Recipients[0].Reply, r.Recipients[0].Until = c.action, c.reply, reportDate.Add(time.Hour)
		_, _, status, _ := readReport(t, r)
		if got := status[1].Get("Action") + " " + status[1].Get("Status"); got != c.want {
			t.Errorf("action %d, %v: %s, want %s", c.action, c.reply, got, c.want)
		}
		if has := status[1].Get("Will-Retry-Until") != ""; has != (c.action == message.ReportDelayed) {
			t.Errorf("action %d: Will-Retry-Until is there: %t", c.action, has)
		}
	}
}

// What a server says is in no position to add fields, parts or recipients.
func TestReportOfHostileReplies(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"x\r\nAction: delivered", "x\n\nFinal-Recipient: rfc822; eve@example.org\nAction: failed", "\x00\x01\x1b[2J\x7f\u0085\u2028x",
		"no\r\n--=_kz_s--\r\n", strings.Repeat("x", 5000), strings.Repeat("word ", 5000), strings.Repeat("\n", 3000), "Gr\xfc\xdfe \xff", "Grüße 你好 😀",
		"=?utf-8?q?x=0D=0AAction:_delivered?=", " leading", "trailing ", ".", "..", "From eve", "\t",
	}
	for _, text := range hostile {
		r := sampleReport()
		r.Recipients[0].Reply.Text, r.Recipients[0].Server, r.Recipients[0].Reason = text, text, text
		r.Original.Subject = text
		r.Recipients = append(r.Recipients, message.Reported{Recipient: smtp.Recipient{Address: "cy@example.net"}, Reason: "Last."})
		_, words, status, _ := readReport(t, r)
		if len(status) != 3 || status[1].Get("Action") != "failed" || len(status[1]["Action"]) != 1 || len(status[1]["Final-Recipient"]) != 1 {
			t.Errorf("%.60q made the fields %v", text, status)
		}
		if len(words) > 20_000 || !strings.Contains(words, "Last.") || strings.ContainsAny(words, "\x00\x1b\x7f\u0085") {
			t.Errorf("%.60q made the words %.400q", text, words)
		}
	}
}

func TestReportOfInternationalAddresses(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.To = "zoë@bücher.example"
	r.Recipients[0].Recipient = smtp.Recipient{Address: "jürgen+x@example.net", OriginalRecipient: "utf-8;\\用=户@example.net"}
	header, words, status, _ := readReport(t, r)
	if got := header.Get("To"); got != "zoë@xn--bcher-kva.example" {
		t.Errorf("To: %q", got)
	}
	if got := status[1].Get("Final-Recipient"); got != `utf-8; j\x{FC}rgen\x{2B}x@example.net` {
		t.Errorf("Final-Recipient: %q", got)
	}
	if got := status[1].Get("Original-Recipient"); got != `utf-8; \x{5C}\x{7528}\x{3D}\x{6237}@example.net` {
		t.Errorf("Original-Recipient: %q", got)
	}
	if !strings.Contains(words, "jürgen+x@example.net") {
		t.Errorf("words:\n%s", words)
	}
}

func TestReportReturns(t *testing.T) {
	t.Parallel()
	long := "Subject: x\r\n\r\n" + strings.Repeat("line\r\n", 20_000)
	manyFields := strings.Repeat("X-Field: "+strings.Repeat("y", 90)+"\r\n", 2000) + "\r\nbody\r\n"
	for _, c := range []struct {
		name, original string
		ret            smtp.Return
		kind, text     string // text: what it begins with
	}{
		{"full", lostLetter, smtp.ReturnFull, "message/rfc822", lostLetter},
		{"headers", lostLetter, smtp.ReturnHeaders, "text/rfc822-headers", "From: Ann"},
		{"full and large", long, smtp.ReturnFull, "text/rfc822-headers", "Subject: x\r\n"},
		{"full and 8-bit", "Subject: x\r\n\r\nGr\xfc\xdfe\r\n", smtp.ReturnFull, "text/rfc822-headers", "Subject: x\r\n"},
		{"full with a long line", "Subject: x\n\n" + strings.Repeat("x", 2000), smtp.ReturnFull, "text/rfc822-headers", "Subject: x\r\n"},
		{"UTF-8 header", "Subject: Grüße\nX: y\n\nHi", smtp.ReturnDefault, "message/global-headers", "Subject: Grüße\r\nX: y\r\n"},
		{"Latin-1 header", "Subject: Gr\xfc\xdfe\n\nHi", smtp.ReturnDefault, "text/rfc822-headers", "Subject: Gr\xfc\xdfe\r\n"},
		{"long header", manyFields, smtp.ReturnFull, "text/rfc822-headers", "X-Field: yyy"},
		{"long line", "X: " + strings.Repeat("x", 5000) + "\n\n", smtp.ReturnFull, "text/rfc822-headers", "X: xxx"},
		{"boundary", "X: --=_kz_1s\n--=_kz_s--\n\n", smtp.ReturnHeaders, "text/rfc822-headers", "X: --=_kz_1s\r\n--=_kz_s--\r\n"},
		{"no header", "\r\nHi", smtp.ReturnHeaders, "", ""},
		{"nothing", "", smtp.ReturnFull, "", ""},
	} {
		r := sampleReport()
		r.Original.Open, r.Original.Return = openOriginal(c.original), c.ret
		_, _, _, returned := readReport(t, r)
		if c.kind == "" {
			if returned != nil {
				t.Errorf("%s: returned %+v", c.name, returned)
			}
			continue
		}
		if returned == nil || returned.contentType != c.kind || !bytes.HasPrefix(returned.body, []byte(c.text)) || len(returned.body) > 66<<10 {
			t.Errorf("%s: returned %.200q", c.name, fmt.Sprint(returned))
		}
	}
}

func TestReportWithoutOriginal(t *testing.T) {
	t.Parallel()
	for _, open := range []func() (io.ReadCloser, error){nil, func() (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF }} {
		r := sampleReport()
		r.Original = message.Original{Open: open, Subject: "Lost", MessageID: "9@example.com"}
		header, words, _, returned := readReport(t, r)
		if returned != nil || header.Get("Subject") != "Not delivered: Lost" || header.Get("In-Reply-To") != "<9@example.com>" || strings.Contains(words, "attached") {
			t.Errorf("header %v, words %s", header, words)
		}
	}
}

func TestReportOnManyRecipients(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	for i := range 5000 {
		r.Recipients = append(r.Recipients, message.Reported{
			Recipient: smtp.Recipient{Address: fmt.Sprintf("p%d@example.net", i)}, Action: message.ReportAction(i % 3), Reply: smtp.Reply{Code: 450, Text: "Wait"}})
	}
	_, words, status, _ := readReport(t, r)
	if len(status) != 5002 || strings.Count(words, "Wait") > 50 || !strings.Contains(words, "and 4951 more") {
		t.Errorf("%d groups, words:\n%s", len(status), words)
	}
}

func TestReportIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.Date, r.MessageID = time.Time{}, ""
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if _, err := r.WriteTo(b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) || r.Date.IsZero() || r.MessageID == "" {
		t.Errorf("%s\nthen\n%s", first.Bytes(), second.Bytes())
	}
	if content, err := r.Content(); err != nil || !content.Replayable() {
		t.Errorf("content: %v", err)
	} else if size, ok := content.Size(); !ok || size != int64(first.Len()) {
		t.Errorf("content of %d octets, want %d", size, first.Len())
	}
}

func TestReportRefuses(t *testing.T) {
	t.Parallel()
	for field, spoil := range map[string]func(*message.Report){
		"From":                            func(r *message.Report) { r.From = "" },
		"To":                              func(r *message.Report) { r.To = "nonsense" },
		"Recipients":                      func(r *message.Report) { r.Recipients = nil },
		"Recipients[0].Action":            func(r *message.Report) { r.Recipients[0].Action = 9 },
		"Recipients[0].Recipient.Address": func(r *message.Report) { r.Recipients[0].Address = "" },
		"MessageID":                       func(r *message.Report) { r.MessageID = "x" },
	} {
		r := sampleReport()
		spoil(r)
		_, err := r.WriteTo(io.Discard)
		var refusal *message.Error
		if !errors.As(err, &refusal) || refusal.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// FuzzReport: whatever a server says and a message holds, the report has as many
// recipients as it is about, and reads back.
func FuzzReport(f *testing.F) {
	f.Add("550", "mx", "Subject: x\n\nHi", "E")
	f.Add("a\r\n\r\nAction: x", "\x00", "Subject: \xff\r\r\n", "\\")
	f.Add(strings.Repeat("x", 3000), "ü", "Message-ID: <a@b>\nReferences: <c@d> x <e@f>\nSubject: =?utf-8?q?=0A?=\n\n", "=?x?=")
	f.Fuzz(func(t *testing.T, text, server, octets, id string) {
		r := sampleReport()
		r.Recipients[0].Reply.Text, r.Recipients[0].Reason, r.Recipients[0].Server = text, text, server
		r.Original = message.Original{EnvelopeID: id, Return: smtp.ReturnFull, Open: openOriginal(octets)}
		if _, err := r.Envelope(); err != nil {
			return
		}
		if _, _, status, _ := readReport(t, r); len(status) != 2 || len(status[1]["Status"]) != 1 {
			t.Errorf("delivery status %v", status)
		}
	})
}
