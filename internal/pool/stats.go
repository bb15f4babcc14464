package pool

// reason is why a connection was closed; the zero value: it is still open.
type reason uint8

const (
	stillOpen      reason = iota
	closedIdle            // nothing to do for IdleTimeout, or CloseIdle
	closedMessages        // it had carried as many messages as it may
	closedLifetime        // older than MaxLifetime
	closedLimit           // the server has too many connections, or goes away
	closedLogin           // the login failed
	closedForRoom         // another target of the pool needed its place
	closedLost            // it broke
	closedDial            // it never came about
	closedFailback        // a better server is back
	closedPool            // the pool was closed
	reasons
)

var reasonNames = [reasons]string{"open", "idle", "messages", "lifetime", "connection-limit",
	"login", "room", "lost", "dial", "failback", "pool"}

// Stats is a moment of a pool, and what its [Counters] have counted.
type Stats struct {
	Moment
	Totals
}

// Moment is how a pool is doing now.
type Moment struct {
	Waiting  int `json:"waiting"`   // now: messages in line
	InFlight int `json:"in_flight"` // now: messages on a connection

	Open     int `json:"open"`     // now: slots in use, the sum of the next five
	Dialling int `json:"dialling"` // now
	Gated    int `json:"gated"`    // now: wait until the credentials have worked once
	Busy     int `json:"busy"`     // now
	Idle     int `json:"idle"`     // now
	Quitting int `json:"quitting"` // now
	Stranded int `json:"stranded"` // now: they wait for a server that is silent, or failed, and do not count

	Capacity     int `json:"capacity"`      // now: connections the server lets us have, as learned
	SessionLimit int `json:"session_limit"` // now: messages on a connection, as learned; 0: not learned
}

// Stats tells how the pool is doing.
func (p *Pool) Stats() Stats { return Stats{p.Moment(), p.count.Totals()} }

// Moment is the cheaper half of [Pool.Stats].
func (p *Pool) Moment() Moment {
	p.mu.Lock()
	s := Moment{
		Waiting: p.waiting, Open: p.usedLocked(), Quitting: p.quitting, Stranded: p.beside,
		Capacity: p.capacity, SessionLimit: p.learned.Messages,
	}
	for _, t := range p.targets {
		s.Dialling += t.dialling
		s.Gated += len(t.gated)
		s.Idle += len(t.idle)
	}
	p.mu.Unlock()
	s.Busy = s.Open - s.Dialling - s.Gated - s.Idle - s.Quitting
	s.InFlight = int(p.inFlight.Load())
	return s
}
