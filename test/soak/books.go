package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// fastest is more messages a second than this program can send. The books take
// an octet for each, all of it from the start, so that the heap shows leaks only.
const fastest = 100_000

// books say of every message what its sender was told and how often it arrived:
// bits 0-1 arrivals, 2-3 how often told, 4-5 the outcome, none of them beyond 3.
type books struct {
	given atomic.Int64 // messages handed out, and the number of the latest
	pages []atomic.Uint32
}

func newBooks(length time.Duration) *books {
	return &books{pages: make([]atomic.Uint32, int(length.Seconds()+1)*fastest/4+1)}
}

// next returns the number of a new message, or false when the books are full.
func (b *books) next() (int64, bool) {
	n := b.given.Add(1)
	return n, n < int64(len(b.pages)*4)
}

func (b *books) change(n int64, f func(entry uint32) uint32) {
	page, shift := &b.pages[n/4], uint(n%4)*8
	for {
		old := page.Load()
		entry := f(old >> shift & 0xff)
		if page.CompareAndSwap(old, old&^(0xff<<shift)|entry<<shift) {
			return
		}
	}
}

// told also returns how often the message has arrived by now: servers book a
// message before they answer.
func (b *books) told(n int64, o smtp.Outcome) (arrivals int) {
	b.change(n, func(entry uint32) uint32 {
		arrivals = int(entry & 3)
		return entry&3 | min(entry>>2&3+1, 3)<<2 | uint32(o)<<4
	})
	return arrivals
}

// arrived is called by the servers for each message they take.
func (b *books) arrived(m *smtptest.Message) {
	number, _, _ := strings.Cut(strings.TrimPrefix(m.ID, "<"), "@")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > b.given.Load() {
		panic("soak: a message arrived that nobody sent: " + m.ID)
	}
	b.change(n, func(entry uint32) uint32 { return entry&^3 | min(entry&3+1, 3) })
}

// settle compares what was told with what arrived.
func (b *books) settle() (complaints []string) {
	var told [4]int
	unknownArrived, wrong := 0, 0
	for n := int64(1); n <= b.given.Load(); n++ {
		entry := b.pages[n/4].Load() >> (uint(n%4) * 8) & 0xff
		arrivals, times, outcome := entry&3, entry>>2&3, smtp.Outcome(entry>>4&3)
		told[outcome]++
		fits := times == 1
		switch outcome {
		case smtp.Accepted:
			fits = fits && arrivals == 1
		case smtp.Unknown:
			fits = fits && arrivals <= 1
			unknownArrived += int(arrivals)
		default:
			fits = fits && arrivals == 0
		}
		if fits {
			continue
		}
		if wrong++; wrong <= 10 {
			complaints = append(complaints, fmt.Sprintf("message %d was told %v (%d times) and arrived %d times", n, outcome, times, arrivals))
		}
	}
	if wrong > 10 {
		complaints = append(complaints, fmt.Sprintf("%d messages do not add up", wrong))
	}
	fmt.Printf("\n%d messages: %d accepted, %d rejected, %d not sent, %d unknown (of which %d arrived)\n", b.given.Load(),
		told[smtp.Accepted], told[smtp.Rejected], told[smtp.NotSent], told[smtp.Unknown], unknownArrived)
	if told[smtp.Accepted]*10 < int(b.given.Load())*8 {
		complaints = append(complaints, "less than four fifths were accepted: the run shows little")
	}
	return complaints
}
