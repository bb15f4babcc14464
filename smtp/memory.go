package smtp

import (
	"strings"
	"sync"
	"time"
)

// Memory is what was learned about one server: how far commands may be grouped,
// which login works, how much it takes on one connection. It is shared by all
// connections to that server, and forgets after a day or when the server offers
// something else than before. The zero value is ready for use; it is safe for
// concurrent use.
type Memory struct {
	mu      sync.Mutex // guards all below; nothing slow happens under it
	hello   string     // the last reply to EHLO
	offered string     // what it offered
	since   time.Time
	told    Limits // in the reply to EHLO (RFC 9422)
	learned
}

// learned is the part of a Memory that is forgotten with the server.
type learned struct {
	clean     int   // groups that went cleanly
	ceiling   Level // LevelAuto: none
	before    Level // the ceiling before the last demotion, while that is unproven
	unproven  bool
	lost      int // connections lost in the middle of a group
	mechanism string
	soloAuth  bool // AUTH must not be grouped with an envelope
	mailMax   int  // transactions it takes on a connection, learned; 0: unknown
	rcptMax   int  // recipients it takes in a transaction, learned; 0: unknown
}

const (
	memoryLife    = 24 * time.Hour
	cleanForAhead = 3 // groups a server must have taken before look-ahead
)

// meet notes what the server offers and tells of its limits; another offer is
// another server. Its name does not count: behind one address there may be many
// machines of a kind. It returns the same text, one copy for all connections.
func (m *Memory) meet(hello string, told Limits, now time.Time) string {
	_, offered, _ := strings.Cut(hello, "\n")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = told
	if m.offered != offered || now.Sub(m.since) >= memoryLife {
		m.learned = learned{mechanism: m.mechanism}
		m.offered, m.since = offered, now
	}
	if m.hello != hello {
		m.hello = hello
	}
	return m.hello
}

// level is the highest level the server has earned.
func (m *Memory) level() Level {
	m.mu.Lock()
	defer m.mu.Unlock()
	level := LevelLookAhead
	if m.clean < cleanForAhead {
		level = LevelGroup
	}
	if m.ceiling != LevelAuto {
		level = min(level, m.ceiling)
	}
	return level
}

// groupClean counts a group whose replies came as they should.
func (m *Memory) groupClean() {
	m.mu.Lock()
	if m.clean < cleanForAhead {
		m.clean++
	}
	m.lost = 0
	m.mu.Unlock()
}

// demote lowers the ceiling below the level that went wrong. It stays unproven
// until the same message has fared better one command at a time.
func (m *Memory) demote(from Level) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.unproven {
		m.before, m.unproven = m.ceiling, true
	}
	m.ceiling = LevelLockStep
	if from == LevelLookAhead {
		m.clean = 0
	}
}

// acquit takes the last demotion back: in lock-step the server said the same,
// so grouping was not to blame.
func (m *Memory) acquit() {
	m.mu.Lock()
	if m.unproven {
		m.ceiling, m.unproven = m.before, false
	}
	m.mu.Unlock()
}

// confirm keeps the last demotion: lock-step went well.
func (m *Memory) confirm() {
	m.mu.Lock()
	m.unproven = false
	m.mu.Unlock()
}

// lostInGroup counts a connection that died in the middle of a group. Twice in
// a row is taken for a server that cannot take groups.
func (m *Memory) lostInGroup(level Level) {
	m.mu.Lock()
	m.lost++
	lower := m.lost >= 2 && level > LevelLockStep
	if lower {
		m.lost = 0
	}
	m.mu.Unlock()
	if lower {
		m.stepDown(level)
	}
}

// stepDown lowers the ceiling by one level.
func (m *Memory) stepDown(from Level) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ceiling = max(from-1, LevelLockStep)
	m.unproven = false
}

func (m *Memory) worked(mechanism string) {
	m.mu.Lock()
	m.mechanism = mechanism
	m.mu.Unlock()
}

func (m *Memory) login() (mechanism string, solo bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mechanism, m.soloAuth
}

func (m *Memory) authAlone() {
	m.mu.Lock()
	m.soloAuth = true
	m.mu.Unlock()
}

// sessionFull learns how many transactions fit on a connection.
func (m *Memory) sessionFull(transactions int) {
	if transactions < 1 {
		return
	}
	m.mu.Lock()
	if m.mailMax == 0 || transactions < m.mailMax {
		m.mailMax = transactions
	}
	m.mu.Unlock()
}

// envelopeFull learns how many recipients fit in a transaction.
func (m *Memory) envelopeFull(recipients int) {
	if recipients < 1 {
		return
	}
	m.mu.Lock()
	if m.rcptMax == 0 || recipients < m.rcptMax {
		m.rcptMax = recipients
	}
	m.mu.Unlock()
}

// RecipientLimit is how many recipients the server takes in one transaction, as
// it told (RFC 9422) or was seen to; 0 while that is unknown.
func (m *Memory) RecipientLimit() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return lower(m.told.RcptMax, m.rcptMax)
}

// Limits are what the server told (RFC 9422) and what it was seen to take.
func (m *Memory) Limits() (told, seen Limits) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told, Limits{MailMax: m.mailMax, RcptMax: m.rcptMax}
}

// lower is the lower of two limits, of which 0 is none.
func lower(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
