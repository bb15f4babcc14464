//go:build crashpoints

package crashpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

var (
	place, count, _ = strings.Cut(os.Getenv("KAIZEN_CRASH"), ":")
	hits            atomic.Int64
)

// Hit kills the process, as a pulled plug would, if KAIZEN_CRASH is "name:n" and
// this is the n-th time that it comes to the place of the name; without ":n", the
// first.
func Hit(name string) {
	if place == "" || name != place {
		return
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		n = 1
	}
	if hits.Add(1) != n {
		return
	}
	self, _ := os.FindProcess(os.Getpid())
	_ = self.Kill()
	select {} // the signal may take a moment
}
