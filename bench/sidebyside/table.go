package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

func printTable(w io.Writer, c scenario, results []result) {
	fmt.Fprintf(w, "\n%s (%d octets)\n", c.Name, len(c.Message.Raw))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "client\tmsg/s\tfrom\tto\tCPU µs/msg\tof bare\tround trips\tmsg/conn\t")
	for _, r := range results {
		name := r.Driver
		if r.Composes {
			name += " *"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.1f\t%.2f\t%.2f\t%.0f\t\n",
			name, rate(r.PerSecond), rate(r.Slowest), rate(r.Fastest), r.CPU, r.ToBare, r.RoundTrips, r.PerConnection)
	}
	table.Flush()
	fmt.Fprintln(w, "* composes each message; the others send a finished one")
}

// rate writes as many digits as mean something.
func rate(perSecond float64) string {
	if perSecond < 100 {
		return fmt.Sprintf("%.1f", perSecond)
	}
	return fmt.Sprintf("%.0f", perSecond)
}
