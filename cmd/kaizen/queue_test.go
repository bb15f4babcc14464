package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// plainApp writes into a text, and has no accounts.
func plainApp() (*app, *strings.Builder) {
	var out strings.Builder
	return &app{stdout: &out, stderr: &out, lookupEnv: func(name string) (string, bool) {
		if name == "KAIZEN_CONFIG_DIR" {
			return "no-such-folder", true
		}
		return "", false
	}}, &out
}

func jobTo(id queue.ID, state queue.State, addresses ...string) queue.Job {
	j := queue.Job{ID: id, State: state, Lane: "office", Subject: "Hello"}
	for _, a := range addresses {
		j.Recipients = append(j.Recipients, queue.Recipient{Recipient: smtp.Recipient{Address: a}, State: queue.Queued})
	}
	return j
}

func TestJobsAreListed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	waiting := jobTo(7, queue.Queued, "bob@example.org", "eve@example.org")
	waiting.Created, waiting.Due, waiting.Attempts = now.Add(-time.Hour), now.Add(4*time.Minute), 2
	waiting.Last = smtp.Reply{Code: 451, Text: "later\nor never"}
	held := jobTo(12345, queue.Held, "zoë@example.org")
	held.Created, held.Reason, held.Subject = now.Add(-2*time.Hour), "ask Ann\x1b[2J", ""
	a, out := plainApp()
	if err := a.printJobs([]queue.Job{waiting, held}, now); err != nil {
		t.Fatal(err)
	}
	want := `   ID  STATE   ACCOUNT  TO                  SUBJECT  WHEN          TRIES  LAST WORDS
    7  queued  office   bob@example.org +1  Hello    due in 4 min      2  451 later or never
12345  held    office   zoë@example.org     -        2 h ago           0  ask Ann?[2J
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestTablesFit(t *testing.T) {
	t.Parallel()
	columns := []tableColumn{{title: "ID", right: true}, {title: "TO", least: 6}, {title: "LAST", least: 8}}
	rows := [][]string{{"123456", strings.Repeat("a", 40), strings.Repeat("b", 40)}, {"1", "c", "d"}}
	for _, test := range []struct {
		room int
		want []int
	}{{0, []int{6, 40, 40}}, {200, []int{6, 40, 40}}, {60, []int{6, 40, 10}}, {30, []int{6, 12, 8}}, {5, []int{6, 6, 8}}} {
		if got := tableWidths(columns, rows, test.room); fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("in %d columns: %v, want %v", test.room, got, test.want)
		}
	}
}

func TestTablesLeaveColumnsOut(t *testing.T) {
	t.Parallel()
	columns := []tableColumn{{title: "ID"}, {title: "B", least: 4, spare: 2}, {title: "C", spare: 1}, {title: "D", least: 3}}
	rows := [][]string{{"123456", "bbbbbbbb", "cccc", "dddddd"}}
	for room, want := range map[int]string{0: "ID B C D", 80: "ID B C D", 23: "ID B C D", 22: "ID B D", 17: "ID B D", 16: "ID D", 2: "ID D"} {
		var titles []string
		left, cells := leaveOut(columns, rows, room)
		for _, c := range left {
			titles = append(titles, c.title)
		}
		if got := strings.Join(titles, " "); got != want || len(cells[0]) != len(left) {
			t.Errorf("in %d columns: %s (%v), want %s", room, got, cells, want)
		}
	}
}

func TestFiltersAreCompiled(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	a, _ := plainApp()
	f := queueFilter{states: []string{"waiting", "sent"}, since: "2h", until: "2026-05-04", filter: queue.Filter{MessageID: "<a@b>", Lane: "office"}}
	got, err := f.compile(a, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.States) != 4 || got.MessageID != "a@b" || !got.Since.Equal(now.Add(-2*time.Hour)) || got.Until.Hour() != 0 {
		t.Errorf("got %+v", got)
	}
	for _, wrong := range []queueFilter{{states: []string{"lost"}}, {since: "soon"}, {until: "soon"}} {
		if got, err := wrong.compile(a, now); err == nil {
			t.Errorf("%+v became %+v", wrong, got)
		}
	}
}

func TestJobsAreChosen(t *testing.T) {
	t.Parallel()
	a, _ := plainApp()
	for _, test := range []struct {
		line string
		ids  int
		want string // of the error
	}{
		{"17 #18,19", 3, ""},
		{"--tag spring", 0, ""},
		{"--all", 0, ""},
		{"", 0, "which jobs?"},
		{"17 --all", 0, "not both"},
		{"17 --unknown", 0, "not both"},
		{"--all --state held", 0, "no other flag chooses"},
		{"bob", 0, "an ID is a positive number"},
		{"0", 0, "an ID is a positive number"},
		{"--since soon", 0, "no time"},
	} {
		var c queueChoice
		cmd := &cobra.Command{Use: "change"}
		c.bind(cmd)
		if err := cmd.ParseFlags(strings.Fields(test.line)); err != nil {
			t.Fatal(err)
		}
		ids, _, err := c.choose(a, cmd, cmd.Flags().Args())
		if len(ids) != test.ids && test.want == "" || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, %v; want %q", test.line, ids, err, test.want)
		}
	}
}

func TestRefusalsHaveCodes(t *testing.T) {
	t.Parallel()
	missing := queue.Refusal{ID: 1, Err: &queue.NotFoundError{ID: 1}}
	late := queue.Refusal{ID: 2, Err: queue.ErrTooLate}
	for want, not := range map[exitCode][]queue.Refusal{exitOK: nil, exitNoInput: {missing}, exitUnavailable: {missing, late}} {
		err := refusals(not)
		if err == nil && want == exitOK {
			continue
		}
		if got := exitCodeOf(t.Context(), err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}

func TestRunsHaveCodes(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("broken")
	for _, test := range []struct {
		name   string
		report runReport
		ctx    context.Context
		ran    error
		watch  bool
		want   exitCode
	}{
		{"all sent", runReport{Sent: 3}, t.Context(), nil, false, exitOK},
		{"failed", runReport{Failed: 1, Expired: 1}, t.Context(), nil, false, exitUnavailable},
		{"expired", runReport{Expired: 1}, t.Context(), nil, false, exitTempFail},
		{"unknown", runReport{Failed: 1, Unknown: 1}, t.Context(), nil, false, exitUnknown},
		{"interrupted", runReport{Failed: 1, Left: 2}, interrupted, nil, false, exitInterrupted},
		{"watched", runReport{Failed: 1, Left: 2}, interrupted, nil, true, exitOK},
		{"stuck", runReport{Failed: 1, stuck: withCode(exitNoPerm, broken)}, t.Context(), nil, false, exitNoPerm},
		{"broken", runReport{}, t.Context(), broken, false, exitSoftware},
		{"broken at the end", runReport{}, interrupted, broken, true, exitSoftware},
		{"locked", runReport{}, t.Context(), &queue.LockedError{}, false, exitTempFail},
	} {
		err := test.report.verdict(test.ctx, test.ran, test.watch)
		got := exitOK
		if err != nil {
			got = exitCodeOf(test.ctx, err)
		}
		if got != test.want {
			t.Errorf("%s: got %d (%v), want %d", test.name, got, err, test.want)
		}
	}
}

func TestJobsAreCounted(t *testing.T) {
	t.Parallel()
	var tally queueTally
	doubtful := jobTo(3, queue.Held, "a@example.org")
	doubtful.Doubt, doubtful.Reason = true, "the server may have taken it"
	failed := jobTo(4, queue.Failed, "a@example.org", "b@example.org")
	failed.Recipients[1].State, failed.Recipients[1].Reply = queue.Failed, smtp.Reply{Code: 550, Text: "no"}
	for job, notable := range map[*queue.Job]bool{
		{State: queue.Sent, Doubt: true}: false, {State: queue.Queued, Doubt: true}: false, {State: queue.Expired}: true, &doubtful: true, &failed: true,
	} {
		if got := tally.take(job); got != notable {
			t.Errorf("%v: notable is %v", job.State, got)
		}
	}
	if tally.sent.Load() != 1 || tally.failed.Load() != 1 || tally.expired.Load() != 1 || tally.held.Load() != 1 || tally.unknown.Load() != 1 || tally.again.Load() != 1 {
		t.Errorf("got %+v", &tally)
	}
	if got, want := jobInWords(&failed), "job 4 to a@example.org +1 (office) has failed: b@example.org: 550 no"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := jobInWords(&doubtful), "job 3 to a@example.org (office) is held: the server may have taken it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMailboxes(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := bufio.NewWriter(&out)
	d := queue.Details{Job: queue.Job{Created: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}, Body: &queue.Content{}}
	message := "Subject: x\r\n\r\nFrom me\r\n>From you\r\n>>From us\r\n From\r\nend"
	if err := errors.Join(mailboxEntry(w, &d, strings.NewReader(message)), w.Flush()); err != nil {
		t.Fatal(err)
	}
	want := "From MAILER-DAEMON Mon May  4 12:00:00 2026\nSubject: x\n\n>From me\n>>From you\n>>>From us\n From\nend\n\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestExportedLinesAreWhole(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := bufio.NewWriter(&out)
	d := queue.Details{Job: jobTo(7, queue.Sent, "bob@example.org"), Body: &queue.Content{}}
	if err := errors.Join(jsonLine(w, &d, strings.NewReader("Subject: x\r\n\r\n")), w.Flush()); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, `{"id":"7",`) || !strings.HasSuffix(got, `,"message":"U3ViamVjdDogeA0KDQo="}`+"\n") {
		t.Errorf("got %s", got)
	}
}

func TestLiveScreen(t *testing.T) {
	t.Parallel()
	a, out := plainApp()
	s := &liveScreen{app: a, redraw: true}
	s.draw([]string{"one", "two"})
	fmt.Fprintln(s, "told")
	s.draw([]string{"three"})
	s.draw(nil)
	want := "one\r\ntwo" + "\r\x1b[1A\x1b[Jtold\none\r\ntwo" + "\r\x1b[1A\x1b[Jthree" + "\r\x1b[J"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
