package main

import (
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen"
)

// relative is a time as people say it: "3 min ago", "in 20 s", "now".
func relative(t, now time.Time) string {
	switch d := now.Sub(t); {
	case d >= time.Second:
		return inShort(d) + " ago"
	case d <= -time.Second:
		return "in " + inShort(-d)
	}
	return "now"
}

// inShort is a length of time in its largest unit.
func inShort(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d days", d/day)
	}
}

// words are the limit and what is used of it: "7/10 per second".
func (l *limitUse) words() string {
	used, count := fmt.Sprint(l.Used), fmt.Sprint(l.Count)
	unit := ""
	switch l.rate.Unit {
	case kaizen.Recipients:
		unit = " recipients"
	case kaizen.Octets:
		used, count = octets(l.Used), octets(int64(l.Count))
	}
	return used + "/" + count + unit + " per " + spanInWords(l.rate.Per)
}

func spanInWords(d time.Duration) string {
	switch d {
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	}
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "days"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if d%u.length == 0 {
			return fmt.Sprintf("%d %s", d/u.length, u.name)
		}
	}
	return d.String()
}
