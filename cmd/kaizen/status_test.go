package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.Local)

// report is made of what a state directory told at noon.
func report(known ...kaizen.Status) *statusReport {
	r := &statusReport{Time: noon, StateDir: "/state"}
	for i := range known {
		s := newAccountStatus(&known[i], noon)
		s.Configured = true
		s.Advice = s.advice(noon)
		r.Accounts = append(r.Accounts, s)
	}
	return r
}

func process(pid int, h kaizen.Health, s kaizen.Stats, perSecond float64) []kaizen.ProcessStatus {
	return []kaizen.ProcessStatus{{PID: pid, Program: "mailer", Started: noon.Add(-90 * time.Minute), Health: h, Stats: s, PerSecond: perSecond}}
}

var (
	second = kaizen.Rate{Count: 10, Per: time.Second}
	day    = kaizen.Rate{Count: 500, Per: 24 * time.Hour}
)

func healthy() kaizen.Status {
	h := kaizen.Health{Account: "work", Server: "smtp.example.com:587", Since: noon.Add(-3 * time.Minute), LastAccepted: noon.Add(-2 * time.Second),
		Certificate: noon.AddDate(0, 0, 57)}
	return kaizen.Status{Account: "work", Health: h, Limits: []kaizen.LimitStatus{{Rate: second, Used: 7}, {Rate: day, Used: 412}},
		Processes: process(4711, h, kaizen.Stats{Waiting: 12, InFlight: 4, Open: 3, Busy: 2, Idle: 1, Capacity: 5, Accepted: 1204, Rejected: 3}, 9.81)}
}

func stopped() kaizen.Status {
	return kaizen.Status{Account: "office", Health: kaizen.Health{Account: "office", Server: "mx.example.net:465", Condition: kaizen.Down, Cause: kaizen.CauseLogin,
		Reason: "the login was refused: 535 5.7.8 Bad\r\n\x1b[31mcredentials", Since: noon.Add(-26 * time.Hour)}}
}

func throttled() kaizen.Status {
	h := kaizen.Health{Account: "ses", Server: "email.example.org:587", Condition: kaizen.Degraded, Cause: kaizen.CauseThrottled,
		Reason: "the server takes messages slower than they come: 4.0 per second", Since: noon.Add(-20 * time.Second), NextProbe: noon.Add(30 * time.Second),
		Certificate: noon.AddDate(0, 0, 9), Warnings: []string{"the certificate of email.example.org:587 expires in 9 days, on 2026-12-06"},
		Learned: []kaizen.LearnedLimit{{Limit: "connections", Value: "2", Reason: "421 Too many", Since: noon.Add(-time.Hour)}, {Limit: "rate", Value: "4.0 per second", Reason: "454 Throttling failure"}}}
	return kaizen.Status{Account: "ses", Health: h, Limits: []kaizen.LimitStatus{{Rate: second, Used: 10, Free: 300 * time.Millisecond}, {Rate: day, Used: 500, Free: 3 * time.Hour}},
		Processes: process(4712, h, kaizen.Stats{Waiting: 800, Open: 2, Idle: 2, Capacity: 2, Accepted: 99, NotSent: 4, Unknown: 1}, 4)}
}

