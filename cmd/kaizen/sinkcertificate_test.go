package main

import (
	"testing"
	"time"
)

// A certificate ends when it was asked to, and has begun before.
func TestCertificateFor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, days := range []int{-400, -1, 0, 1, 9, 1000} {
		c, err := certificateFor(days, now)
		if err != nil || !c.Leaf.NotAfter.Equal(now.AddDate(0, 0, days)) || !c.Leaf.NotBefore.Before(c.Leaf.NotAfter) ||
			days > 0 && !c.Leaf.NotBefore.Before(now) {
			t.Errorf("%d days: %v to %v, %v", days, c.Leaf.NotBefore, c.Leaf.NotAfter, err)
		}
	}
}
