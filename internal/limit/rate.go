package limit

import (
	"fmt"
	"time"
)

// Unit is what a [Rate] counts.
type Unit uint8

// The units.
const (
	Messages   Unit = iota // transactions: MAIL commands
	Recipients             // recipients of those transactions
)

// Rate is a sliding window: at most Count units in any span of length Per. A
// Rate whose Count or Per is not positive limits nothing.
type Rate struct {
	Count int
	Per   time.Duration
	Unit  Unit
}

// String returns "10 per second", "500 recipients per day", "3 per 1m30s".
func (r Rate) String() string {
	unit := ""
	if r.Unit == Recipients {
		unit = " recipients"
	}
	return fmt.Sprintf("%d%s per %s", r.Count, unit, span(r.Per))
}

func (r Rate) limits() bool { return r.Count > 0 && r.Per > 0 }

func span(d time.Duration) string {
	switch d {
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	}
	return d.String()
}

// TooManyError says that a message has more recipients than a window can ever
// hold: waiting would not help.
type TooManyError struct {
	Recipients int
	Rate       Rate
}

// Error names the number, the window and the way out.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("%d recipients in one message never fit the limit of %v: split the message", e.Recipients, e.Rate)
}
