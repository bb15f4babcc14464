package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
)

// liveScreen is standard error with a few lines at its end that are drawn again and
// again. What is written to it scrolls by above them.
type liveScreen struct {
	app    *app
	redraw bool

	mu    sync.Mutex // orders what is written
	lines []string   // at the end
}

// Write writes whole lines above those that are drawn.
func (s *liveScreen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	drawn := s.lines
	var frame strings.Builder
	s.erase(&frame)
	frame.Write(p)
	s.place(&frame, drawn)
	if _, err := fmt.Fprint(s.app.stderr, frame.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// draw replaces the lines at the end.
func (s *liveScreen) draw(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var frame strings.Builder
	s.erase(&frame)
	s.place(&frame, lines)
	fmt.Fprint(s.app.stderr, frame.String())
}

// erase goes back to where the lines begin.
func (s *liveScreen) erase(frame *strings.Builder) {
	if len(s.lines) == 0 {
		return
	}
	frame.WriteString("\r")
	if n := len(s.lines) - 1; n > 0 {
		fmt.Fprintf(frame, "\x1b[%dA", n)
	}
	frame.WriteString("\x1b[J")
	s.lines = nil
}

// place leaves the cursor behind the last line, so that a screen that is full does
// not scroll.
func (s *liveScreen) place(frame *strings.Builder, lines []string) {
	frame.WriteString(strings.Join(lines, "\r\n"))
	s.lines = lines
}

// queueScreen tells how far a run is.
type queueScreen struct {
	queue *mailQueue
	tally *queueTally
	watch bool
	marks []rateMark
	state *kaizen.Situation // of a second ago at most; nil: not known yet
	asked time.Time
	told  []string // accounts that sent nothing, and why, when that was last written
}

// glance is how often the store is asked how many jobs are left.
const glance = time.Second

// follow shows the progress until the returned function is called.
func (q *mailQueue) follow(ctx context.Context, out *liveScreen, tally *queueTally, watch bool) (stop func()) {
	s := &queueScreen{queue: q, tally: tally, watch: watch}
	s.rate(time.Now()) // counts from here
	interval := bulkLine
	if out.redraw {
		interval = 2 * bulkFrame
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var following sync.WaitGroup
	following.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				s.show(ctx, out, now)
			}
		}
	})
	return func() {
		cancel()
		following.Wait()
		if out.redraw {
			out.draw(nil)
		}
	}
}

func (s *queueScreen) show(ctx context.Context, out *liveScreen, now time.Time) {
	if now.Sub(s.asked) >= glance {
		s.asked = now
		s.queue.now = now
		if state, err := s.queue.situation(ctx); err == nil { // else the next second tells
			s.state = state
		}
	}
	if s.state == nil {
		return
	}
	if !out.redraw {
		fmt.Fprintln(out, strings.Join(append([]string{s.summary(now, 0)}, s.news()...), "\n"))
		return
	}
	width, height := screenSize(s.queue.app.stderr)
	lines := append([]string{s.summary(now, bulkBarWidth)}, s.waits()...)
	if height > 2 && len(lines) > height/2 {
		lines = append(lines[:height/2], "  …")
	}
	for i := range lines {
		lines[i] = cutWidth(lines[i], max(width-1, 1))
	}
	out.draw(lines)
}

// summary is how far the run is, in a line.
func (s *queueScreen) summary(now time.Time, barWidth int) string {
	done, left := s.tally.finished(), int64(s.state.Stats.Total(queue.Queued, queue.Active))
	rate := s.rate(now)
	var b strings.Builder
	if barWidth > 0 && !s.watch && done+left > 0 {
		b.WriteString(bar(int(done), int(done+left), barWidth) + " ")
	}
	fmt.Fprintf(&b, "sent %d  left %d  %.0f/s", s.tally.sent.Load(), left, rate)
	if rate >= 0.1 && left > 0 {
		fmt.Fprintf(&b, "  ETA %s", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	for _, extra := range []struct {
		name string
		n    int64
	}{{"failed", s.tally.failed.Load()}, {"expired", s.tally.expired.Load()}, {"held", s.tally.held.Load()},
		{"unknown", s.tally.unknown.Load()}, {"tried again later", s.tally.again.Load()}} {
		if extra.n > 0 {
			fmt.Fprintf(&b, "  %s %d", extra.name, extra.n)
		}
	}
	return b.String()
}

// waits says for each account what its jobs wait for.
func (s *queueScreen) waits() (lines []string) {
	for i := range s.state.Stats.Lanes {
		l := &s.state.Stats.Lanes[i]
		w := s.state.Account(l.Name)
		if w.Code == kaizen.WhyNothing || w.Code == kaizen.WhyHeld {
			continue
		}
		lines = append(lines, "  "+flat(w.Sentence))
	}
	return lines
}

// news are the accounts that send nothing at present, if they are others than before
// or have other reasons.
func (s *queueScreen) news() (lines []string) {
	var stuck []string
	for i := range s.state.Stats.Lanes {
		name := s.state.Stats.Lanes[i].Name
		switch w := s.state.Account(name); w.Code {
		case kaizen.WhyPaused, kaizen.WhyNoAccount, kaizen.WhyUnusable, kaizen.WhyStopped, kaizen.WhyDown, kaizen.WhyQuota, kaizen.WhyNotBefore:
			stuck = append(stuck, name, string(w.Code))
			lines = append(lines, "  "+flat(w.Sentence))
		}
	}
	if slices.Equal(stuck, s.told) {
		return nil
	}
	s.told = stuck
	return lines
}

// rate is that of the last bulkRateSpan, in finished jobs per second.
func (s *queueScreen) rate(now time.Time) float64 {
	done := s.tally.finished()
	if n := len(s.marks); n == 0 || now.Sub(s.marks[n-1].at) >= bulkRateSpan/bulkRateSteps {
		s.marks = append(s.marks, rateMark{now, done})
	}
	for len(s.marks) > 1 && now.Sub(s.marks[0].at) > bulkRateSpan+bulkRateSpan/2 {
		s.marks = s.marks[1:]
	}
	if took := now.Sub(s.marks[0].at).Seconds(); took > 0 {
		return float64(done-s.marks[0].rows) / took
	}
	return 0
}
