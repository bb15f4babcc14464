package pool

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/smtp"
)

// Conn is what a pool needs of a connection; *smtp.Conn fits. MailReplied of a
// transaction is called before its Done, both from within Stream. A method
// MaxTransactions() int, if it has one, is asked after the dial how many
// transactions the server takes on a connection; 0 means unknown. A method
// Heard() time.Time, if it has one, tells when the server last gave a reply, and is
// asked by any goroutine before the server is taken for silent.
type Conn interface {
	Stream(ctx context.Context, next func(ahead bool) *smtp.Transaction) error
	Authenticate(ctx context.Context) error
	NeedsAuth() bool
	Alive() bool
	Quit(ctx context.Context) error
	Close() error
}

// Target is where messages go. Targets of the same Key are the same: server,
// TLS settings and credentials.
type Target struct {
	Key    string
	Server string // host:port, for errors
	// Dial opens a connection that has not logged in yet. Its context ends when
	// the pool closes; it bounds its own time.
	Dial func(ctx context.Context) (Conn, error)

	// Priority and Weight are those of Server among the Others: servers of the
	// lowest priority are used, and as many of their connections as their weight
	// says; those of the next one while none of them can be reached (RFC 2782).
	Priority, Weight int
	Others           []Server
	// Patience is how long a server may be silent while messages wait for its
	// answer before others are used, if there are any. Default 10 s.
	Patience time.Duration
}

// Server is one of several that a target may be reached by.
type Server struct {
	Address          string // host:port, different from those of the others
	Priority, Weight int    // a weight below 1 is 1
	Dial             func(ctx context.Context) (Conn, error)
}

// Priority orders the waiting line; within one, arrival does.
type Priority uint8

// The priorities.
const (
	Urgent Priority = iota
	High
	Normal
	Bulk
	priorities
)

// Item is a message to send. Every try makes a new transaction of it; see
// [smtp.Transaction] for the fields.
type Item struct {
	Envelope smtp.Envelope
	Content  *smtp.Content
	Priority Priority

	AllOrNothing   bool
	Chunking       bool
	Binary         bool
	AllowLongLines bool

	// Pulled is called when a connection takes the message, again for each try; it
	// must not block, nor call the pool.
	Pulled   func()
	Progress func(octets int64)
	Commit   func() error // called once per try that comes that far

	// Repeated, if set, takes the results of tries that were repeated. It may be
	// read when Send has returned.
	Repeated *[]*smtp.Result
}

// use is what the message takes of the limiter's windows.
func (i *Item) use() limit.Use {
	octets := int64(-1)
	if i.Content != nil {
		if n, known := i.Content.Size(); known {
			octets = n
		}
	}
	return limit.Message(len(i.Envelope.To), octets)
}

// Waited tells how long a message stood in line, over all its tries.
type Waited struct {
	Total time.Duration
	// Rate is the part during which the limiter, not a missing connection, held
	// the line; Limit is the window that did so last.
	Rate  time.Duration
	Limit limit.Rate
}

func (w *Waited) add(other Waited) {
	w.Total, w.Rate = w.Total+other.Total, w.Rate+other.Rate
	if w.Limit == (limit.Rate{}) {
		w.Limit = other.Limit
	}
}
