package queue

import "time"

// Want asks Claim for jobs of a lane.
type Want struct {
	Lane  string
	Count int // at most so many
	// Urgent is how many more, if they are urgent.
	Urgent int
	// Turn is how many jobs of the lane were claimed before; see [Pick].
	Turn uint64
	// Begin makes the jobs whose policy is Retry begin in the same transition.
	Begin bool
}

// Claimed is what a Want got.
type Claimed struct {
	Lane   string
	Claims []Claim
	// Expired and Damaged jobs were met and put aside.
	Expired, Damaged []Job
	// Next is when the next job of the lane is due, in the past if there are more
	// to claim; zero if there is none. Urgent is that of the next urgent one.
	Next, Urgent time.Time
	Paused       bool // so that nothing was claimed
}

// Claim is a job that was claimed.
type Claim struct {
	Job   Job
	Token Token
	Begun bool
	Body  Content
}

// Ageing: a job of normal or bulk priority that has been due for so long takes
// every AgedTurn-th turn, so that those before it cannot keep it from ever going;
// and no more than that, so that a long backlog of them does not become a wall.
const (
	AgedAfter = 10 * time.Minute
	AgedTurn  = 4
)

// Pick says which priority has the next turn in a lane, given when the job in front
// of each rank is due; zero: there is none. turn counts the turns of the lane.
// ok is false if nothing is due.
//
// Urgent goes first. Of the others the highest priority goes, and within one the
// job that is due longest (IDs break ties); but every [AgedTurn]-th turn belongs
// to the normal or bulk job that is due longest, if that is longer than
// [AgedAfter].
func Pick(due [Ranks]time.Time, now time.Time, turn uint64) (p Priority, ok bool) {
	ready := func(rank int) bool { return !due[rank].IsZero() && !due[rank].After(now) }
	if ready(Urgent.Rank()) {
		return Urgent, true
	}
	if turn%AgedTurn == AgedTurn-1 {
		if p, ok := aged(due, now); ok {
			return p, true
		}
	}
	for rank := range due {
		if ready(rank) {
			return OfRank(rank), true
		}
	}
	return 0, false
}

// aged is the normal or bulk priority whose first job is due longest, and for long.
func aged(due [Ranks]time.Time, now time.Time) (p Priority, ok bool) {
	var oldest time.Time
	for _, candidate := range []Priority{Normal, Bulk} {
		at := due[candidate.Rank()]
		if at.IsZero() || now.Sub(at) < AgedAfter || ok && !at.Before(oldest) {
			continue
		}
		p, oldest, ok = candidate, at, true
	}
	return p, ok
}
