package limit

import (
	"context"
	"time"
)

// Ledger keeps what was used of an account's windows beyond the life of a
// process, and shares it among processes. A limiter with a ledger takes nothing
// that the ledger has not granted to it before.
//
// What is granted counts as used, from then until one window after it was
// reported as done. If its owner dies, it counts as done at the moment when that
// is noticed: by then its connections were gone.
//
// It is safe for concurrent use.
type Ledger interface {
	// Exchange reports, gives back and asks for more, in one step: all of it has
	// happened if the error is nil, and nothing else. It may block.
	Exchange(ctx context.Context, x Exchange) (Grant, error)
}

// Exchange is what a limiter tells its ledger.
type Exchange struct {
	Rates []Rate // the limiter's windows
	Done  []Done // granted before, and done since the last exchange
	Back  Use    // granted before, and not needed any more
	// Each and Count ask for up to Count messages of that kind; Count may be 0.
	Each  Use
	Count int
}

// Done is something that was done at a time, read with its monotonic clock.
// Granted is what of it the ledger had granted: a limiter asks for what its own
// windows count, others' may count more.
type Done struct {
	At           time.Time
	Use, Granted Use
}

// Grant is a ledger's answer.
type Grant struct {
	Count int // how many of Exchange.Each; they are the caller's now
	// Retry is, if none was granted, how long to wait before one may be; Bound is
	// the window in the way, and Shared says that others hold what is missing. A
	// Bound that Exchange.Each can never fit is another process's.
	Retry  time.Duration
	Bound  Rate
	Shared bool
	// Notice is something a person should know, for the log.
	Notice string
}
