package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// demoScreen shows how the runs get on: bars that grow on a terminal, a line for
// each run that has finished elsewhere.
type demoScreen struct {
	out    io.Writer
	paint  func(colour, text string) string
	redraw bool // out is a terminal that knows how to move the cursor
	width  int

	mu sync.Mutex // held while a line is written
}

const (
	demoFrame    = 50 * time.Millisecond
	demoBarWidth = 30
	cursorUp     = "\x1b[%dA"
	eraseLine    = "\x1b[K"
)

// follow draws the runs of a round until the returned function is called, which
// draws them for the last time.
func (s *demoScreen) follow(round *demoRound) (stop func()) {
	fmt.Fprintf(s.out, "\n%s\n", s.paint("1", plural(round.messages, "message")))
	if !s.redraw {
		for _, r := range round.runs {
			if r.estimated {
				fmt.Fprintln(s.out, s.line(r, 0))
			}
		}
		return func() {}
	}
	s.draw(round, time.Now())
	done := make(chan struct{})
	var drawing sync.WaitGroup
	began := time.Now()
	drawing.Go(func() {
		ticker := time.NewTicker(demoFrame)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				fmt.Fprintf(s.out, cursorUp, len(round.runs))
				s.draw(round, began)
			}
		}
	})
	return func() {
		close(done)
		drawing.Wait()
		fmt.Fprintf(s.out, cursorUp, len(round.runs))
		s.draw(round, began)
	}
}

func (s *demoScreen) draw(round *demoRound, began time.Time) {
	var frame strings.Builder
	for _, r := range round.runs {
		frame.WriteString("\r" + s.line(r, time.Since(began)) + eraseLine + "\n")
	}
	io.WriteString(s.out, frame.String())
}

// line is one run: name, bar, count and time. The time of a run that goes on is
// since the beginning, scaled to life as the others are.
func (s *demoScreen) line(r *demoRun, since time.Duration) string {
	if r.estimated {
		return fmt.Sprintf("  %-19s %s", r.way, "not run: would take about "+seconds(r.took)+" (see --full)")
	}
	sent, ended := int(r.sent.Load()), r.ended.Load()
	took := time.Duration(float64(since) * r.speed)
	colour := "33"
	if ended {
		took, colour = r.took, "32"
	}
	bar := s.paint(colour, bar(sent, r.messages, min(demoBarWidth, s.width-46)))
	return fmt.Sprintf("  %-19s %s %7s %8s", r.way, bar, fmt.Sprintf("%d/%d", sent, r.messages), seconds(took))
}

func bar(done, of, width int) string {
	width = max(width, 5)
	full := done * width / of
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// finished prints the line of a run where nothing is redrawn.
func (s *demoScreen) finished(r *demoRun) {
	if s.redraw {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "  %-19s %8s\n", r.way, seconds(r.took))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
