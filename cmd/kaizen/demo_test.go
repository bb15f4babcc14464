package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

func unpainted(_, text string) string { return text }

// told is a round whose runs say what the test wants.
func told(messages int, took [demoWays]time.Duration, traffic [demoWays]demoTraffic) *demoRound {
	round := newDemoRound(messages, 1)
	for way, r := range round.runs {
		r.took, r.traffic = took[way], traffic[way]
		r.sent.Store(int64(messages))
		r.ended.Store(true)
	}
	return round
}

func exampleRounds() []*demoRound {
	const s = time.Second
	one := demoTraffic{1, 6, 6944, 1}
	rounds := []*demoRound{
		told(1, [demoWays]time.Duration{2400 * time.Millisecond, 2200 * time.Millisecond, 2200 * time.Millisecond}, [demoWays]demoTraffic{one, one, one}),
		told(10, [demoWays]time.Duration{23 * s, 3 * s, 3 * s}, [demoWays]demoTraffic{{10, 60, 69_440, 10}, {5, 40, 48_967, 10}, {5, 40, 48_950, 10}}),
		told(100, [demoWays]time.Duration{0, 13 * s, 5 * s}, [demoWays]demoTraffic{{}, {5, 220, 305_520, 100}, {5, 132, 301_622, 100}}),
	}
	rounds[2].runs[demoSingly].estimate(rounds[1].runs[demoSingly])
	return rounds
}

func TestDemoTable(t *testing.T) {
	t.Parallel()
	want := `                          document     Kaizen   connec-     round   octets on
                              says       took     tions     trips    the wire
1 message
  a connection each          2.3 s      2.4 s         1         6       6,944
  pool, 10 per second        2.3 s      2.2 s         1         6       6,944
  pool, no rate limit            –      2.2 s         1         6       6,944
10 messages
  a connection each           23 s     23.0 s        10        60      69,440
  pool, 10 per second          6 s      3.0 s         5        40      48,967
  pool, no rate limit            –      3.0 s         5        40      48,950
100 messages
  a connection each          230 s   ~230.0 s       100       600     694,400
  pool, 10 per second         42 s     13.0 s         5       220     305,520
  pool, no rate limit            –      5.0 s         5       132     301,622
`
	rounds := exampleRounds()
	if got := demoTable(rounds, unpainted); got != want {
		t.Errorf("table is\n%s\nwant\n%s", got, want)
	}
	notes := demoNotes(rounds)
	for _, want := range []string{": 56 % less network", "63 % fewer round trips", "~ is what 10 messages took, multiplied"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q:\n%s", want, notes)
		}
	}
	if end := demoEnd(rounds); end != "You saw 100 messages leave in 5.0 s instead of 230.0 s. Yours next: kaizen send" {
		t.Errorf("ends with %q", end)
	}
}

func TestDemoFitsTheTerminal(t *testing.T) {
	t.Parallel()
	rounds := exampleRounds()
	screen := &demoScreen{out: io.Discard, paint: unpainted, width: 80}
	var lines []string
	for _, round := range rounds {
		for _, r := range round.runs {
			lines = append(lines, screen.line(r, 0))
		}
	}
	all := demoIntroduction(demoOptions{speed: 10}) + demoTable(rounds, unpainted) + demoNotes(rounds) + demoEnd(rounds)
	for _, line := range append(lines, strings.Split(all, "\n")...) {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestDemoBar(t *testing.T) {
	t.Parallel()
	tests := []struct {
		done, of, width int
		want            string
	}{
		{0, 10, 10, "░░░░░░░░░░"}, {5, 10, 10, "█████░░░░░"}, {10, 10, 10, "██████████"}, {1, 100, 10, "░░░░░░░░░░"}, {1, 1, -7, "█████"},
	}
	for _, tt := range tests {
		if got := bar(tt.done, tt.of, tt.width); got != tt.want {
			t.Errorf("bar of %d in %d is %s, want %s", tt.done, tt.of, got, tt.want)
		}
	}
}

func TestDemoRedrawsInPlace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	screen := &demoScreen{out: &out, paint: unpainted, redraw: true, width: 80}
	round := exampleRounds()[1]
	screen.follow(round)()
	frames := strings.Split(out.String(), "\x1b[3A")
	if len(frames) < 2 {
		t.Fatalf("drawn once: %q", out.String())
	}
	last := frames[len(frames)-1]
	if strings.Count(last, "\n") != 3 || !strings.Contains(last, "  10/10    3.0 s") {
		t.Errorf("the last frame is %q", last)
	}
}

func TestDemoRuns(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	app := &app{stdout: &out, stderr: io.Discard, lookupEnv: func(string) (string, bool) { return "", false }}
	if err := app.demo(t.Context(), demoOptions{speed: 1000, counts: []int{1, 10}}); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "\x1b") || !strings.Contains(text, "1000 times faster") {
		t.Errorf("printed %q", text)
	}
	// Times at this speed are the machine's; connections are exact.
	for _, want := range []string{`(?m)^  a connection each +23 s +\S+ s +10 +60 `, `(?m)^  pool, 10 per second +6 s +\S+ s +[1-5] `, `(?m)^  pool, no rate limit +– +\S+ s +[1-5] `} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("nothing matches %s in\n%s", want, out.String())
		}
	}
}

func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	app := &app{stdout: io.Discard, stderr: io.Discard, lookupEnv: func(string) (string, bool) { return "", false }}
	err := app.demo(ctx, demoOptions{speed: 1000, counts: []int{1, 10}})
	if !errors.Is(err, context.Canceled) || exitCodeOf(ctx, err) != exitInterrupted {
		t.Errorf("error %v, want an interruption", err)
	}
}
