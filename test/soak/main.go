// Command soak sends as fast as it can, for as long as it is told, to servers
// that fail in every way in one of a hundred cases, and then settles accounts:
// every message has one outcome, which agrees with what the servers took, and
// goroutines, file descriptors and heap have not grown.
//
//	go run ./test/soak -time 30m
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	length := flag.Duration("time", time.Minute, "how long to send")
	flag.Parse()
	complaints, err := soak(*length)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	for _, complaint := range complaints {
		fmt.Println("WRONG:", complaint)
	}
	if len(complaints) > 0 {
		os.Exit(1)
	}
	fmt.Println("all is accounted for, nothing has grown")
}

// soak is the whole run. It returns what was wrong.
func soak(length time.Duration) (complaints []string, err error) {
	books := newBooks(length)
	before := settledSample()
	farm, err := newFarm(books)
	if err != nil {
		return nil, err
	}
	office := newOffice(farm, books)
	record := newRecord(length)
	deadline := time.Now().Add(length)
	office.open(deadline)
	for tick := time.NewTicker(time.Second); time.Now().Before(deadline); <-tick.C {
		record.note(takeSample(), books.given.Load())
	}
	complaints = append(complaints, office.close()...)
	complaints = append(complaints, farm.close()...)
	complaints = append(complaints, record.growth()...)
	complaints = append(complaints, leftBehind(before)...)
	complaints = append(complaints, books.settle()...)
	return complaints, nil
}
