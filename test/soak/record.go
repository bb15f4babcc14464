package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"time"
)

// sample is a moment of this process, servers and all.
type sample struct {
	goroutines, files int
	heap              int64 // octets alive at the latest garbage collection
}

func takeSample() sample {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return sample{runtime.NumGoroutine(), openFiles(), int64(live[0].Value.Uint64())}
}

// settledSample is one without garbage. What waits in pools goes with the second
// collection.
func settledSample() sample {
	runtime.GC()
	runtime.GC()
	return takeSample()
}

// openFiles is -1 where the system does not tell.
func openFiles() int {
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if names, err := os.ReadDir(dir); err == nil {
			return len(names)
		}
	}
	return -1
}

// record is what was sampled during the run, every second.
type record struct {
	length  time.Duration
	samples []sample
	given   int64 // messages up to the line printed last
	printed int
}

func newRecord(length time.Duration) *record {
	fmt.Printf("%8s %12s %12s %8s %10s\n", "second", "messages/s", "goroutines", "files", "heap MB")
	return &record{length: length, samples: make([]sample, 0, int(length.Seconds())+2)}
}

// note keeps a sample, and prints thirty of them.
func (r *record) note(s sample, given int64) {
	r.samples = append(r.samples, s)
	n := len(r.samples)
	if every := max(1, int(r.length.Seconds())/30); n%every == 0 {
		fmt.Printf("%8d %12d %12d %8d %10.1f\n", n, (given-r.given)/int64(n-r.printed), s.goroutines, s.files, float64(s.heap)/1e6)
		r.given, r.printed = given, n
	}
}

// Bounds between the second and the last quarter. Both have the same load, so
// that means over a quarter differ by a few in a hundred, and the heap, without
// the books, by about a megabyte. A goroutine lost with each connection, or with
// each fault, would be hundreds a second; 100 octets lost with each message would
// be a megabyte a second: far beyond in the half of the run that lies between,
// even if that is half a minute.
const (
	loosePart = 0.1 // of goroutines and files
	looseMore = 60
	looseHeap = 8 << 20
)

// growth compares the last quarter with the second: the first one warms up.
func (r *record) growth() (complaints []string) {
	quarter := len(r.samples) / 4
	if quarter == 0 {
		return nil
	}
	early, late := mean(r.samples[quarter:2*quarter]), mean(r.samples[3*quarter:])
	check := func(what string, early, late, bound float64) {
		fmt.Printf("%-16s %14.0f in the second quarter, %14.0f in the last\n", what, early, late)
		if late > bound {
			complaints = append(complaints, fmt.Sprintf("%s grew from %.0f to %.0f", what, early, late))
		}
	}
	check("goroutines", early.goroutines, late.goroutines, early.goroutines*(1+loosePart)+looseMore)
	check("open files", early.files, late.files, early.files*(1+loosePart)+looseMore)
	check("octets of heap", early.heap, late.heap, early.heap+looseHeap)
	return complaints
}

type average struct{ goroutines, files, heap float64 }

func mean(samples []sample) (m average) {
	n := float64(len(samples))
	for _, s := range samples {
		m.goroutines += float64(s.goroutines) / n
		m.files += float64(s.files) / n
		m.heap += float64(s.heap) / n
	}
	return m
}

// leftBehind compares the process with what it was before the first server. The
// network poller's own file stays, and goroutines take a moment to end.
func leftBehind(before sample) (complaints []string) {
	now := settledSample()
	for patience := time.Now().Add(5 * time.Second); now.goroutines > before.goroutines && time.Now().Before(patience); {
		<-time.After(10 * time.Millisecond)
		now = settledSample()
	}
	fmt.Printf("at the end %d goroutines (before %d), %d files (before %d), %.1f MB of heap (before %.1f)\n",
		now.goroutines, before.goroutines, now.files, before.files, float64(now.heap)/1e6, float64(before.heap)/1e6)
	if now.goroutines > before.goroutines {
		stacks := make([]byte, 64<<10)
		stacks = stacks[:runtime.Stack(stacks, true)]
		complaints = append(complaints, fmt.Sprintf("%d goroutines are left:\n%s", now.goroutines-before.goroutines, stacks))
	}
	if pollers := 3; now.files > before.files+pollers {
		complaints = append(complaints, fmt.Sprintf("%d files are left open", now.files-before.files))
	}
	if now.heap > before.heap+looseHeap {
		complaints = append(complaints, fmt.Sprintf("%d octets of heap are left", now.heap-before.heap))
	}
	return complaints
}
