//go:build !linux

package state

import "time"

// upTime: the time of day has to do.
func upTime() (boot string, up time.Duration) { return "", 0 }
