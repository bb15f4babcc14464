package queue

import (
	"slices"
	"strings"
)

// Matches reports whether the filter chooses the job; After, Reverse and Limit do
// not count.
func (f *Filter) Matches(j *Job) bool {
	switch {
	case len(f.States) > 0 && !slices.Contains(f.States, j.State),
		f.Lane != "" && f.Lane != j.Lane,
		f.MessageID != "" && f.MessageID != j.MessageID,
		f.Key != "" && f.Key != j.Key,
		f.Tag != "" && !slices.Contains(j.Tags, f.Tag),
		f.Doubt && !j.Doubt,
		!f.Since.IsZero() && j.Created.Before(f.Since),
		!f.Until.IsZero() && !j.Created.Before(f.Until),
		!has(j.Envelope.From, f.Sender),
		!has(j.Subject, f.Subject),
		!has(j.Last.String(), f.Reply) && !has(j.Reason, f.Reply):
		return false
	}
	return f.Recipient == "" || slices.ContainsFunc(j.Recipients, func(r Recipient) bool { return has(r.Address, f.Recipient) })
}

// Most is the Limit, or its default.
func (f *Filter) Most() int {
	if f.Limit <= 0 {
		return 100
	}
	return f.Limit
}

// has reports whether s has the part, whatever the case.
func has(s, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
