// Command sidebyside measures mail clients against each other and against a
// bare client of the same level. The server is a process of its own; drivers
// take turns, so that what else the machine does meets them all; a figure is
// the median of its turns.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/bench/bare"
	"github.com/kaizenmail/kaizen/bench/driver"
	"github.com/kaizenmail/kaizen/bench/ours"
	"github.com/kaizenmail/kaizen/bench/peers"
	"github.com/kaizenmail/kaizen/bench/sink"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sidebyside:", err)
		os.Exit(1)
	}
}

// drivers are all who compete. A new one is one line here.
func drivers() []driver.Driver {
	return slices.Concat(bare.Drivers(), ours.Drivers(), peers.Drivers())
}

func run() error {
	quick := flag.Bool("quick", false, "shorter turns, fewer cases")
	turns := flag.Int("turns", 5, "turns for each driver")
	onlyCase := flag.String("case", "", "only cases whose name contains this")
	onlyDriver := flag.String("driver", "", "only drivers whose name contains this, and the bare ones")
	output := flag.String("json", "", "write the results to this file, too")
	asSink := flag.Bool("sink", false, "be the server (used by itself)")
	roundTrip := flag.Duration("rtt", 0, "with -sink: the round trip")
	secure := flag.Bool("tls", false, "with -sink: implicit TLS")
	flag.Parse()
	if *asSink {
		return sink.Run(os.Stdin, os.Stdout, *roundTrip, *secure)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	turn := time.Second
	if *quick {
		turn = 150 * time.Millisecond
	}
	var results []result
	for _, c := range cases(*quick) {
		if !strings.Contains(c.Name, *onlyCase) {
			continue
		}
		measured, err := c.measure(ctx, competitors(*onlyDriver), *turns, turn)
		if err != nil {
			return err
		}
		printTable(os.Stdout, c, measured)
		results = append(results, measured...)
	}
	if *output == "" {
		return nil
	}
	encoded, err := json.MarshalIndent(results, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(*output, append(encoded, '\n'), 0o644)
}

func competitors(named string) []driver.Driver {
	var chosen []driver.Driver
	for _, d := range drivers() {
		if strings.Contains(d.Name, named) || isBare(d) {
			chosen = append(chosen, d)
		}
	}
	return chosen
}

func isBare(d driver.Driver) bool { return strings.HasPrefix(d.Name, "bare ") }
