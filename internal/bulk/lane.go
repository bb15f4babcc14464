package bulk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// Server is one of the accounts that the rows are shared among.
type Server struct {
	Account kaizen.Account
	// Weight is its share of the rows. If no server has one, each takes as many as
	// it can.
	Weight int
}

const (
	// sendersPerConnection keep a line waiting behind each connection, so that
	// the next message is there before the last one's verdict.
	sendersPerConnection = 4
	// begunPerConnection is how many messages of a connection may have been begun
	// and not settled in the journal: the one whose verdict is due, and the one
	// whose verdict is being noted.
	begunPerConnection = 2

	firstPause = time.Second
	lastPause  = time.Minute
)

// lane is one server with those who send through it. The dispatcher alone
// touches it, but for the channels.
type lane struct {
	Server
	name  string
	jobs  chan *job
	begun chan struct{} // full while begunPerConnection messages of each are begun

	senders int // how many there are
	busy    int // have a job
	credit  int // of the weighted turns

	pause   time.Duration // after the last trouble; 0: none
	until   time.Time     // paused
	since   time.Time     // of the first trouble without a success since
	trouble error
	stopped error // nothing more is sent here
}

func newLane(s Server) *lane {
	connections := s.Account.Limits.Connections
	if connections <= 0 {
		connections = 5
	}
	return &lane{Server: s, name: nameOf(s.Account), senders: sendersPerConnection * connections,
		jobs: make(chan *job), begun: make(chan struct{}, begunPerConnection*connections)}
}

func nameOf(a kaizen.Account) string { return strings.TrimPrefix(fmt.Sprint(a), "account ") }

// free reports whether a job may be handed over now. A lane in trouble is
// tried with one job at a time.
func (l *lane) free(now time.Time) bool {
	if l.stopped != nil || l.busy >= l.senders {
		return false
	}
	return l.pause == 0 || l.busy == 0 && !now.Before(l.until)
}

// verdict is what a try tells about the server.
type verdict uint8

const (
	silent   verdict = iota // it was not asked
	serves                  // whatever it said of the message
	troubled                // not now, for any message
	refuses                 // nor later, unless something is changed
)

// judge tells whether a failure is about the server or about the message.
func judge(err error) verdict {
	if err == nil {
		return serves
	}
	var e *kaizen.Error
	if !errors.As(err, &e) || e.Server == "" {
		return silent
	}
	if !e.SafeToRetry() {
		return serves // one that got that far
	}
	switch e.Class {
	case kaizen.ErrAuth, kaizen.ErrQuota:
		return refuses
	case kaizen.ErrTLS:
		if e.Temporary() {
			return troubled
		}
		return refuses
	case kaizen.ErrConnect:
		if e.Reply.Permanent() {
			return refuses
		}
		return troubled
	case kaizen.ErrProtocol:
		if e.Phase == smtp.PhaseGreeting || e.Phase == smtp.PhaseHello {
			return refuses
		}
	case kaizen.ErrAuthTemporary, kaizen.ErrRate, kaizen.ErrConnectionLimit, kaizen.ErrSessionLimit, kaizen.ErrTimeout:
		return troubled
	}
	return serves
}

func aboutServer(err error) bool {
	v := judge(err)
	return v == troubled || v == refuses
}

// learn draws the conclusions of a try for the lane.
func (l *lane) learn(err error, now time.Time, giveUp time.Duration) {
	switch judge(err) {
	case serves:
		l.pause, l.since, l.trouble = 0, time.Time{}, nil
	case refuses:
		l.stopped = err
	case troubled:
		if now.Before(l.until) {
			return // the jobs beside the one that was first to see it
		}
		if l.since.IsZero() {
			l.since = now
		}
		l.trouble = err
		l.pause = min(max(2*l.pause, firstPause), lastPause)
		l.until = now.Add(l.pause)
		if now.Sub(l.since) > giveUp {
			l.stopped = err
		}
	}
}

// send is what a sender does until its lane has no more jobs.
func (l *lane) send(ctx context.Context, r *run) {
	for j := range l.jobs {
		j.try(ctx, r, l)
		r.done <- done{j, l}
	}
}

// choose picks the lane for the next job, or nil if it has to wait. With
// weights, turns are taken among the lanes that are not in trouble, and waited
// for: shares hold even if one of them could take more.
func choose(lanes []*lane, now time.Time) *lane {
	weighted := false
	for _, l := range lanes {
		weighted = weighted || l.Weight > 0
	}
	if !weighted {
		return chooseFree(lanes, now)
	}
	var best *lane
	total := 0
	for _, l := range lanes {
		if l.stopped != nil || l.pause > 0 && !l.free(now) {
			continue
		}
		total += max(l.Weight, 1)
		if best == nil || l.credit+max(l.Weight, 1) > best.credit+max(best.Weight, 1) {
			best = l
		}
	}
	if best == nil || !best.free(now) {
		return nil
	}
	for _, l := range lanes {
		if l.stopped == nil && (l.pause == 0 || l.free(now)) {
			l.credit += max(l.Weight, 1)
		}
	}
	best.credit -= total
	return best
}

// chooseFree picks the lane with the most room.
func chooseFree(lanes []*lane, now time.Time) (best *lane) {
	for _, l := range lanes {
		if l.free(now) && (best == nil || l.senders-l.busy > best.senders-best.busy) {
			best = l
		}
	}
	return best
}
