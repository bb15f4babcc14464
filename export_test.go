package kaizen

import (
	"time"

	"github.com/kaizenmail/kaizen/internal/state"
)

// UseTestClock lets the state directory go by the clock of the test's bubble,
// not by the machine's. It must be called before the first message.
func (c *Client) UseTestClock() {
	c.state.clock = func() state.Reading {
		return state.Reading{Boot: "test", Up: time.Since(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)), Wall: time.Now()}
	}
}
