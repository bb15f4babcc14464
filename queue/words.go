package queue

import (
	"fmt"
	"slices"
	"strings"
)

// State is where a job is; see the package comment.
type State uint8

// The states. A job in one of the last four is finished: its state never changes
// again.
const (
	Queued    State = iota + 1 // it waits: for its time, or for its turn
	Active                     // it is claimed
	Held                       // it waits until somebody releases it
	Sent                       // every recipient was accepted
	Failed                     // a recipient was refused for good, or nobody knows
	Expired                    // its time was over
	Cancelled                  // somebody took it back
)

var stateNames = []string{1: "queued", "active", "held", "sent", "failed", "expired", "cancelled"}

// States are all states, in the order in which a job can have them.
func States() []State { return []State{Queued, Active, Held, Sent, Failed, Expired, Cancelled} }

// Finished reports whether the state is a last one.
func (s State) Finished() bool { return s >= Sent }

// String returns the state in lower case, for example "queued".
func (s State) String() string { return nameOf(stateNames, s, "state") }

// MarshalText writes the state as String does.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state as String writes it.
func (s *State) UnmarshalText(b []byte) error { return readName(stateNames, s, b, "state") }

// Priority orders the jobs of one lane.
type Priority uint8

// The priorities. Urgent goes before everything else of its lane.
const (
	Normal Priority = iota // the zero value
	Urgent
	High
	Bulk
)

var priorityNames = []string{"normal", "urgent", "high", "bulk"}

var priorityRanks = [...]int{Normal: 2, Urgent: 0, High: 1, Bulk: 3}

// Ranks is how many priorities there are.
const Ranks = len(priorityRanks)

// Rank is the place of the priority: 0 is first, [Ranks]-1 last.
func (p Priority) Rank() int { return priorityRanks[min(p, Bulk)] }

// OfRank is the priority at a place.
func OfRank(rank int) Priority { return [...]Priority{Urgent, High, Normal, Bulk}[rank] }

// String returns the priority in lower case, for example "urgent".
func (p Priority) String() string { return nameOf(priorityNames, p, "priority") }

// MarshalText writes the priority as String does.
func (p Priority) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a priority as String writes it.
func (p *Priority) UnmarshalText(b []byte) error { return readName(priorityNames, p, b, "priority") }

// Policy says what to do with a job whose outcome is unknown: the server may have
// it, or not.
type Policy uint8

// The policies.
const (
	Retry Policy = iota // send it again, with the same Message-ID: it may arrive twice
	Hold                // hold it until somebody decides
	Never               // do not send it again: it may never arrive
)

var policyNames = []string{"retry", "hold", "never"}

// String returns the policy in lower case, for example "retry".
func (p Policy) String() string { return nameOf(policyNames, p, "policy") }

// MarshalText writes the policy as String does.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a policy as String writes it.
func (p *Policy) UnmarshalText(b []byte) error { return readName(policyNames, p, b, "policy") }

// Durability says what a job survives once it was put.
type Durability uint8

// The levels.
const (
	// Disk: it survives the end of the process and a lost power supply.
	Disk Durability = iota
	// Memory: it is lost if the process is killed soon after, and kept otherwise
	// where the store has a disk at all. Putting it does not wait for one.
	Memory
)

var durabilityNames = []string{"disk", "memory"}

// String returns "disk" or "memory".
func (d Durability) String() string { return nameOf(durabilityNames, d, "durability") }

// MarshalText writes the durability as String does.
func (d Durability) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a durability as String writes it.
func (d *Durability) UnmarshalText(b []byte) error {
	return readName(durabilityNames, d, b, "durability")
}

func nameOf[T ~uint8](names []string, value T, what string) string {
	if int(value) < len(names) && names[value] != "" {
		return names[value]
	}
	return fmt.Sprintf("%s(%d)", what, uint8(value))
}

func readName[T ~uint8](names []string, value *T, b []byte, what string) error {
	i := slices.Index(names, string(b))
	if i < 0 || len(b) == 0 {
		known := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
		return fmt.Errorf("%q is no %s; there are %s", b, what, strings.Join(known, ", "))
	}
	*value = T(i)
	return nil
}
