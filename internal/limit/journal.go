package limit

import "time"

// journal is a ring of what was done when, oldest first. Positions count from
// the beginning of time; entries between first and end are there.
type journal struct {
	entries    []entry // its length is a power of two
	first, end uint64
}

type entry struct {
	done  time.Duration // since the limiter's epoch
	given Use
}

func (j *journal) at(i uint64) *entry { return &j.entries[i&uint64(len(j.entries)-1)] }

// add appends, or merges with the last entry if that is of the same instant.
func (j *journal) add(done time.Duration, given Use) {
	if j.end != j.first {
		if last := j.at(j.end - 1); last.done == done {
			last.given = last.given.Plus(given)
			return
		}
	}
	if j.end-j.first == uint64(len(j.entries)) {
		j.grow()
	}
	*j.at(j.end) = entry{done, given}
	j.end++
}

func (j *journal) grow() {
	old := *j
	j.entries = make([]entry, max(8, 2*len(old.entries)))
	for i := old.first; i != old.end; i++ {
		*j.at(i) = *old.at(i)
	}
}

// instant tells when, from position head on, that many units had been done.
func (j *journal) instant(head uint64, u Unit, units int64) (time.Duration, bool) {
	for i := head; i != j.end; i++ {
		if units -= j.at(i).given.Of(u); units <= 0 {
			return j.at(i).done, true
		}
	}
	return 0, false
}
