package bulk

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
)

// Config is a run: one table, one letter, some servers. Table, Letter, Servers
// and Journal are required.
type Config struct {
	Table   *Table
	Letter  *Letter
	Servers []Server
	Journal *Journal
	History *History // of the journal, if it is resumed
	Again   Again

	// Unique leaves out rows whose recipients are those of an earlier row.
	Unique bool
	// Tries is how often a row is sent to recipients that are refused for now;
	// default 5. Troubles of a server are not counted.
	Tries int
	// Backoff is the time before the second try, doubled before each further one,
	// up to 15 minutes; default 30 s.
	Backoff time.Duration
	// GiveUp is how long a server may be in trouble before it is left alone;
	// default 10 minutes.
	GiveUp time.Duration
	// MaxFailures ends the run after so many rows in a row of which no recipient
	// was accepted; default 50, negative: never.
	MaxFailures int
	// Drain is how long messages in flight may take once the context has ended;
	// default 30 s.
	Drain time.Duration

	// Enqueue, if it is set, is called for each row instead of sending its message,
	// with a key that no other row of the journal has. A row that was queued is
	// finished. Any error but a [*queue.InvalidError] and a [*queue.ConflictError]
	// ends the run.
	Enqueue Enqueue

	Progress *Progress      // is counted up; may be nil
	Client   *kaizen.Client // is shut down at the end
}

// Enqueue puts a message into a queue.
type Enqueue func(ctx context.Context, account, key string, p *kaizen.Prepared) (queue.Receipt, error)

// maxRetrying bounds the rows that wait to be tried again, and so the memory
// they take. Beyond it, no new rows are begun.
const maxRetrying = 1000

// NewCampaign returns a name for a journal, which is part of each Message-ID.
func NewCampaign() string { return strings.ToLower(rand.Text()[:12]) }

var errNoServer = errors.New("no server to send to")

// ErrTooManyFailures says that a run ended by Config.MaxFailures.
var ErrTooManyFailures = errors.New("no recipient was accepted for many rows in a row")

// Run sends the table. When ctx ends it takes nothing new, lets messages in
// flight finish, and returns ctx's error. It also ends early, with an error,
// when no server is left, the journal cannot be written, the table cannot be
// read on, or too many rows failed. What was begun is in the journal in any case.
func Run(ctx context.Context, config Config) error {
	if len(config.Servers) == 0 {
		return errNoServer
	}
	r := newRun(config)
	var senders sync.WaitGroup
	sending := context.WithoutCancel(ctx)
	for _, l := range r.lanes {
		for range l.senders {
			senders.Go(func() { l.send(sending, r) })
		}
	}
	err := r.dispatch(ctx)
	close(r.ended)
	for _, l := range r.lanes {
		close(l.jobs)
	}
	senders.Wait()
	r.draining.Wait()
	goodbye, cancel := context.WithTimeout(sending, r.Drain)
	defer cancel()
	// How the goodbyes went says nothing about the messages.
	_ = r.Client.Shutdown(goodbye)
	return err
}

// run is a Config at work. Unless said otherwise, only the dispatching goroutine
// touches it.
type run struct {
	Config
	began time.Time
	keys  keys
	lanes []*lane

	rows     <-chan Row
	readErr  error // set before rows is closed
	ready    []*job
	retries  retries
	inFlight int
	failures int // rows in a row

	done  chan done
	fault chan error    // from senders: the journal cannot be written
	ended chan struct{} // closed at the end
	stop  error         // why nothing new is begun

	draining sync.WaitGroup
}

func newRun(c Config) *run {
	if c.Tries == 0 {
		c.Tries = 5
	}
	if c.Backoff == 0 {
		c.Backoff = 30 * time.Second
	}
	if c.GiveUp == 0 {
		c.GiveUp = 10 * time.Minute
	}
	if c.MaxFailures == 0 {
		c.MaxFailures = 50
	}
	if c.Drain == 0 {
		c.Drain = 30 * time.Second
	}
	if c.Progress == nil {
		c.Progress = new(Progress)
	}
	if c.History == nil {
		c.History = &History{}
	}
	if c.Client == nil {
		c.Client = kaizen.New(kaizen.Config{})
	}
	r := &run{Config: c, began: time.Now().Truncate(time.Millisecond), keys: keys{},
		done: make(chan done), ended: make(chan struct{}), fault: make(chan error, 1)}
	for _, s := range c.Servers {
		l := newLane(s)
		if c.Enqueue != nil {
			l.senders = queueSenders
		}
		r.lanes = append(r.lanes, l)
	}
	r.rows = r.read()
	return r
}

// read reads ahead, so that a table that comes slowly holds up nothing else. It
// ends with the run, or with the read that is going on then.
func (r *run) read() <-chan Row {
	rows := make(chan Row, 64)
	go func() {
		defer close(rows)
		for {
			row, err := r.Table.Next()
			if err != nil {
				if err != io.EOF {
					r.readErr = err
				}
				return
			}
			select {
			case rows <- row:
			case <-r.ended:
				return
			}
		}
	}()
	return rows
}
