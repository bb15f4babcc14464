// Package test runs the program from outside: every file in testdata is a
// script of command lines and what they must print and exit with. How to write
// one: https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript.
package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/rogpeppe/go-internal/testscript"
)

// programDir holds the program that the scripts run, built once for all.
var programDir string

func TestMain(m *testing.M) {
	code, err := withProgram(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", programDir+string(os.PathListSeparator)+env.Getenv("PATH"))
			// Else each program would wait for a second at its end, if it looks for races.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("KAIZEN_CONFIG_DIR", filepath.Join(env.WorkDir, "config"))
			env.Setenv("KAIZEN_STATE_DIR", filepath.Join(env.WorkDir, "state"))
			env.Values[serversKey{}] = map[string]*smtptest.Server{}
			env.Values[brokenKey{}] = map[string]*atomic.Bool{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "server": server, "tunnel": tunnel, "delivered": delivered, "sink": sink, "password": password, "seen": seen, "eventually": eventually, "keep": keep,
		},
	})
}

// exits runs a command and checks its exit code: "exits 64 kaizen --nonsense".
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command [argument...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", args[1], got, want)
	}
}

// withProgram builds the real program, not a copy of the test's own binary, so
// that what the scripts run, and kill, is what users run.
func withProgram(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "kaizen-test")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	name := "kaizen"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	args := []string{"build", "-o", filepath.Join(dir, name)}
	if raceDetector() {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "github.com/kaizenmail/kaizen/cmd/kaizen")...)
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	programDir = dir
	// What one test does to an account is no concern of another; scripts have a
	// folder each.
	if err := os.Setenv("KAIZEN_STATE_DIR", "none"); err != nil {
		return 0, err
	}
	return run(), nil
}

// raceDetector reports whether this test was built with -race.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}
