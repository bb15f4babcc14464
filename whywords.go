package kaizen

import (
	"fmt"
	"strconv"
	"time"
)

// clock is a time of day, with the day unless that is today.
func (s *Situation) clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(s.Now.Location())
	if t.Format(time.DateOnly) == s.Now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// ago is how long something is over: "3 min ago".
func (s *Situation) ago(t time.Time) string {
	if d := s.Now.Sub(t); !t.IsZero() && d >= time.Second {
		return span(d) + " ago"
	}
	return "just now"
}

// until is how long something will take yet: "in 4 min".
func (s *Situation) until(t time.Time) string {
	if d := t.Sub(s.Now); d >= time.Second {
		return "in " + span(d)
	}
	return "within a second"
}

// about is a guess of when, as the end of a sentence; nothing if there is none.
func (s *Situation) about(t time.Time) string {
	if d := t.Sub(s.Now); t.IsZero() {
		return ""
	} else if d >= time.Second {
		return ", about " + span(d)
	}
	return ", about a second"
}

func (s *Situation) ahead(n int) string {
	if n == 0 {
		return "it is the next one"
	}
	return thousands(n) + " ahead"
}

// span is a length of time in its largest unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/day)
}

// thousands groups digits: 4,213.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func plurally(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

func jobs(n int) string { return plurally(n, "job") }

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return thousands(n) + " tries"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// because is a reason as the end of a sentence, if there is one.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func since(when string) string {
	if when == "" {
		return ""
	}
	return " since " + when
}

func orElse(text, standard string) string {
	if text != "" {
		return text
	}
	return standard
}

// rateWords are a rate as people say it: "10 per second".
func rateWords(r Rate) string {
	unit := map[Unit]string{Recipients: " recipients", Octets: " octets"}[r.Unit]
	return thousands(r.Count) + unit + " per " + perWords(r.Per)
}

func perWords(d time.Duration) string {
	for name, length := range spans {
		if d == length {
			return name
		}
	}
	return span(d)
}
