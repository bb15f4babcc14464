package queue

import (
	"context"
	"time"
)

// Store keeps jobs. Each method is one whole transition: either all of it is done,
// and survives as the durability of its jobs says, or nothing of it. now is the
// time of the transition. All methods are safe for concurrent use.
//
// When ctx ends, a method returns its error; what it was about to do may have been
// done all the same.
//
// Several processes may have the same store open. One at a time delivers: the one
// that called Recover and has not called Release. Only it may call Claim, Begin
// and Settle.
type Store interface {
	// Put stores jobs, all or none. The store sets ID, State, Created, Size and, of
	// jobs that have none, Due; receipts are in the order of the jobs. A job whose Key
	// was put before in its lane is not stored again: its receipt is of the earlier
	// one. If that differs, all are refused with a [*ConflictError].
	Put(ctx context.Context, now time.Time, jobs []Submission) ([]Receipt, error)

	// Claim takes jobs that are due, makes them Active, and gives each a token.
	// Jobs that have expired become Expired instead; those whose record or body is
	// damaged become Held. Of a paused lane nothing is claimed.
	//
	// The order within a lane is that of [Pick]. What a claim costs depends neither
	// on how many jobs the lane has, nor on other lanes.
	Claim(ctx context.Context, now time.Time, wants []Want) ([]Claimed, error)

	// Begin notes, durably, that these jobs may be delivered from now on. There is
	// an error for each token, nil where it began; [ErrStale] if the token does not
	// stand any more, [ErrExpired] if the job expired instead. A job that had begun
	// begins again, even after its time: it may have been delivered.
	Begin(ctx context.Context, now time.Time, tokens []Token) ([]error, error)

	// Settle notes what became of claimed jobs. There is an error for each
	// settlement: nil, or ErrStale if its token does not stand. Then the job stays
	// what it is; if it is remembered, its history gets a line of the kind Late.
	Settle(ctx context.Context, now time.Time, settlements []Settlement) ([]error, error)

	// Control does to jobs what people want done to them; see [Command]. A filter
	// that matches many jobs is worked through in pieces, each of them a transition
	// of its own.
	Control(ctx context.Context, now time.Time, c Command) (Controlled, error)

	// Pause stops claims of a lane, whether there are jobs in it or not, until
	// Resume. It costs the same however many jobs wait.
	Pause(ctx context.Context, now time.Time, lane, reason string) error
	// Resume ends a pause. That of a lane which is not paused changes nothing.
	Resume(ctx context.Context, now time.Time, lane string) error

	// Changes returns lanes for which Claim may find more than it said it would,
	// since the last call: jobs were put, queued again or moved there, or the lane
	// was paused or resumed, by this process or another. It is quick, and can be
	// called often. The first call after Recover returns all lanes with jobs or a
	// pause.
	Changes(ctx context.Context, now time.Time) ([]string, error)

	// List returns the jobs that match, at most Filter.Limit, in its order.
	List(ctx context.Context, now time.Time, f Filter) ([]Job, error)
	// Get returns one job with its history, or a [*NotFoundError].
	Get(ctx context.Context, now time.Time, id ID) (Details, error)
	// Stats counts jobs by lane.
	Stats(ctx context.Context, now time.Time) (Stats, error)

	// Recover makes this store the one that delivers, or fails with a
	// [*LockedError], and settles what an earlier one left Active: a job that had not
	// begun is queued as it was; the outcome of one that had is unknown, so that its
	// policy decides; see [Job.Interrupt].
	Recover(ctx context.Context, now time.Time) (Recovered, error)
	// Release lets another store deliver. Nothing may be Active any more, or it
	// stays so until the next Recover.
	Release() error

	// Expire makes waiting jobs Expired whose time is over, at most limit of them,
	// and returns them.
	Expire(ctx context.Context, now time.Time, limit int) ([]Job, error)
	// Purge forgets finished jobs and stored bodies according to r, in pieces, at
	// most limit jobs. It returns how much it forgot; 0 when nothing was left to.
	Purge(ctx context.Context, now time.Time, r Retention, limit int) (Purged, error)

	// Close ends the store; what was called before ends first.
	Close() error
}

// Submission is a job to be put, with its body.
type Submission struct {
	Job
	Body *Body
	// Print is what tells apart two submissions of the same Key. Default: a hash of
	// envelope and body. Of a message that is composed anew for each try, Date,
	// Message-ID and boundaries differ; who submits it must leave them out.
	Print []byte
}

// Receipt acknowledges a job that was put.
type Receipt struct {
	ID ID `json:"id"`
	// Existing says that it was put before, with the same Key.
	Existing   bool       `json:"existing,omitempty"`
	Durability Durability `json:"durability"`
}

// Retention says how long finished jobs are remembered. Zero is the default,
// negative means forever.
type Retention struct {
	Sent   time.Duration // jobs that were sent; default 7 days
	Failed time.Duration // jobs that failed, expired or were cancelled; default 30 days
	// SentBodies are the octets of jobs that were sent; default: an instant. Others
	// keep theirs as long as the job, so that it can be sent again.
	SentBodies time.Duration
}

// WithDefaults fills in what is zero.
func (r Retention) WithDefaults() Retention {
	const day = 24 * time.Hour
	if r.Sent == 0 {
		r.Sent = 7 * day
	}
	if r.Failed == 0 {
		r.Failed = 30 * day
	}
	if r.SentBodies == 0 {
		r.SentBodies = time.Nanosecond
	}
	return r
}

// Purged is how much Purge forgot.
type Purged struct {
	Jobs   int `json:"jobs"`
	Bodies int `json:"bodies"`
}

// Recovered is what Recover found.
type Recovered struct {
	Requeued int   // jobs that had been claimed and not begun
	Unknown  []Job // those that had begun, as they are now
}
