package smtp

import "fmt"

// Level is how far commands are grouped on the wire.
type Level uint8

// The levels. Zero, as a limit, means the highest that is safe.
const (
	LevelAuto      Level = iota
	LevelLockStep        // L0: one command at a time
	LevelGroup           // L1: [RSET? MAIL RCPT… DATA], then the content
	LevelLookAhead       // L2: [content of k, RSET MAIL RCPT… DATA of k+1] in one write
)

var levelNames = [...]string{"auto", "lock-step", "group", "look-ahead"}

// String returns "auto", "lock-step", "group" or "look-ahead".
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// MarshalText writes the level as String does.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a name as String writes it.
func (l *Level) UnmarshalText(b []byte) error {
	for i, name := range levelNames {
		if string(b) == name {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("unknown level %q (auto, lock-step, group or look-ahead)", b)
}
