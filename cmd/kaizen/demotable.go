package main

import (
	"fmt"
	"strings"
)

// demoClaims are the figures of the document, in seconds, by number of messages
// and way; it has none for a pool without a rate limit.
var demoClaims = map[int][demoWays]string{
	1:   {"2.3 s", "2.3 s", "–"},
	10:  {"23 s", "6 s", "–"},
	100: {"230 s", "42 s", "–"},
}

// demoTable is the comparison, 78 columns wide.
func demoTable(rounds []*demoRound, paint func(colour, text string) string) string {
	var b strings.Builder
	heading := fmt.Sprintf("%-23s %10s %10s %9s %9s %11s", "", "document", "Kaizen", "connec-", "round", "octets on")
	b.WriteString(paint("1", heading) + "\n")
	b.WriteString(paint("1", fmt.Sprintf("%-23s %10s %10s %9s %9s %11s", "", "says", "took", "tions", "trips", "the wire")) + "\n")
	for _, round := range rounds {
		b.WriteString(plural(round.messages, "message") + "\n")
		for _, r := range round.runs {
			b.WriteString(demoRow(r, paint) + "\n")
		}
	}
	return b.String()
}

func demoRow(r *demoRun, paint func(colour, text string) string) string {
	took := seconds(r.took)
	if r.estimated {
		took = "~" + took
	}
	took = fmt.Sprintf("%10s", took)
	if r.way != demoSingly {
		took = paint("32", took)
	}
	return fmt.Sprintf("  %-21s %10s %s %9d %9d %11s", r.way, demoClaims[r.messages][r.way], took,
		r.traffic.connections, r.traffic.roundTrips, grouped(r.traffic.octets))
}

// grouped writes a number with commas between its thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// saved is how much less of something the second took, in percent.
func saved(before, after int64) int64 {
	if before == 0 {
		return 0
	}
	return 100 - (100*after+before/2)/before
}

// demoNotes say what the table cannot.
func demoNotes(rounds []*demoRound) string {
	last := rounds[len(rounds)-1]
	single, pool := last.runs[demoSingly], last.runs[demoPooled]
	var b strings.Builder
	fmt.Fprintf(&b, "%s through the pool: %d %% less network than with a connection each\n",
		plural(last.messages, "message"), saved(single.traffic.octets, pool.traffic.octets))
	fmt.Fprintf(&b, "(the document says 70-80 %%), and %d %% fewer round trips.\n", saved(single.traffic.roundTrips, pool.traffic.roundTrips))
	b.WriteString("Memory per connection (5 KB, says the document) is not shown: the server is in\n" +
		"this process too, and no figure would tell the two apart.\n")
	if single.estimated {
		fmt.Fprintf(&b, "~ is what %s took, multiplied; --full measures it.\n", plural(rounds[len(rounds)-2].messages, "message"))
	}
	return b.String()
}