// golden compares what people see, line by line.
func golden(t *testing.T, lines []string, want string) {
	t.Helper()
	want = strings.Trim(want, "\n")
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func uncoloured(width int, page bool) *statusView {
	return &statusView{width: width, page: page, paint: func(_, text string) string { return text }}
}

func TestStatusTable(t *testing.T) {
	t.Parallel()
	idle := kaizen.Status{Account: "spare", Limits: []kaizen.LimitStatus{{Rate: kaizen.Rate{Count: 50_000_000, Per: 10 * time.Minute, Unit: kaizen.Octets}, Used: 1_200_000}}}
	r := report(stopped(), throttled(), idle, healthy())
	golden(t, uncoloured(0, false).lines(r), `
ACCOUNT  CONDITION  SINCE      SERVER                 WAITING  IN FLIGHT  CONNECTIONS     ACCEPTED  REJECTED  NOT SENT  UNKNOWN   RATE  LIMITS USED                        NEXT PROBE  CERTIFICATE
office   stopped    26 h ago   mx.example.net:465           -          -  -                      -         -         -        -      -  -                                  -           -
ses      degraded   20 s ago   email.example.org:587      800          0  2 of 2, idle          99         0         4        1  4.0/s  10/10 per second, 500/500 per day  in 30 s     ends in 9 days
spare    idle       -          -                            -          -  -                      -         -         -        -      -  1.2 MB/50.0 MB per 10 min          -           -
work     healthy    3 min ago  smtp.example.com:587        12          4  3 of 5, 2 busy      1204         3         0        0  9.8/s  7/10 per second, 412/500 per day   -           -

office is stopped: the login was refused: 535 5.7.8 Bad ?[31mcredentials
  What to do: 'kaizen account password office' if the password is wrong; if it is right, 'kaizen account test office' tries it, 'kaizen account resume office' lets programs try it.
ses is degraded: the server takes messages slower than they come: 4.0 per second
  What to do: nothing: messages are sent as fast as the server takes them.
ses: the certificate of email.example.org:587 expires in 9 days, on 2026-12-06
ses: learned: at most 2 connections, 1 h ago: 421 Too many

4 accounts: 1 stopped, 1 degraded, 1 healthy, 1 idle
`)
	golden(t, uncoloured(80, false).lines(report(stopped(), healthy())), `
ACCOUNT  CONDITION  WAITING  CONNECTIONS     ACCEPTED  REJECTED  NOT SENT   RATE
office   stopped          -  -                      -         -         -      -
work     healthy         12  3 of 5, 2 busy      1204         3         0  9.8/s

office is stopped: the login was refused: 535 5.7.8 Bad ?[31mcredentials
  What to do: 'kaizen account password office' if the password is wrong; if it
    is right, 'kaizen account test office' tries it, 'kaizen account resume
    office' lets programs try it.

2 accounts: 1 stopped, 1 healthy
`)
}

func TestStatusPage(t *testing.T) {
	t.Parallel()
	golden(t, uncoloured(0, true).lines(report(throttled())), `
Account       ses
Condition     degraded for 20 s, since 11:59:40
Reason        the server takes messages slower than they come: 4.0 per second
What to do    nothing: messages are sent as fast as the server takes them
Next probe    in 30 s (12:00:30)
Server        email.example.org:587
Certificate   ends in 9 days (2026-12-06 12:00:00)
Warning       the certificate of email.example.org:587 expires in 9 days, on 2026-12-06
Messages      800 waiting, 0 in flight
              99 accepted, 0 rejected, 4 not sent, 1 unknown
Rate          4.0/s
Connections   2 of 2 open: 0 busy, 2 idle
Limits        10/10 per second, room again within a second
              500/500 per day, room again in 3 h
Learned       at most 2 connections, 1 h ago: 421 Too many
              about 4.0 per second: 454 Throttling failure
Processes     4712 mailer, for 1 h: degraded, 800 waiting, 99 accepted, 4.0/s, connections 2 of 2, idle
`)
	golden(t, uncoloured(60, true).lines(report(stopped())), `
Account       office
Condition     stopped for 26 h, since 2026-11-26 10:00:00
Reason        the login was refused: 535 5.7.8 Bad
              ?[31mcredentials
What to do    'kaizen account password office' if the
              password is wrong; if it is right, 'kaizen
              account test office' tries it, 'kaizen account
              resume office' lets programs try it
Server        mx.example.net:465
Processes     none: no program sends with this account now
`)
}

// No line is wider than the terminal, whatever accounts are called.
func TestStatusFits(t *testing.T) {
	t.Parallel()
	wide := healthy()
	wide.Account = "日本語のとても長い名前のアカウント@example.com"
	other := throttled()
	other.Account = "combining e\u0301 " + strings.Repeat("x", 70)
	for width := 40; width < 220; width++ {
		for _, page := range []bool{true, false} {
			for _, line := range uncoloured(width, page).lines(report(wide, other, stopped())) {
				if n := textWidth(line); n > width {
					t.Errorf("%d columns, %d wanted: %s", width, n, line)
				}
			}
		}
	}
	lines := uncoloured(0, false).lines(report(wide, healthy()))
	if a, b := textWidth(lines[1][:strings.Index(lines[1], "healthy")]), strings.Index(lines[0], "CONDITION"); a != b {
		t.Errorf("columns %d and %d:\n%s", a, b, strings.Join(lines, "\n"))
	}
}

// A screen is never higher than the terminal; who is in trouble is on it.
func TestStatusScreen(t *testing.T) {
	t.Parallel()
	var many []kaizen.Status
	for i := range 200 {
		s := healthy()
		s.Account = fmt.Sprintf("account-%03d", i)
		many = append(many, s)
	}
	many[150].Health = stopped().Health
	many[150].Account = "trouble"
	for height := 2; height < 60; height++ {
		lines := uncoloured(100, false).screen(report(many...), "heading", height)
		if len(lines) > max(height, 3) {
			t.Errorf("%d lines of %d", len(lines), height)
		}
		if height > 6 && !strings.Contains(strings.Join(lines[:5], "\n"), "trouble") {
			t.Errorf("%d lines do not show who has stopped:\n%s", height, strings.Join(lines, "\n"))
		}
	}
	if all := uncoloured(100, false).lines(report(many...)); !slices.ContainsFunc(all, func(l string) bool { return l == "200 accounts: 1 stopped, 199 healthy" }) {
		t.Errorf("no summary: %s", all[len(all)-1])
	}
}

func TestStatusVerdict(t *testing.T) {
	t.Parallel()
	unreadable := report(healthy())
	unreadable.failed = &accounts.FileError{Err: errors.New("line 3")}
	tests := []struct {
		name   string
		report *statusReport
		want   exitCode
	}{
		{"none", report(), exitOK},
		{"healthy, degraded, idle", report(healthy(), throttled(), kaizen.Status{Account: "idle"}), exitOK},
		{"stopped", report(healthy(), stopped()), exitUnavailable},
		{"paused, and nobody sends", report(kaizen.Status{Account: "x", Health: kaizen.Health{Condition: kaizen.Down, Cause: kaizen.CauseQuota}}), exitUnavailable},
		{"a file is wrong", unreadable, exitConfig},
	}
	for _, tt := range tests {
		got := exitOK
		if err := tt.report.verdict(); err != nil {
			got = exitCodeOf(t.Context(), err)
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestRelativeTimes(t *testing.T) {
	t.Parallel()
	for ago, want := range map[time.Duration]string{
		0: "now", 999 * time.Millisecond: "now", -999 * time.Millisecond: "now", time.Second: "1 s ago", -90 * time.Second: "in 1 min",
		59 * time.Minute: "59 min ago", 47 * time.Hour: "47 h ago", 48 * time.Hour: "2 days ago", -9 * 24 * time.Hour: "in 9 days",
	} {
		if got := relative(noon.Add(-ago), noon); got != want {
			t.Errorf("%v: %q, want %q", ago, got, want)
		}
	}
}

func TestWrapWidth(t *testing.T) {
	t.Parallel()
	golden(t, wrapWidth("  one two three 日本語日本語 averyveryverylongword end", 14, 6), `
  one two
      three
      日本語日
      本語
      averyver
      yverylon
      gword
      end
`)
}

// Watching looks at once and then with each interval, and ends well with Ctrl-C.
func TestWatchStatus(t *testing.T) {
	dir := t.TempDir()
	store, err := accounts.Open(accounts.Options{Dir: filepath.Join(dir, "config")})
	if err != nil {
		t.Fatal(err)
	}
	for _, asJSON := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			a := &app{stdout: &out, stderr: io.Discard, lookupEnv: func(string) (string, bool) { return "", false }}
			ctx, stop := context.WithTimeout(t.Context(), 11*time.Second)
			defer stop()
			source := &statusSource{store: store, dir: filepath.Join(dir, "state")}
			if err := a.watchStatus(ctx, source, 5*time.Second, asJSON); err != nil {
				t.Error(err)
			}
			if n := strings.Count(out.String(), "2000-01-01"); n != 3 {
				t.Errorf("looked %d times:\n%s", n, out.String())
			}
			for line := range strings.Lines(out.String()) {
				if asJSON && !json.Valid([]byte(line)) {
					t.Errorf("not an object: %s", line)
				}
			}
		})
	}
}

// A frame overwrites the one before it without erasing the whole screen.
func TestDrawStatus(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := draw(&out, []string{"one", "two"}); err != nil || strings.Contains(out.String(), "\x1b[2J") ||
		out.String() != beginFrame+"one"+eraseLine+"\r\ntwo"+eraseLine+endFrame {
		t.Errorf("%q, %v", out.String(), err)
	}
}
