package main

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
)

// peakMemory is the most memory the process has had, in octets: resident memory
// where the system tells (Linux), else what the Go runtime took from the system.
func peakMemory() int64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		if n, ok := parseHighWater(status); ok {
			return n
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}

// parseHighWater reads the line "VmHWM:  1234 kB" of proc(5).
func parseHighWater(status []byte) (octets int64, ok bool) {
	for line := range bytes.Lines(status) {
		rest, found := bytes.CutPrefix(line, []byte("VmHWM:"))
		if !found {
			continue
		}
		value, _ := bytes.CutSuffix(bytes.TrimSpace(rest), []byte(" kB"))
		n, err := strconv.ParseInt(string(value), 10, 64)
		return n << 10, err == nil
	}
	return 0, false
}
