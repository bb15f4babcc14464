package interop_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// checkLimits sends more than the server wants: the client learns, and nothing
// is lost or refused.
func checkLimits(t *testing.T, w *workshop, r *productReport, in *instance) {
	starttls.offers(t, w, in) // it is up
	t.Run(manyRecipients, func(t *testing.T) {
		defer r.result(t, manyRecipients, "")
		checkManyRecipients(t, w, in)
	})
	if in.settings.connections {
		t.Run(connectionLimit, func(t *testing.T) {
			defer r.result(t, connectionLimit, "")
			checkConnectionLimit(t, w, r, in)
		})
	} else {
		r.absent(connectionLimit, "The server has no such setting for a client.", "")
	}
	if in.settings.messages {
		t.Run(messageLimit, func(t *testing.T) {
			defer r.result(t, messageLimit, "")
			checkMessageLimit(t, w, r, in)
		})
	} else {
		r.absent(messageLimit, "The server has no such limit.", "")
	}
}

// checkManyRecipients looks for each of them in what the server notes.
func checkManyRecipients(t *testing.T, w *workshop, in *instance) {
	const n = 1001
	to := make([]string, n)
	for i := range to {
		to[i] = fmt.Sprintf("bob+r%d@%s", i, domain)
	}
	w.accepts(t, "send", "--server", starttls.url(in, true, smtp.LevelAuto), "--from", sender,
		"--bcc", strings.Join(to, ","), "--subject", "many", "--text", "x")
	seen := map[string]int{}
	tag := regexp.MustCompile(`(?mi)^(?:X-Original-To|Envelope-to|Delivered-To): (bob\+r\d+@\S+)\r?$`)
	for _, got := range in.collect(t, "bob", n) {
		if m := tag.FindSubmatch(got); m != nil {
			seen[string(m[1])]++
		}
	}
	for _, address := range to {
		if seen[address] != 1 {
			t.Errorf("%s got it %d times", address, seen[address])
		}
	}
}

func checkConnectionLimit(t *testing.T, w *workshop, r *productReport, in *instance) {
	s := session{starttls, true}
	done := sendPool(t, s.account(w, in, smtp.LevelAuto), r.offered[s.link.name], limited(t), false)
	in.expectLetters(t, done.accepted, s)
	if done.stats.Capacity > 2 || done.stats.Capacity == 0 {
		t.Errorf("learned that %d connections may be open, want 1 or 2", done.stats.Capacity)
	}
	r.note(connectionLimit, "", "The server answers the third connection with 421. The client goes on with those it has; nothing is refused.")
}

func checkMessageLimit(t *testing.T, w *workshop, r *productReport, in *instance) {
	s := session{starttls, true}
	account := s.account(w, in, smtp.LevelAuto)
	account.Limits.Connections = 1
	done := sendPool(t, account, r.offered[s.link.name], limited(t), false)
	in.expectLetters(t, done.accepted, s)
	if done.stats.SessionLimit == 0 {
		t.Errorf("learned no limit; connections ended for %v", done.stats.Closed)
	}
	r.note(messageLimit, "", "The server refuses MAIL beyond its limit. The client takes the message to a new connection, remembers the limit, and from then on leaves before it is reached.")
}

// limited is enough to meet each limit several times.
func limited(t *testing.T) []*letter {
	return number(append(hard(t), composed(t)...)[:60])
}
