package smtptest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Action is what a fault does.
type Action uint8

// The actions. With the first four the command has no effect: a message at
// PhaseFinal is not accepted. (At PhaseAfterFinal it has been.)
const (
	Drop     Action = iota // close the connection (FIN) without a reply
	Reset                  // reset the connection (RST) without a reply
	Close421               // reply 421, then close
	Stall                  // never reply again, but read on; at PhaseBody do not even read
	Delay                  // reply later, or read later at PhaseBody
	Drip                   // reply one octet at a time, with a pause after each
	Vanish                 // reply, then close
	Extra                  // reply, and one more reply behind it
	Missing                // do not reply, but go on
	Answer                 // reply something else; its code decides what happens
	Oversize               // reply a line of 100 KB
	actionCount
)

var actionNames = [actionCount]string{
	"drop", "reset", "421", "stall", "delay", "drip", "vanish", "extra", "missing", "reply", "oversize",
}

// String returns the name of the action as ParseFault reads it.
func (a Action) String() string {
	if a >= actionCount {
		return "unknown"
	}
	return actionNames[a]
}

func (a Action) ends() bool { return a <= Stall }

// Fault is one way to misbehave. Of several faults at one occurrence the first
// in the list counts.
type Fault struct {
	Phase  Phase
	Action Action
	// Octets of content after which a fault at PhaseBody happens.
	Octets int64
	// Quiet is how long a client must say nothing for a fault at PhaseIdle.
	Quiet time.Duration
	// Nth restricts the fault to the nth occurrence of its phase on the server,
	// from 1; 0 means every one.
	Nth int
	// PerConnection counts occurrences on each connection by itself.
	PerConnection bool
	// Prob restricts the fault to a share of the occurrences; 0 means all.
	Prob float64
	// Verb, in upper case, restricts the fault to one of the commands of its
	// phase: EHLO, HELO or LHLO, DATA or BDAT, VRFY.
	Verb string
	// After is how long the server waits before it does anything of this. A
	// fault at PhaseBody that waits, and none of whose octets are due, does so
	// before the server reads any content.
	After time.Duration
	// Pause is that of Delay (default 1 s) and Drip (default 10 ms).
	Pause time.Duration
	// Again is the chance, below 1, that Delay pauses once more; it is taken
	// again after each further pause.
	Again float64
	// Reply is that of Answer and Extra, and may replace that of Close421.
	Reply Reply
}

// faults of one server by phase.
type faults struct {
	byPhase [phaseCount][]Fault
	seen    [phaseCount]atomic.Int64

	mu   sync.Mutex
	dice *rand.Rand
}

func newFaults(list []Fault, seed uint64) *faults {
	f := &faults{dice: rand.New(rand.NewPCG(seed, 0))}
	for _, fault := range list {
		if fault.Phase < phaseCount {
			f.byPhase[fault.Phase] = append(f.byPhase[fault.Phase], fault)
		}
	}
	return f
}

// strike tells which fault, if any, happens at this occurrence of a phase.
// here counts the occurrences on the connection; verb is the command.
func (f *faults) strike(p Phase, verb string, here *[phaseCount]int) *Fault {
	if f.byPhase[p] == nil {
		return nil
	}
	here[p]++
	onServer := int(f.seen[p].Add(1))
	for i := range f.byPhase[p] {
		fault := &f.byPhase[p][i]
		n := onServer
		if fault.PerConnection {
			n = here[p]
		}
		if (fault.Nth == 0 || fault.Nth == n) && (fault.Verb == "" || fault.Verb == verb) && f.chance(fault.Prob) {
			return fault
		}
	}
	return nil
}

// maxPauses bounds what bad luck can do.
const maxPauses = 1000

// pauses is how often Delay waits this time.
func (f *faults) pauses(fault *Fault) time.Duration {
	n := 1
	for fault.Again > 0 && n < maxPauses && f.chance(fault.Again) {
		n++
	}
	return time.Duration(n)
}

func (f *faults) chance(p float64) bool {
	if p == 0 || p >= 1 {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dice.Float64() < p
}
