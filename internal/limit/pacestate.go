package limit

import (
	"fmt"
	"strconv"
	"time"
)

// PaceState is what a [Pace] has learned, to be shown and to be kept for the
// next process. The zero value is that of a server that has not complained.
type PaceState struct {
	PerSecond float64       `json:"per_second"`          // messages; 0: no limit
	Window    time.Duration `json:"window_ns,omitempty"` // the server's, as far as it is known
	Since     time.Time     `json:"since,omitzero"`      // of this rate
	Complaint time.Time     `json:"complaint,omitzero"`  // the last one
	Reply     string        `json:"reply,omitempty"`     // its text, as the server wrote it
	Until     time.Time     `json:"until,omitzero"`      // nothing is started before, if that is later than now
}

// State is what is known now.
func (p *Pace) State() PaceState {
	if !p.active {
		return PaceState{}
	}
	return PaceState{PerSecond: p.rate, Window: p.window, Since: p.since, Complaint: p.complaint, Reply: p.reply, Until: p.paused}
}

// Export is the state to keep: the highest rate that held, not one that is
// being tried.
func (p *Pace) Export() PaceState {
	s := p.State()
	if p.active {
		s.PerSecond = p.good
	}
	return s
}

// Restore takes up what another Pace has exported, unless it is older than a
// day, not plausible, or this one has heard a complaint itself. What is older
// than an hour is tried to be exceeded sooner.
func (p *Pace) Restore(now time.Time, s PaceState) {
	age := now.Sub(s.Complaint)
	if p.active || !(s.PerSecond > 0) || s.PerSecond > 1e6 || age > forget {
		return
	}
	p.active = true
	p.window = min(max(s.Window, firstWindow), time.Hour)
	p.reply, p.complaint = s.Reply, earlier(s.Complaint, now)
	p.set(now, s.PerSecond)
	p.since = earlier(s.Since, now)
	p.event, p.measurable, p.due = now, now, now
	p.paused = earlier(s.Until, now.Add(longestWait))
	p.climb = climb{hold: firstHold, step: smallStep, ceiling: p.rate * (1 + smallStep)}
	if age > forgetBound {
		p.climb.ceiling = 0
	}
	p.climb.rest(now)
}

// String returns "9.5 per second, learned 12:01 from: 454 Throttling failure":
// when the server last complained, in the time zone of Complaint. It is "" where
// nothing is known.
func (s PaceState) String() string {
	if s.PerSecond <= 0 {
		return ""
	}
	text := perTime(s.PerSecond)
	if !s.Complaint.IsZero() {
		text += ", learned " + s.Complaint.Format("15:04")
	}
	if s.Reply != "" {
		text += " from: " + s.Reply
	}
	return text
}

// Words are the rate alone: "9.5 per second".
func (s PaceState) Words() string { return perTime(s.PerSecond) }

// perTime writes a rate in the largest unit that gives at least one message.
func perTime(perSecond float64) string {
	count, unit := perSecond*3600, "hour"
	switch {
	case perSecond >= 1:
		count, unit = perSecond, "second"
	case perSecond*60 >= 1:
		count, unit = perSecond*60, "minute"
	}
	digits := strconv.FormatFloat(count, 'f', 1, 64)
	if count >= 100 {
		digits = strconv.FormatFloat(count, 'f', 0, 64)
	}
	return fmt.Sprintf("%s per %s", digits, unit)
}
