// Command queue measures the queue on disk from end to end: how fast messages are
// put into it and leave it, with how many waiting, and how soon a message leaves
// that nothing is in the way of.
//
//	go run ./queue drain -backlog 100000      to a sink, and with enqueueing going on
//	go run ./queue table -backlogs 1000,1000000
//	go run ./queue fair -lanes 10000 -blocked 1000000
//	go run ./queue urgent -bulk 100000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "queue:", err)
		os.Exit(1)
	}
}

// settings are the flags of all measurements.
type settings struct {
	folder   string
	turns    int
	backlog  int
	backlogs string
	behind   int
	lanes    int
	blocked  int
	bulk     int
	size     int
	samples  int
	profile  string
	heap     string
	verbose  bool
	asSink   bool
}

func run(ctx context.Context, args []string) error {
	var s settings
	what := "drain"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		what, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("queue", flag.ContinueOnError)
	flags.StringVar(&s.folder, "folder", "", "where to make queues; default: a temporary folder")
	flags.IntVar(&s.turns, "turns", 5, "turns, of which the median counts")
	flags.IntVar(&s.backlog, "backlog", 50_000, "messages that wait at the beginning")
	flags.StringVar(&s.backlogs, "backlogs", "1000,10000,100000,1000000", "of the table")
	flags.IntVar(&s.behind, "behind", 500_000, "of the table: messages of a paused account in its last row")
	flags.IntVar(&s.lanes, "lanes", 10_000, "accounts of fair")
	flags.IntVar(&s.blocked, "blocked", 1_000_000, "messages that wait for the account that is limited, of fair")
	flags.IntVar(&s.bulk, "bulk", 100_000, "messages of the priority bulk that wait, of urgent")
	flags.IntVar(&s.size, "size", 2000, "octets of a message")
	flags.IntVar(&s.samples, "samples", 1000, "messages whose way is timed, of fair and urgent")
	flags.BoolVar(&s.verbose, "v", false, "say what drain spends its time with")
	flags.StringVar(&s.heap, "memprofile", "", "of fair and urgent: write a profile of the memory in the end to this file")
	flags.StringVar(&s.profile, "cpuprofile", "", "write a profile to this file")
	flags.BoolVar(&s.asSink, "sink", false, "be the server (used by itself)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.asSink {
		return beSink()
	}
	measure, ok := map[string]func(context.Context, settings) error{"drain": drain, "table": table, "fair": fair, "urgent": urgent}[what]
	if !ok {
		return fmt.Errorf("%q is no measurement", what)
	}
	if s.profile != "" {
		f, err := os.Create(s.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if s.folder == "" {
		folder, err := os.MkdirTemp("", "kaizen-bench-queue-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		s.folder = folder
	}
	return measure(ctx, s)
}

func numbers(list string) (all []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
