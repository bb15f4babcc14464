package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// scenario is a test in which nothing, or not only processes, is killed. It returns
// what was wrong, or why it could not be made.
type scenario struct {
	name string
	need func() (missing string)
	play func(r *run) (violations []string, err error)
}

func scenarios(o *options) (all []scenario) {
	if o.injected {
		all = append(all,
			scenario{"killed at a write", needsStrace, killedAtWrites},
			scenario{"fsync fails (EIO)", needsStrace, failing("fsync,fdatasync:error=EIO:when=6+25", "(?i)input/output|I/O error")},
			scenario{"writing fails (ENOSPC)", needsStrace, failing("pwrite64:error=ENOSPC:when=60+300", "I/O error")},
			scenario{"the disk is full while queueing", needsMount, fullWhileQueueing},
			scenario{"the disk is full while delivering", needsMount, fullWhileDelivering})
	}
	if o.program {
		all = append(all, scenario{"kaizen queue run is killed", func() string { return "" }, killProgram})
	}
	return all
}

// playAll returns how much was wrong.
func playAll(list []scenario, o *options, dir string, built programs) (wrong int, err error) {
	for i, s := range list {
		if missing := s.need(); missing != "" {
			fmt.Printf("NOT RUN: %s: %s\n", s.name, missing)
			continue
		}
		start := time.Now()
		r := newRun(o.seed, filepath.Join(dir, fmt.Sprint("scenario", i)), built, nil, o.letters)
		violations, err := r.settle(s.play)
		if err != nil {
			return wrong, fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("%-36s %s  %.1fs\n", s.name, r.said, time.Since(start).Seconds())
		complain(violations)
		wrong += len(violations)
	}
	return wrong, nil
}

func needs(program string) string {
	if _, err := exec.LookPath(program); err != nil {
		return program + " is not installed"
	}
	return ""
}
