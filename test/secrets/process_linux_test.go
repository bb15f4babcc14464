package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	glances atomic.Int64 // at processes of the program
	sighted sync.Map     // findings
)

// watchProcesses looks at the command lines of all processes again and again, as
// anybody on the machine can with ps.
func watchProcesses() (stop func()) {
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		glance := time.NewTicker(200 * time.Millisecond)
		defer glance.Stop()
		for {
			select {
			case <-done:
				return
			case <-glance.C:
				lookAtProcesses()
			}
		}
	})
	return func() { close(done); watching.Wait() }
}

// lookAtProcesses searches the command lines of the program and what it started.
func lookAtProcesses() {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || len(line) == 0 {
			continue // it has ended
		}
		if strings.HasPrefix(string(line), program) {
			glances.Add(1)
		}
		if _, ours := typed.Load(string(line)); ours || ofAnotherRun(string(line)) {
			continue
		}
		for _, f := range all.Find(line) {
			sighted.Store(fmt.Sprintf("%.40s: %v", strings.ReplaceAll(string(line), "\x00", " "), f), true)
		}
	}
}

// ofAnotherRun: these tests run beside us, with the same secrets.
func ofAnotherRun(line string) bool {
	return strings.HasPrefix(line, filepath.Join(os.TempDir(), workPrefix)) && !strings.HasPrefix(line, program)
}

// checkProcesses fails if a secret was in the process list until now.
func checkProcesses(t *testing.T) {
	t.Helper()
	lookAtProcesses()
	sighted.Range(func(finding, _ any) bool {
		t.Errorf("the process list: %v", finding)
		return true
	})
	if glances.Load() == 0 {
		t.Error("the program was never seen among the processes")
	}
}
