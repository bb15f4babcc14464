package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// rateChange is a sink's rate from some time after its start on.
type rateChange struct {
	after time.Duration
	rate  smtptest.Rate
	text  string
}

// cutSchedule cuts "10/1s,5/1s@1m,none@2m" behind what has no time. What begins
// with a time changes a rate that stays as it is until then.
func cutSchedule(text string) (first string, changes []string, err error) {
	parts := strings.Split(text, ",")
	n := 0
	for n < len(parts) && !strings.Contains(parts[n], "@") {
		n++
	}
	if n == 0 {
		return "", nil, fmt.Errorf("--rate: %q says what comes later; say first what holds at the start, or none", text)
	}
	return strings.Join(parts[:n], ","), parts[n:], nil
}

// parseSchedule reads what follows: each is a rate, @ and when. What the server
// says beyond a rate, and where, stays that of the first.
func parseSchedule(changes []string, first smtptest.Rate) (schedule []rateChange, err error) {
	last := time.Duration(0)
	for _, text := range changes {
		rate, when, found := strings.Cut(text, "@")
		after, failed := time.ParseDuration(when)
		if !found || failed != nil || after <= last {
			return nil, fmt.Errorf("--rate: %q is not a rate and its time after the start, as 5/1s@1m, later than the one before", text)
		}
		change := rateChange{after, first, rate}
		if err := readRate("rate", rate, func(string) bool { return true }, &change.rate); err != nil {
			return nil, err
		}
		schedule, last = append(schedule, change), after
	}
	return schedule, nil
}

// follow changes the server's rate when it is time, and says so; it returns at
// the end of the schedule, or of ctx.
func follow(ctx context.Context, schedule []rateChange, stderr io.Writer, server *smtptest.Server) {
	begin := time.Now()
	for _, change := range schedule {
		due := time.NewTimer(time.Until(begin.Add(change.after)))
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-due.C:
			server.SetRate(change.rate)
			fmt.Fprintf(stderr, "rate %s after %v\n", change.text, change.after)
		}
	}
}
