//go:build unix

package test

import (
	"os"
	"runtime"
	"syscall"
)

// peakMemory is how much a process had resident at most, in octets.
func peakMemory(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}
