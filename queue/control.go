package queue

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Action is what a [Command] does.
type Action uint8

// The actions. Those on jobs that are claimed take effect if they have not begun.
const (
	// DoCancel makes jobs Cancelled.
	DoCancel Action = iota + 1
	// DoRetry makes waiting jobs due now; Held ones are released. Of a finished job
	// with recipients that were not accepted and a body, a new job is made for them.
	DoRetry
	// DoHold makes jobs Held.
	DoHold
	// DoRelease makes Held jobs Queued.
	DoRelease
	// DoReorder gives jobs Command.Priority.
	DoReorder
	// DoMove puts jobs into Command.Lane.
	DoMove
)

var actionNames = []string{1: "cancel", "retry", "hold", "release", "reprioritise", "move"}

// String returns the action in lower case, for example "cancel".
func (a Action) String() string { return nameOf(actionNames, a, "action") }

// MarshalText writes the action as String does.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads an action as String writes it.
func (a *Action) UnmarshalText(b []byte) error { return readName(actionNames, a, b, "action") }

// Command does something to jobs: those of IDs, and if there are none those that
// match the Filter, whose Limit and order do not count. A filter without States
// means those the action can change, but a DoRetry by filter never repeats finished
// jobs unless States says so.
type Command struct {
	Action   Action
	IDs      []ID
	Filter   Filter
	Reason   string
	Priority Priority // of DoReorder
	Lane     string   // of DoMove
}

// Check tells whether the command is one.
func (c *Command) Check() error {
	switch {
	case c.Action < DoCancel || c.Action > DoMove:
		return fmt.Errorf("%s is none: there are %s", c.Action, strings.Join(actionNames[1:], ", "))
	case c.Action == DoReorder && c.Priority > Bulk:
		return fmt.Errorf("%s is none", c.Priority)
	case c.Action == DoMove:
		return CheckLane(c.Lane)
	}
	return nil
}

// Controlled is what a Command did.
type Controlled struct {
	// Changed jobs, and how many it was; the first [Named] are named.
	Changed int  `json:"changed"`
	IDs     []ID `json:"ids,omitempty"`
	// Repeated are new jobs for finished ones; Repeated[i] repeats IDs[i] where it is
	// not 0. Nil if there are none.
	Repeated []ID `json:"repeated,omitempty"`
	// Not are the jobs of Command.IDs that were not changed, and why.
	Not []Refusal `json:"not,omitempty"`
}

// Named is how many changed jobs a Controlled names.
const Named = 1000

// Add notes that a job was changed; again is the new job that repeats it, or 0.
func (d *Controlled) Add(id, again ID) {
	d.Changed++
	if len(d.IDs) == Named {
		return
	}
	d.IDs = append(d.IDs, id)
	if again != 0 {
		d.Repeated = append(d.Repeated, make([]ID, len(d.IDs)-1-len(d.Repeated))...)
		d.Repeated = append(d.Repeated, again)
	} else if d.Repeated != nil {
		d.Repeated = append(d.Repeated, 0)
	}
}

// Refusal is why a job was not changed: [ErrTooLate], [ErrFinished], [ErrNotHeld],
// [ErrAllSent], [ErrBodyGone] or a [*NotFoundError].
type Refusal struct {
	ID  ID
	Err error
}

// MarshalJSON writes the error in words.
func (r Refusal) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID  ID     `json:"id"`
		Why string `json:"why"`
	}{r.ID, r.Err.Error()})
}

// Filter chooses jobs; all that is set must match. The zero value matches all.
type Filter struct {
	States    []State
	Lane      string
	Recipient string    // a part of a recipient's address, whatever its case
	Sender    string    // a part of the reverse-path, whatever its case
	Subject   string    // a part of the subject, whatever its case
	Reply     string    // a part of the latest reply, whatever its case; or of Reason
	MessageID string    // all of it
	Tag       string    // all of one
	Key       string    // all of it
	Doubt     bool      // only those that may have been sent
	Since     time.Time // put then or later
	Until     time.Time // put before

	// After leaves out all up to and including this one in the order of the list.
	// Reverse begins with the newest; default: the oldest.
	After   ID
	Reverse bool
	Limit   int // default 100
}

// Lane is how a lane is doing.
type Lane struct {
	Name string `json:"name"`
	// Count by state.
	Count map[State]int `json:"count"`
	// Oldest is since when the job is due that is due longest; Next is when one is
	// due if none is yet. Zero if there is none.
	Oldest time.Time `json:"oldest,omitzero"`
	Next   time.Time `json:"next,omitzero"`
	Paused time.Time `json:"paused,omitzero"`  // since when; zero: it is not
	Reason string    `json:"reason,omitempty"` // of the pause
}

// Stats are the lanes of a store by name.
type Stats struct {
	Lanes []Lane `json:"lanes"`
	// Delivering says that some process delivers, DeliveredBy which, where known.
	Delivering  bool   `json:"delivering"`
	DeliveredBy string `json:"delivered_by,omitempty"`
}

// Total is how many jobs have one of these states.
func (s *Stats) Total(states ...State) (n int) {
	for i := range s.Lanes {
		for _, state := range states {
			n += s.Lanes[i].Count[state]
		}
	}
	return n
}
