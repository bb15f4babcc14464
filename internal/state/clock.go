package state

import "time"

// Reading is what the clocks of the machine show at one moment.
type Reading struct {
	// Boot names the run of the operating system; empty where that is not known.
	Boot string `json:"boot,omitempty"`
	// Up is the time since it began, suspension included.
	Up time.Duration `json:"up"`
	// Wall is the time of day. People set it, forward and back.
	Wall time.Time `json:"wall"`
}

// mark ties a moment of a folder's clock to a reading. The folder's clock never
// goes back. Within one run of the operating system it is as exact as the time
// since that began; from one to the next it trusts the time of day, but not that
// it went back.
type mark struct {
	At time.Duration `json:"at"`
	Reading
}

// now is what the folder's clock shows at reading r.
func (m mark) now(r Reading) time.Duration {
	if m.Wall.IsZero() {
		return m.At
	}
	elapsed := r.Wall.Sub(m.Wall)
	if m.Boot != "" && m.Boot == r.Boot {
		elapsed = r.Up - m.Up
	}
	return m.At + max(elapsed, 0)
}

// advance is the mark of the moment of r. A reading that lies behind, as another
// process came first, does not count again what that has counted. Nor does a time
// of day that lies behind, where it is used for the time between two runs alone:
// they may be of two machines that share a disk, and take turns.
func (m mark) advance(r Reading) mark {
	at := m.now(r)
	if m.Boot != "" && m.Boot == r.Boot {
		r.Up = max(r.Up, m.Up)
	}
	if r.Boot != "" && r.Wall.Before(m.Wall) {
		r.Wall = m.Wall
	}
	return mark{at, r}
}

// readClocks reads the machine's clocks.
func readClocks() Reading {
	boot, up := upTime()
	return Reading{Boot: boot, Up: up, Wall: time.Now().Round(0)}
}
