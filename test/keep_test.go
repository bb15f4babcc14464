package test

import (
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

// keep sets a variable to what a part of the last output was:
// "keep ID 'as job (\d+)'".
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep variable pattern")
	}
	pattern, err := regexp.Compile(`(?m)` + args[1])
	ts.Check(err)
	out := ts.ReadFile("stdout")
	found := pattern.FindStringSubmatch(out)
	if len(found) != 2 {
		ts.Fatalf("no %q in\n%s", args[1], out)
	}
	ts.Setenv(args[0], found[1])
}
