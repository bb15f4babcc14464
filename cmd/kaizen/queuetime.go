package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const oneDay = 24 * time.Hour

// parseLength reads a length of time as time.ParseDuration does, and days: "36h",
// "7d", "1d12h".
func parseLength(s string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is no length of time like 90s, 4h or 7d", s)
	text := s
	var total time.Duration
	if before, after, ok := strings.Cut(s, "d"); ok {
		days, err := strconv.ParseFloat(before, 64)
		if err != nil || !(days >= 0 && days <= 100_000) {
			return 0, wrong
		}
		total, text = time.Duration(days*float64(oneDay)), after
	}
	if text == "" && s != "" {
		return total, nil
	}
	rest, err := time.ParseDuration(text)
	if err != nil || rest < 0 || total+rest < 0 {
		return 0, wrong // or more than 292 years
	}
	return total + rest, nil
}

// lengthFlag is a length of time on the command line; "never" where that is
// permitted is negative.
type lengthFlag struct {
	length time.Duration
	never  bool // is permitted
}

// Set reads what was written.
func (f *lengthFlag) Set(s string) (err error) {
	if f.never && s == "never" {
		f.length = -1
		return nil
	}
	f.length, err = parseLength(s)
	return err
}

func (f *lengthFlag) String() string {
	switch {
	case f == nil || f.length == 0:
		return ""
	case f.length < 0:
		return "never"
	}
	return f.length.String()
}

// Type is how help pages call the value.
func (f *lengthFlag) Type() string { return "duration" }

// momentLayouts are the ways to write a time; those without a zone are local.
var momentLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// parseMoment reads a time: "2026-05-04 08:00", "08:00", "tomorrow 08:00", or RFC
// 3339. A length of time is counted from now: "in 2h", "2h ago", and "2h" in the
// direction that is meant.
func parseMoment(s string, now time.Time, ahead bool) (time.Time, error) {
	text := strings.TrimSpace(s)
	for _, layout := range momentLayouts {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, ok := timeOfDay(text, now, ahead); ok {
		return t, nil
	}
	length, future := strings.CutPrefix(text, "in ")
	length, past := strings.CutSuffix(length, " ago")
	d, err := parseLength(strings.ReplaceAll(length, " ", ""))
	if err != nil || future && past {
		return time.Time{}, fmt.Errorf("%q is no time like 2026-05-04 08:00, 08:00, tomorrow 08:00, %s", s, map[bool]string{true: "in 2h or 3d", false: "2h or 3d"}[ahead])
	}
	if future || ahead && !past {
		return now.Add(d), nil
	}
	return now.Add(-d), nil
}

// timeOfDay is "08:00", of today unless that is in the wrong direction; "today
// 08:00", "tomorrow 08:00", "yesterday 08:00"; or such a day's beginning.
func timeOfDay(text string, now time.Time, ahead bool) (time.Time, bool) {
	offset, named := 0, false
	for word, days := range map[string]int{"yesterday": -1, "today": 0, "tomorrow": 1} {
		if rest, ok := strings.CutPrefix(text, word); ok {
			text, offset, named = strings.TrimSpace(rest), days, true
		}
	}
	var hour time.Time
	if text != "" || !named {
		var err error
		if hour, err = time.Parse("15:04", text); err != nil {
			if hour, err = time.Parse(time.TimeOnly, text); err != nil {
				return time.Time{}, false
			}
		}
	}
	at := func(days int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+days, hour.Hour(), hour.Minute(), hour.Second(), 0, now.Location())
	}
	t := at(offset)
	switch {
	case !named && ahead && t.Before(now):
		t = at(1)
	case !named && !ahead && t.After(now):
		t = at(-1)
	}
	return t, true
}
