// Command crash kills processes that queue and deliver mail, at named places and
// at random, starts them again until the queue is empty, and then compares what
// was acknowledged, what the queue remembers and what a server has received.
//
//	go run ./test/crash -runs 200
//	go run ./test/crash -runs 1 -seed 4711    repeat one run
//
// It must be started in the root of the source tree. docs/testing.md says what it
// checks.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

type options struct {
	runs     int
	seed     uint64
	letters  int
	only     string
	injected bool
	program  bool
}

func main() {
	var o options
	flag.IntVar(&o.runs, "runs", 200, "how many runs")
	flag.Uint64Var(&o.seed, "seed", 0, "the first run's, each has the next one; 0: random")
	flag.IntVar(&o.letters, "messages", 600, "how many in each run")
	flag.StringVar(&o.only, "point", "", "kill at this place alone")
	flag.BoolVar(&o.injected, "inject", true, "also let writes fail (as root on Linux, with strace)")
	flag.BoolVar(&o.program, "program", true, "also kill the program itself")
	flag.Parse()
	if o.seed == 0 {
		o.seed = 1 + rand.Uint64N(1_000_000)
	}
	wrong, err := crash(&o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(2)
	}
	if wrong > 0 {
		fmt.Printf("%d violations\n", wrong)
		os.Exit(1)
	}
	fmt.Println("nothing was lost, nothing was sent twice without a reason that the queue knows")
}

// crash does everything, and returns how much was wrong.
func crash(o *options) (wrong int, err error) {
	dir, err := os.MkdirTemp("", "kaizen-crash")
	if err != nil {
		return 0, err
	}
	defer func() {
		if wrong == 0 {
			os.RemoveAll(dir)
		}
	}()
	built, err := build(dir)
	if err != nil {
		return 0, err
	}
	points, err := findPoints(".")
	if err != nil {
		return 0, err
	}
	if o.only != "" {
		if points, err = pick(points, o.only); err != nil {
			return 0, err
		}
	}
	t := newTable(points)
	for i := range o.runs {
		r := newRun(o.seed+uint64(i), filepath.Join(dir, fmt.Sprint("run", i)), built, points, o.letters)
		report, err := r.play()
		if err != nil {
			return wrong, fmt.Errorf("run with seed %d: %w", r.seed, err)
		}
		t.add(report)
		wrong += len(report.violations)
	}
	if o.runs > 0 {
		t.print(os.Stdout)
	}
	if o.runs >= 2*len(points) && o.only == "" {
		wrong += t.unreached(os.Stdout)
	}
	more, err := playAll(scenarios(o), o, dir, built)
	return wrong + more, err
}
