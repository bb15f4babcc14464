package sendmail_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/sendmail"
	"github.com/kaizenmail/kaizen/smtp"
)

// large has more octets than any pipe holds.
var large = "Subject: x\n\n" + strings.Repeat("0123456789 0123456789 0123456789\n", 1<<15)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	permanent := map[int]bool{65: true, 67: true, 77: true}
	for _, code := range []int{1, 2, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 126, 127, 128, 255} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			r := handed(t, t.Context(), sendmail.New(commandOptions(t, fmt.Sprint("read complain exit ", code))), &smtp.Transaction{})
			if r.Outcome != smtp.Rejected || r.Err == nil || r.Err.Reply.Permanent() != permanent[code] || r.Err.Reply.Temporary() == permanent[code] {
				t.Fatal(r.Outcome, r.Err)
			}
			if r.Err.Temporary() == permanent[code] || !r.Err.SafeToRetry() {
				t.Error("temporary:", r.Err.Temporary(), r.Err)
			}
			text := r.Err.Reply.Text
			if !strings.HasPrefix(text, fmt.Sprintf("exit code %d: ", code)) || !strings.HasSuffix(text, "disk [0m is full") || strings.ContainsAny(text, "\x1b\r\n") {
				t.Errorf("%q", text)
			}
		})
	}
	classes := map[int]smtp.Class{65: smtp.ClassContent, 67: smtp.ClassRecipient, 69: smtp.ClassConnect, 75: smtp.ClassConnect, 77: smtp.ClassAuth, 127: smtp.ClassConnect}
	for code, class := range classes {
		r := handed(t, t.Context(), sendmail.New(commandOptions(t, fmt.Sprint("read exit ", code))), &smtp.Transaction{})
		if r.Err == nil || r.Err.Class != class {
			t.Errorf("%d: %v", code, r.Err)
		}
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	r := handed(t, t.Context(), sendmail.New(commandOptions(t, "read")), &smtp.Transaction{Content: smtp.Bytes([]byte(large))})
	if r.Outcome != smtp.Accepted || r.Final.String() != "250 2.0.0 accepted" || r.Octets < int64(len(large)) {
		t.Errorf("%+v", r)
	}
	r = handed(t, t.Context(), sendmail.New(commandOptions(t, "read complain")), &smtp.Transaction{})
	if r.Outcome != smtp.Accepted || !strings.HasPrefix(r.Final.Text, "accepted: the") {
		t.Errorf("%+v", r)
	}
}

// A command that says very much is neither held up nor kept in memory.
func TestMuchOutput(t *testing.T) {
	t.Parallel()
	r := handed(t, t.Context(), sendmail.New(commandOptions(t, "babble read babble")), &smtp.Transaction{Content: smtp.Bytes([]byte(large))})
	if r.Outcome != smtp.Accepted || len(r.Final.Text) > 600 {
		t.Error(len(r.Final.Text), r.Err)
	}
}

// A command that does not want to hear the message out is believed if it says no.
func TestEndsEarly(t *testing.T) {
	t.Parallel()
	send := func(deed string) *smtp.Result {
		return handed(t, t.Context(), sendmail.New(commandOptions(t, deed)), &smtp.Transaction{Content: smtp.Bytes([]byte(large))})
	}
	for deed, want := range map[string]smtp.Outcome{
		"exit 75": smtp.Rejected, "sip complain exit 65": smtp.Rejected,
		"exit 0": smtp.Unknown, "sip exit 0": smtp.Unknown,
	} {
		if r := send(deed); r.Outcome != want || r.Final.Positive() {
			t.Errorf("%s: %v %v", deed, r.Outcome, r.Err)
		}
	}
}

func TestTooSlow(t *testing.T) {
	t.Parallel()
	for deed, c := range map[string]struct {
		patience time.Duration
		want     smtp.Outcome
	}{
		"hang": {300 * time.Millisecond, smtp.NotSent}, "sip hang": {300 * time.Millisecond, smtp.NotSent},
		"read hang": {5 * time.Second, smtp.Unknown}, // it must have time to begin
	} {
		t.Run(deed, func(t *testing.T) {
			t.Parallel()
			o := commandOptions(t, deed)
			o.Timeout = c.patience
			r := handed(t, t.Context(), sendmail.New(o), &smtp.Transaction{Content: smtp.Bytes([]byte(large))})
			if r.Outcome != c.want || r.Err.Class != smtp.ClassTimeout || !strings.Contains(r.Err.Error(), c.patience.String()) {
				t.Errorf("%v %v", r.Outcome, r.Err)
			}
		})
	}
	o := commandOptions(t, "slowly")
	o.Timeout = -1
	if r := handed(t, t.Context(), sendmail.New(o), &smtp.Transaction{Content: smtp.Bytes([]byte(large))}); r.Err != nil {
		t.Error(r.Err)
	}
}
