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
	Octets                 // of their contents, as SIZE counts them (RFC 1870)
)

// Rate is a sliding window: at most Count units in any span of length Per. A
// Rate whose Count or Per is not positive limits nothing.
type Rate struct {
	Count int           `json:"count"`
	Per   time.Duration `json:"per"`
	Unit  Unit          `json:"unit,omitempty"`
	// Learned says that nobody configured the rate: the server was seen to take no
	// more.
	Learned bool `json:"learned,omitempty"`
}

// String returns "10 per second", "500 recipients per day", "3 per 1m30s".
func (r Rate) String() string {
	unit := [...]string{Messages: "", Recipients: " recipients", Octets: " octets"}[min(r.Unit, Octets)]
	learned := ""
	if r.Learned {
		learned = " (learned)"
	}
	return fmt.Sprintf("%d%s per %s%s", r.Count, unit, span(r.Per), learned)
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

// TooManyError says that a message has more of something than a window can ever
// hold: waiting would not help.
type TooManyError struct {
	Use  Use
	Rate Rate
}

// Error names the number, the window and the way out.
func (e *TooManyError) Error() string {
	what, way := "recipients", "split the message"
	if e.Rate.Unit == Octets {
		what, way = "octets", "make it smaller"
	}
	return fmt.Sprintf("%d %s in one message never fit the limit of %v: %s", e.Use.Of(e.Rate.Unit), what, e.Rate, way)
}

// UnknownSizeError says that a window counts octets and a message does not tell
// how many it has before it is sent.
type UnknownSizeError struct{ Rate Rate }

// Error names the window and the way out.
func (e *UnknownSizeError) Error() string {
	return fmt.Sprintf("the limit of %v needs to know the size of a message before it is sent: declare it (smtp.Content.DeclareSize)", e.Rate)
}
