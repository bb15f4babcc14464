package test

import (
	"os/exec"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for what other processes do.
const patience = 30 * time.Second

// eventually runs a command again and again until it prints what matches, whatever
// it exits with: "eventually '"condition": "healthy"' kaizen status --json".
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually pattern command [argument...]")
	}
	want, err := regexp.Compile(`(?m)` + args[0])
	ts.Check(err)
	late := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ts.Exec(args[1], args[2:]...)
		if _, exited := err.(*exec.ExitError); err != nil && !exited {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		out := ts.ReadFile("stdout")
		if want.MatchString(out) {
			return
		}
		select {
		case <-late:
			ts.Fatalf("%q did not print %q within %v:\n%s", args[1:], args[0], patience, out)
		case <-tick.C:
		}
	}
}
