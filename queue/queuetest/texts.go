package queuetest

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

var texts = []behaviour{
	{promise: "texts come back as they went in, or are refused", check: textsRoundTrip},
}

// awkward are texts that stores have been known to spoil.
var awkward = []string{
	"", "plain", "'; DROP TABLE jobs; --", "\"quoted\"", "per%cent", "under_line", "back\\slash", "ünïcödé", "\U0001F600", "e\u0301",
	"\u2028line", "\uFEFFmark", "\uFFFD", "\x00nul", "a\x00b", "bad\xff", "\xc3", "new\nline", "tab\t", "\x7f", "null", "NaN", "0x10", "12e3", " blank ", "\u00a0",
	"<script>&amp;", "$1 ?1 :a @a", strings.Repeat("long", 400), strings.Repeat("ü", 127),
}

// Invariant 32.
func textsRoundTrip(f *fixture) {
	for i, a := range awkward {
		b := awkward[(i*7+3)%len(awkward)]
		f.roundTrip([]byte(a), a, "u@example.org", "one@example.org", "", "")
		f.roundTrip([]byte(b), "s", a+"@example.org", a, b, "k")
		f.roundTrip(nil, b, "", "one@example.org", a, b)
	}
}

// roundTrip puts, sends and forgets a job with these texts.
func (f *fixture) roundTrip(body []byte, subject, from, address, tag, key string) {
	f.Helper()
	s := job("lane", to(address, "other@example.org"), withKey(key))
	s.Body, s.Subject, s.Envelope.From, s.MessageID = queue.Octets(body), subject, from, tag
	s.Recipients[0].OriginalRecipient, s.Envelope.EnvelopeID = subject, key
	if tag != "" {
		s.Tags, s.Lane = []string{"first", tag}, tag
	}
	receipts, err := f.store.Put(f.ctx, f.now, []queue.Submission{s})
	if err != nil {
		var refused *queue.InvalidError
		if !errors.As(err, &refused) {
			f.Fatalf("Put of %s: %v, want an InvalidError if anything", text(s.Job), err)
		}
		return
	}
	d := f.get(receipts[0].ID)
	f.sameTexts(&d.Job, &s.Job)
	if got := f.content(d.Body); got != string(body) {
		f.Fatalf("the body is %q, was %q", got, body)
	}
	for what, filter := range map[string]queue.Filter{
		"lane": {Lane: s.Lane}, "key": {Key: key}, "subject": {Subject: subject}, "Message-ID": {MessageID: tag}, "tag": {Tag: tag},
		"sender": {Sender: from}, "recipient": {Recipient: address},
	} {
		filter.States = []queue.State{queue.Queued}
		if got := f.list(filter); len(got) != 1 || got[0] != d.ID {
			f.Fatalf("the filter by %s finds %v, want job %s: %s", what, got, d.ID, text(filter))
		}
	}
	f.roundTripReply(s.Lane, d.ID, subject, string(body))
}

// roundTripReply fails a job for the words of a server.
func (f *fixture) roundTripReply(lane string, id queue.ID, words, others string) {
	f.Helper()
	f.ok(f.store.Pause(f.ctx, f.now, lane, words))
	if got := f.lane(lane).Reason; got != queue.Clean(words) {
		f.Fatalf("the reason of a pause is %q, was %q", got, words)
	}
	f.ok(f.store.Resume(f.ctx, f.now, lane))
	c := f.claimID(lane, id)
	s := failed(&c)
	s.Reason, s.Attempt.Error, s.Attempt.Transcript, s.Attempt.QueueID = others, words, others, words
	s.Attempt.Reply.Text, s.Recipients[0].Reply.Text = words, others
	s.Attempt.Recipients = []smtp.RecipientResult{{Address: words, Reply: smtp.Reply{Code: 550, Text: others}}}
	f.ok(f.settle(s))
	d := f.state(id, queue.Failed)
	a := d.History[0].Attempt
	words, others = queue.Clean(words), queue.Clean(others)
	for _, pair := range [][2]string{
		{d.Last.Text, words}, {d.Reason, others}, {d.Recipients[0].Reply.Text, others}, {a.Reply.Text, words}, {a.Error, words},
		{a.Transcript, others}, {a.QueueID, words}, {a.Recipients[0].Address, words}, {a.Recipients[0].Reply.Text, others},
	} {
		if pair[0] != pair[1] || !utf8.ValidString(pair[0]) {
			f.Fatalf("a server's words came back as %q, were %q", pair[0], pair[1])
		}
	}
	f.advance(time.Minute)
	f.purge(queue.Retention{Failed: time.Second})
	f.gone(id)
}

// sameTexts compares without JSON, which would hide some differences.
func (f *fixture) sameTexts(got, want *queue.Job) {
	f.Helper()
	pairs := [][2]string{
		{got.Lane, want.Lane}, {got.Subject, want.Subject}, {got.MessageID, want.MessageID}, {got.Key, want.Key},
		{got.Envelope.From, want.Envelope.From}, {got.Envelope.EnvelopeID, want.Envelope.EnvelopeID},
		{strings.Join(got.Tags, "\n"), strings.Join(want.Tags, "\n")},
	}
	for i, r := range want.Recipients {
		pairs = append(pairs, [2]string{got.Recipients[i].Address, r.Address}, [2]string{got.Recipients[i].OriginalRecipient, r.OriginalRecipient})
	}
	for _, pair := range pairs {
		if pair[0] != pair[1] {
			f.Fatalf("a text came back as %q, was %q", pair[0], pair[1])
		}
	}
}

// FuzzPut fuzzes all texts of a job: they come back as they went in, or are
// refused by Put.
func FuzzPut(f *testing.F, h Harness) {
	for i, a := range awkward {
		b := awkward[(i*11+5)%len(awkward)]
		f.Add([]byte(a), a, "u@example.org", "one@example.org", b, b)
		f.Add([]byte(a), b, a+"@example.org", b+"@example.org", "t", "k")
	}
	shared := newFixture(f, h)
	f.Fuzz(func(t *testing.T, body []byte, subject, from, address, tag, key string) {
		mine := *shared
		mine.TB = t
		mine.roundTrip(body, subject, from, address, tag, key)
	})
}
