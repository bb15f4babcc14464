package bulk

import (
	"sync/atomic"
	"time"
)

// Progress counts while a run goes on. It may be read at any time.
type Progress struct {
	Rows     atomic.Int64 // that need no further try in this run
	Finished atomic.Int64 // of these, finished by earlier runs
	Twins    atomic.Int64 // of these, left out because an earlier row has the same recipients
	InFlight atomic.Int64 // now: rows being sent
	Waiting  atomic.Int64 // now: rows that wait to be tried again
	Retried  atomic.Int64 // tries beyond the first

	// What follows counts recipients.
	Queued   atomic.Int64
	Accepted atomic.Int64
	Rejected atomic.Int64
	Unknown  atomic.Int64
	Deferred atomic.Int64 // given up for this run; another may succeed
	Bad      atomic.Int64 // of rows that cannot be made a message
}

// count adds a row that needs no further try in this run, which began then.
func (p *Progress) count(j *job, began time.Time) {
	p.Rows.Add(1)
	if len(j.to) == 0 {
		p.Bad.Add(1)
	}
	for _, r := range j.to {
		switch {
		case r.Outcome.Final() && r.Time.Before(began): // an earlier run's
		case r.Outcome == Queued:
			p.Queued.Add(1)
		case r.Outcome == Accepted:
			p.Accepted.Add(1)
		case r.Outcome == Rejected:
			p.Rejected.Add(1)
		case r.Outcome == Unknown:
			p.Unknown.Add(1)
		case j.bad:
			p.Bad.Add(1)
		default:
			p.Deferred.Add(1)
		}
	}
}
