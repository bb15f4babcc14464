package kaizen

import (
	"time"
)

// line is what a job waits for that could go: the server, a limit, or others
// before it. active says that it has its turn already.
func (s *Situation) line(account string, ahead int, active bool) Why {
	if chain := members(account); chain != nil {
		carrier, before := s.via(chain)
		w := s.line(carrier, ahead, active)
		w.Sentence = before + w.Sentence
		return w
	}
	w, blocked := s.blocked(account, ahead)
	if blocked {
		return w
	}
	where := "in account " + account
	switch {
	case active && w.Code == WhyInLine:
		w.Code, w.Ahead, w.Next = WhySending, 0, time.Time{}
		w.Sentence = "it has its turn: the next free connection of account " + account + " takes it"
	case active:
		w.Sentence += ", and it is among the next" + s.about(w.Next)
	case w.Code != WhyInLine:
		w.Sentence += ", " + s.ahead(ahead) + s.about(w.Next)
	case ahead == 0:
		w.Sentence = "it is the next one " + where
	default:
		w.Sentence = s.ahead(ahead) + " " + where + s.about(w.Next)
	}
	return w
}

// backlog is the same for all jobs of an account.
func (s *Situation) backlog(account string, waiting int) Why {
	if chain := members(account); chain != nil {
		carrier, before := s.via(chain)
		w := s.backlog(carrier, waiting)
		w.Sentence = before + w.Sentence
		return w
	}
	w, blocked := s.blocked(account, waiting-1)
	if blocked {
		return w
	}
	if w.Code == WhyInLine {
		w.Code, w.Sentence = WhySending, "account "+account+" is sending"
	}
	w.Sentence += ", " + jobs(waiting) + " left" + s.about(w.Next)
	w.Ahead = 0
	return w
}

// blocked is why nothing goes out at the moment, else what sets the pace, and when
// a job with so many ahead will go.
func (s *Situation) blocked(account string, ahead int) (w Why, blocked bool) {
	status := s.status(account)
	h := &status.Health
	if h.Condition == Down {
		return s.down(account, h), true
	}
	w = Why{Code: WhyInLine, Ahead: ahead}
	limit, at := s.pace(status, ahead+1)
	if !at.IsZero() {
		w.Next = at
	}
	if limit != nil {
		w.Code, w.Sentence = WhyRate, "account "+account+": "+rateWords(limit.Rate)+" reached"
		return w, false
	}
	if h.Cause == CauseThrottled {
		w.Code, w.Sentence = WhyRate, "the server of account "+account+" asks to go slower"+because(oneLine(h.Reason))
		return w, false
	}
	if busy, all := connections(status); all {
		w.Code, w.Sentence = WhyConnections, "all "+plurally(busy, "connection")+" of account "+account+" are busy"
		if busy == 1 {
			w.Sentence = "the only connection of account " + account + " is busy"
		}
	}
	return w, false
}

func (s *Situation) down(account string, h *Health) Why {
	w := Why{Code: WhyDown, Since: h.Since, Sentence: "account " + account + " cannot reach its server" + because(oneLine(h.Reason))}
	if h.Cause == CauseQuota {
		w.Code, w.Sentence = WhyQuota, "account "+account+" may not send for now"+because(oneLine(h.Reason))
	}
	if h.NextProbe.After(s.Now) {
		w.Next = h.NextProbe
		w.Sentence += "; the server is asked again " + s.until(h.NextProbe)
	}
	return w
}

// connections tells how many an account has, and whether all are busy.
func connections(status *Status) (busy int, all bool) {
	capacity := 0
	for i := range status.Processes {
		busy += status.Processes[i].Stats.Busy
		capacity += status.Processes[i].Stats.Capacity
	}
	return busy, busy > 0 && busy >= capacity
}

const (
	// farthest is how far ahead a guess is worth telling.
	farthest = 30 * 24 * time.Hour
	// nearLimit is which part of a rate is sent by who is held up by it: an account
	// that uses all of a limit per second is, at most moments, just below it.
	nearLimit = 0.8
)

// pace guesses when the n-th message from now goes out: by the limits with what is
// used of them, and by how fast messages were seen to go. limit is the one that is
// reached and takes longest, or nil. at is zero if nobody can tell.
func (s *Situation) pace(status *Status, n int) (limit *LimitStatus, at time.Time) {
	var wait time.Duration
	known := false
	perSecond := speed(status)
	for i := range status.Limits {
		l := &status.Limits[i]
		if l.Rate.Unit != Messages || l.Rate.Count <= 0 {
			if l.Free > 0 && l.Free >= wait {
				limit, wait, known = l, l.Free, true
			}
			continue
		}
		takes := l.takes(n)
		known = true
		if reached := l.reached(perSecond); reached && (limit == nil || takes >= wait) {
			limit = l
		}
		wait = max(wait, takes)
	}
	if perSecond > 0 {
		seen := float64(n) / perSecond
		if seen > farthest.Seconds() {
			return limit, time.Time{}
		}
		wait, known = max(wait, time.Duration(seen*float64(time.Second))), true
	}
	if !known || wait > farthest {
		return limit, time.Time{}
	}
	return limit, s.Now.Add(wait)
}

// speed is how many messages a second all processes send with the account.
func speed(status *Status) (perSecond float64) {
	for i := range status.Processes {
		perSecond += status.Processes[i].PerSecond
	}
	return perSecond
}

// reached reports whether messages wait for this limit, as far as one can see.
func (l *LimitStatus) reached(perSecond float64) bool {
	return l.Free > 0 || l.Used >= int64(l.Rate.Count) || perSecond >= nearLimit*float64(l.Rate.Count)/l.Rate.Per.Seconds()
}

// takes is how long the limit needs to let n messages through.
func (l *LimitStatus) takes(n int) time.Duration {
	left := int64(l.Rate.Count) - l.Used
	if int64(n) <= left {
		return 0
	}
	spans := float64(int64(n)-max(left, 0)) / float64(l.Rate.Count)
	wait := spans * l.Rate.Per.Seconds()
	if wait > 2*farthest.Seconds() {
		return 2 * farthest
	}
	return max(time.Duration(wait*float64(time.Second)), l.Free)
}
