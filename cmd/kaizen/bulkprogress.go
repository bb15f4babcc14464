package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/internal/bulk"
	"golang.org/x/term"
)

const (
	bulkFrame     = 100 * time.Millisecond // between two drawings of the bar
	bulkLine      = 10 * time.Second       // between two lines where nothing is redrawn
	bulkBarWidth  = 24
	bulkRateSpan  = 10 * time.Second // over which the rate is taken
	bulkRateSteps = 20
)

// bulkScreen tells how far a run is: a bar on a terminal, else a line from time
// to time.
type bulkScreen struct {
	out      io.Writer
	progress *bulk.Progress
	total    int // -1: unknown
	queued   bool
	redraw   bool
	marks    []rateMark // the last rows counted, oldest first
}

type rateMark struct {
	at   time.Time
	rows int64
}

// followBulk shows the progress on standard error until the returned function
// is called.
func (a *app) followBulk(progress *bulk.Progress, total int, queued bool) (stop func()) {
	s := &bulkScreen{out: a.stderr, progress: progress, total: total, queued: queued, redraw: a.redraws()}
	s.rate(time.Now()) // counts from here
	every := bulkLine
	if s.redraw {
		every = bulkFrame
	}
	done := make(chan struct{})
	var following sync.WaitGroup
	following.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				s.show(now)
			}
		}
	})
	return func() {
		close(done)
		following.Wait()
		if s.redraw {
			fmt.Fprint(s.out, "\r"+eraseLine)
		}
	}
}

// redraws reports whether standard error is a terminal that can go back to the
// start of a line.
func (a *app) redraws() bool {
	v, _ := a.lookupEnv("TERM")
	return isTerminal(a.stderr) && v != "dumb"
}

func (s *bulkScreen) show(now time.Time) {
	line := s.line(now)
	if !s.redraw {
		fmt.Fprintln(s.out, line)
		return
	}
	if f, ok := s.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 1 {
			line = cutTo(line, width-1)
		}
	}
	fmt.Fprint(s.out, "\r"+line+eraseLine)
}

// cutTo keeps a line from being wrapped, which could not be redrawn.
func cutTo(line string, width int) string {
	if runes := []rune(line); len(runes) > width {
		return string(runes[:width])
	}
	return line
}

func (s *bulkScreen) line(now time.Time) string {
	p := s.progress
	rows, rate := p.Rows.Load(), s.rate(now)
	var b strings.Builder
	if s.redraw && s.total > 0 {
		b.WriteString(bar(int(rows), s.total, bulkBarWidth) + " ")
	}
	fmt.Fprintf(&b, "%d", rows)
	if s.total >= 0 {
		fmt.Fprintf(&b, "/%d", s.total)
	}
	fmt.Fprintf(&b, " rows  %.0f/s", rate)
	if left := int64(s.total) - rows; s.total >= 0 && left > 0 && rate > 0 {
		fmt.Fprintf(&b, "  ETA %s", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	if s.queued {
		fmt.Fprintf(&b, "  queued %d", p.Queued.Load())
	} else {
		fmt.Fprintf(&b, "  accepted %d  refused %d  retried %d", p.Accepted.Load(), p.Rejected.Load(), p.Retried.Load())
	}
	for _, extra := range []struct {
		name string
		n    int64
	}{{"waiting to retry", p.Waiting.Load()}, {"given up", p.Deferred.Load()}, {"unknown", p.Unknown.Load()}, {"bad", p.Bad.Load()}} {
		if extra.n > 0 {
			fmt.Fprintf(&b, "  %s %d", extra.name, extra.n)
		}
	}
	return b.String()
}

// rate is that of the last bulkRateSpan, in rows per second. Rows that earlier
// runs finished do not count.
func (s *bulkScreen) rate(now time.Time) float64 {
	rows := s.progress.Rows.Load() - s.progress.Finished.Load()
	if n := len(s.marks); n == 0 || now.Sub(s.marks[n-1].at) >= bulkRateSpan/bulkRateSteps {
		s.marks = append(s.marks, rateMark{now, rows})
	}
	for len(s.marks) > 1 && now.Sub(s.marks[0].at) > bulkRateSpan+bulkRateSpan/2 {
		s.marks = s.marks[1:]
	}
	first := s.marks[0]
	if took := now.Sub(first.at).Seconds(); took > 0 {
		return float64(rows-first.rows) / took
	}
	return 0
}
