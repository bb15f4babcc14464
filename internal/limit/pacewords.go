package limit

import (
	"strconv"
	"strings"
	"time"
)

// longestWait is what a reply may ask for; what is longer is not believed.
const longestWait = 24 * time.Hour

// RetryAfter reads from a reply how long to wait: "try again in 30 seconds",
// "retry after 5 minutes", "wait 1h30m", "Retry-After: 120". A number needs a
// unit, but for the last form, which is in seconds as in HTTP (RFC 9110 §10.2.3).
// It is false where nothing is said, or nothing between 0 and 24 hours.
func RetryAfter(reply string) (time.Duration, bool) {
	words := wordsOf(reply)
	for i, w := range words {
		if !asksToWait(w) {
			continue
		}
		rest := skipFillers(words[i+1:])
		wait, n := duration(rest)
		if n == 0 && isOneOf(w, "retry-after") && len(rest) > 0 {
			wait, n = quantity(rest[0], "s")
		}
		if n > 0 && wait > 0 && wait <= longestWait {
			return wait, true
		}
	}
	return 0, false
}

// WindowIn reads from a reply in which time the server counts: "per second",
// "30/min", "hourly limit", "in the last 10 minutes"; Amazon's "sending rate" is
// per second. It is false where nothing is said, or more than an hour.
func WindowIn(reply string) (time.Duration, bool) {
	words := wordsOf(reply)
	for i, w := range words {
		if i > 0 && isOneOf(w, "a", "an") && isOneOf(words[i-1], "in", "after", "for", "wait", "about") {
			continue // in a minute
		}
		if window, said := windowAt(w, words[i+1:]); said && window <= time.Hour {
			return window, true
		}
	}
	return firstWindow, strings.Contains(strings.ToLower(reply), "maximum sending rate")
}

// windowAt reads a window that begins with a word.
func windowAt(word string, rest []string) (time.Duration, bool) {
	if per, found := strings.CutSuffix(word, "ly"); found {
		return unit(per)
	}
	if number, per, found := strings.Cut(word, "/"); found && isNumber(number) {
		return unit(per)
	}
	if !isOneOf(word, "per", "every", "each", "last", "past", "within", "a", "an") || len(rest) == 0 {
		return 0, false
	}
	if window, n := duration(rest); n > 0 {
		return window, window > 0
	}
	return unit(rest[0])
}

// wordsOf splits a reply into words in lower case. The end of a sentence stays
// at its word: what follows is not about the same.
func wordsOf(reply string) []string {
	words := strings.Fields(strings.ToLower(reply))
	for i := range words {
		words[i] = strings.Trim(words[i], `()[]"',:=`)
	}
	return words
}

func asksToWait(word string) bool {
	return isOneOf(word, "again", "retry", "retry-after", "retrying", "wait", "back", "greylisted", "graylisted", "delayed")
}

// skipFillers goes on to what may be a time.
func skipFillers(words []string) []string {
	for len(words) > 0 && isOneOf(words[0], "", "again", "in", "after", "for", "at", "least", "about", "approximately", "another", "later", "the", "next", "your", "message", "please") {
		words = words[1:]
	}
	return words
}

func isOneOf(word string, all ...string) bool {
	for _, w := range all {
		if w == word {
			return true
		}
	}
	return false
}

// duration reads "5 minutes", "1 hour and 30 minutes", "90s", "1h30m", "an
// hour" at the beginning of words, and tells how many it has read.
func duration(words []string) (total time.Duration, read int) {
	for read < len(words) {
		rest := words[read:]
		if read > 0 && rest[0] == "and" {
			rest = rest[1:]
		}
		d, n := oneDuration(rest)
		if n == 0 || total > longestWait {
			break
		}
		total += d
		read = len(words) - len(rest) + n
	}
	return total, read
}

func oneDuration(words []string) (time.Duration, int) {
	if len(words) == 0 {
		return 0, 0
	}
	if len(words) > 1 {
		if d, n := quantity(words[0], words[1]); n > 0 {
			return d, n + 1
		}
	}
	if d, err := time.ParseDuration(strings.TrimRight(words[0], ".;!")); err == nil && d > 0 && d <= longestWait {
		return d, 1
	}
	return 0, 0
}

// quantity is a number of units; "a" is a number.
func quantity(number, of string) (time.Duration, int) {
	number = strings.TrimRight(number, ";!")
	if isOneOf(number, "a", "an", "one") {
		number = "1"
	}
	per, known := unit(of)
	if !known || !isNumber(strings.TrimSuffix(number, ".")) {
		return 0, 0
	}
	n, err := strconv.ParseFloat(strings.TrimSuffix(number, "."), 64)
	if err != nil || n*per.Seconds() > longestWait.Seconds() {
		return 0, 0
	}
	return seconds(n * per.Seconds()), 1
}

func isNumber(word string) bool {
	return word != "" && strings.Trim(word, "0123456789.") == "" && strings.Trim(word, ".") != ""
}

func unit(word string) (time.Duration, bool) {
	switch strings.TrimSuffix(strings.TrimRight(word, ".,;!)"), "(s") {
	case "s", "sec", "secs", "second", "seconds":
		return time.Second, true
	case "m", "min", "mins", "minute", "minutes":
		return time.Minute, true
	case "h", "hr", "hrs", "hour", "hours", "hour's":
		return time.Hour, true
	}
	return 0, false
}
