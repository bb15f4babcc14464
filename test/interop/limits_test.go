package interop_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// checkLimits sends more than the server wants: the client learns, and nothing
// is lost or refused. Each limit has a server to itself, as one that has just
// been left may still count a connection.
func checkLimits(t *testing.T, w *workshop, r *productReport, p product) {
	for _, limit := range []struct {
		row   string
		is    limits
		has   bool
		lacks string
		check func(*testing.T, *workshop, *productReport, *instance)
	}{
		{manyRecipients, limits{recipients: 50}, true, "", checkManyRecipients},
		{connectionLimit, limits{connections: 2}, r.knobs.connections, "The server has no such setting.", checkConnectionLimit},
		{messageLimit, limits{messages: 7}, r.knobs.messages, "The server has no such limit.", checkMessageLimit},
	} {
		if !limit.has {
			r.absent(limit.row, limit.lacks, "")
			continue
		}
		t.Run(limit.row, func(t *testing.T) {
			defer r.result(t, limit.row, "")
			in := p.start(t, w, limit.is)
			r.tight = starttls.offers(t, w, in)
			limit.check(t, w, r, in)
			in.retire(t)
		})
	}
}

// checkManyRecipients looks for each of them in what the server notes.
func checkManyRecipients(t *testing.T, w *workshop, _ *productReport, in *instance) {
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
	switch {
	case r.tight.Limits.MailMax == 7 && done.stats.Repeated == 0:
		r.note(messageLimit, "", "The server tells its limit beforehand (LIMITS MAILMAX, RFC 9422). The client goes on with a new connection in time.")
	case done.stats.SessionLimit == 7:
		r.note(messageLimit, "", "The server refuses MAIL beyond its limit. The client takes the message to a new connection, remembers the limit, and from then on leaves before it is reached.")
	default:
		t.Errorf("was told %+v, learned %d, repeated %d messages", r.tight.Limits, done.stats.SessionLimit, done.stats.Repeated)
	}
}

// limited is enough to meet each limit several times.
func limited(t *testing.T) []*letter {
	return number(append(hard(t), composed(t)...)[:60])
}
