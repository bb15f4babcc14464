package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
)

// advice is what to do about an account; nothing if there is nothing to do.
func (s *accountStatus) advice(now time.Time) string {
	switch kaizen.Cause(s.Cause) {
	case kaizen.CauseLogin:
		return s.loginAdvice()
	case kaizen.CauseOutage, kaizen.CauseTrouble:
		text := "nothing, if the server is known to be away: it is asked again " + s.again(now)
		if s.Configured {
			text += fmt.Sprintf("; 'kaizen account test %s' shows how far one gets", s.Name)
		}
		return text
	case kaizen.CauseQuota:
		return "wait: the server is asked again " + s.again(now) + "; or get a larger allowance"
	case kaizen.CauseFailover:
		return "nothing at once, mail goes through the others; see why the server is away: it is asked again " + s.again(now)
	case kaizen.CauseThrottled:
		return "nothing: messages are sent as fast as the server takes them"
	case kaizen.CauseConnections:
		return "nothing: messages share the connections there are"
	}
	return ""
}

func (s *accountStatus) loginAdvice() string {
	if !s.Configured {
		return "a changed password is tried at once; if it was right, 'kaizen verify' with the same URL tries it, and lets it be used again if it works"
	}
	if s.command {
		return commandStopped(s.Name)
	}
	if s.oauth {
		return fmt.Sprintf("'kaizen account login %[1]s' logs in again; if that is not the cause, 'kaizen account test %[1]s' tries the login, 'kaizen account resume %[1]s' lets programs try it", s.Name)
	}
	return fmt.Sprintf("'kaizen account password %[1]s' if the password is wrong; if it is right, 'kaizen account test %[1]s' tries it, 'kaizen account resume %[1]s' lets programs try it", s.Name)
}

func (s *accountStatus) again(now time.Time) string {
	if s.NextProbe.After(now) {
		return relative(s.NextProbe, now)
	}
	return "with the next message"
}

// notes are what is to be said beside the table: what is wrong, why, and what to
// do; what is coming; what the server was learned to take.
func (s *accountStatus) notes(now time.Time) (lines []string) {
	name := printable(s.Name)
	if !s.healthy() {
		lines = append(lines, fmt.Sprintf("%s is %s: %s", name, s.Condition, flat(s.Reason)))
		if s.Advice != "" {
			lines = append(lines, "  What to do: "+flat(s.Advice)+".")
		}
	}
	for _, w := range s.Warnings {
		lines = append(lines, name+": "+flat(w))
	}
	for _, l := range s.Learned {
		if !s.explains(l.Limit) {
			lines = append(lines, name+": learned: "+learnedInWords(l, now))
		}
	}
	return lines
}

// explains reports whether the reason has said what is learned.
func (s *accountStatus) explains(limit string) bool {
	return s.Cause == string(kaizen.CauseThrottled) && limit == "rate" || s.Cause == string(kaizen.CauseConnections) && limit == "connections"
}

func learnedInWords(l kaizen.LearnedLimit, now time.Time) string {
	what := map[string]string{"connections": "at most %s connections", "messages per connection": "at most %s messages on a connection",
		"recipients": "at most %s recipients of a message", "rate": "about %s"}[l.Limit]
	if what == "" {
		what = l.Limit + " %s"
	}
	text := fmt.Sprintf(what, l.Value)
	if !l.Since.IsZero() {
		text += ", " + relative(l.Since, now)
	}
	return flat(text + ": " + l.Reason)
}

// flat is a text of others, fit for a line of ours.
func flat(s string) string { return printable(strings.Join(strings.Fields(s), " ")) }
