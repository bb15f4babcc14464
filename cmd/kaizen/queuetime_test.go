package main

import (
	"testing"
	"time"
)

func TestParseLength(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "7d": 7 * oneDay, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "0s": 0} {
		if got, err := parseLength(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7", "d", "-1d", "-1h", "1h1d", "7days", "1e9d", "NaNd", "1d-2h", "100000d2500000h"} {
		if got, err := parseLength(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestParseMoment(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("CEST", 2*60*60)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, zone)
	for _, test := range []struct {
		text  string
		ahead bool
		want  time.Time
	}{
		{"2026-05-06", true, time.Date(2026, 5, 6, 0, 0, 0, 0, zone)},
		{"2026-05-06 08:30", true, time.Date(2026, 5, 6, 8, 30, 0, 0, zone)},
		{"2026-05-06T08:30:00Z", true, time.Date(2026, 5, 6, 8, 30, 0, 0, time.UTC)},
		{"08:30", true, time.Date(2026, 5, 5, 8, 30, 0, 0, zone)},
		{"18:30", true, time.Date(2026, 5, 4, 18, 30, 0, 0, zone)},
		{"18:30", false, time.Date(2026, 5, 3, 18, 30, 0, 0, zone)},
		{"08:30", false, time.Date(2026, 5, 4, 8, 30, 0, 0, zone)},
		{"tomorrow 08:30", true, time.Date(2026, 5, 5, 8, 30, 0, 0, zone)},
		{"tomorrow", true, time.Date(2026, 5, 5, 0, 0, 0, 0, zone)},
		{"yesterday", false, time.Date(2026, 5, 3, 0, 0, 0, 0, zone)},
		{"today", false, time.Date(2026, 5, 4, 0, 0, 0, 0, zone)},
		{"in 2h", true, now.Add(2 * time.Hour)},
		{"in 2 d", true, now.Add(2 * oneDay)},
		{"2h", true, now.Add(2 * time.Hour)},
		{"2h", false, now.Add(-2 * time.Hour)},
		{"2h ago", false, now.Add(-2 * time.Hour)},
	} {
		if got, err := parseMoment(test.text, now, test.ahead); err != nil || !got.Equal(test.want) {
			t.Errorf("%q: got %v, %v; want %v", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{"", "soon", "25:00", "in 2h ago", "2026-13-01", "in", "ago"} {
		if got, err := parseMoment(text, now, true); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func FuzzParseMoment(f *testing.F) {
	for _, text := range []string{"2026-05-06 08:30", "08:30", "tomorrow 08:30", "in 2h", "3d", "2h ago", "0.5d1h", "NaNd"} {
		f.Add(text, true)
	}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string, ahead bool) {
		if d, err := parseLength(text); err == nil {
			if d < 0 {
				t.Errorf("%q is %v long", text, d)
			}
			counted := now.Add(-d)
			if ahead {
				counted = now.Add(d)
			}
			if got, err := parseMoment(text, now, ahead); err != nil || !got.Equal(counted) {
				t.Errorf("%q is %v long, and becomes %v, %v", text, d, got, err)
			}
		}
	})
}
