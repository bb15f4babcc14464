package delivery

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// Config says what is delivered, and how.
type Config struct {
	Store queue.Store
	// Outlet finds the outlet of a lane. It is asked often, and must be quick. An
	// error says that there is none for now.
	Outlet func(ctx context.Context, lane string) (Outlet, error)

	// Drain is how long the end waits for what is on its way. Default 30 s; negative:
	// not at all.
	Drain time.Duration
	// Poll is how often the store is asked what others have changed. Default 100 ms.
	Poll time.Duration
	// Retention is how long finished jobs are remembered.
	Retention queue.Retention
	// Backoff are the pauses between the tries of a job that has none of its own.
	// Default: [Backoff].
	Backoff []time.Duration

	// OnEvent is told what has become of jobs, after it was stored. The calls come one
	// at a time; delivery waits for them.
	OnEvent func(Event)
	// OnTrouble is told when the store fails, and with nil when it works again.
	OnTrouble func(error)
}

func (c Config) withDefaults() Config {
	if c.Drain == 0 {
		c.Drain = 30 * time.Second
	}
	if c.Poll == 0 {
		c.Poll = 100 * time.Millisecond
	}
	if c.Backoff == nil {
		c.Backoff = Backoff
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	if c.OnTrouble == nil {
		c.OnTrouble = func(error) {}
	}
	return c
}

// Outlet is the way out of a lane.
type Outlet interface {
	// Room tells how many messages more are of use, if there are depth for each
	// connection and the lane has own of them claimed. It is quick.
	Room(depth, own int) Room
	// Send sends a message in one transaction, and returns when the outcome is
	// known. If ctx ends it returns soon.
	Send(ctx context.Context, m Message) Result
}

// Room is how many messages more an outlet can make use of.
type Room struct {
	Messages    int
	Slots       bool // they need not wait for a limit
	Connections int  // at a time
	// Err is why nothing can be sent at present. Stopped says that it will not
	// change by itself.
	Err     error
	Stopped bool
	// Again is when to ask again if there is no room; zero: when a message has ended.
	Again time.Time
}

// Message is a job on its way.
type Message struct {
	Job     *queue.Job
	To      []smtp.Recipient // those to try
	Content *queue.Content
	// Pulled is to be called when a connection takes the message, and must not be
	// waited for. Commit is to be called before the octets that can deliver it, and
	// waited for: an error takes it back. Both may be called again.
	Pulled func()
	Commit func() error
}

// Result is what became of a message.
type Result struct {
	// Tried is how many of Message.To the transaction was for, counted from the
	// first.
	Tried int
	// Last is the server's last word; nil if no connection had it.
	Last *smtp.Result
	// Err is nil if all that were tried were accepted.
	Err error
	// Account is which of several accounts had the last word, Before in words why
	// those before it could not send; empty if the lane is one account.
	Account, Before string
	// Again, if Err says nothing of the message, is when to try this one again; zero:
	// when the lane goes on.
	Again time.Time
	// Stopped, beside Again, says that it will not help until somebody acts.
	Stopped bool
}

// ReadError says that a stored body could not be read, so that nothing was sent: a
// reason to try again. If it is known to be for good, a [*queue.DamagedError] is
// within.
type ReadError struct{ Err error }

// Error tells why.
func (e *ReadError) Error() string { return "read the stored message: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// Event is a change of a job that has been stored.
type Event struct {
	Kind Kind
	Job  queue.Job // as it is now
	// Attempt is the try that led to it; nil if there was none.
	Attempt *queue.Attempt
}

// Kind is what an [Event] is about.
type Kind uint8

// The kinds.
const (
	// Settled: a try has ended, or the job has. Its State says what it is now.
	Settled Kind = iota + 1
	// Lost: the process that sent it before ended without an answer.
	Lost
	// Expired: its time was over.
	Expired
	// Damaged: it cannot be read, and is held.
	Damaged
	// Stale: it was taken back or changed while it was on its way, and its outcome
	// is in its history alone.
	Stale
)
