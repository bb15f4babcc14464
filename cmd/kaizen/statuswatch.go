package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// What moves a terminal (ECMA-48, and xterm's private modes).
const (
	enterScreen   = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the other screen, no cursor, no wrapping
	leaveScreen   = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	beginFrame    = "\x1b[?2026h\x1b[H"    // what follows is shown at once, from the top
	endFrame      = "\x1b[J\x1b[?2026l"    // nothing below
	resizeGlimpse = 200 * time.Millisecond // how often the terminal's size is looked at
)

// watchStatus looks again and again until ctx ends, which is no failure: that is
// how watching ends.
func (a *app) watchStatus(ctx context.Context, source *statusSource, interval time.Duration, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(a.stdout)
		e.SetEscapeHTML(false)
		return every(ctx, interval, func() error { return written(e.Encode(source.look(time.Now()))) })
	}
	if v, _ := a.lookupEnv("TERM"); v == "dumb" || !isTerminal(a.stdout) {
		view := a.statusView(len(source.names) == 1)
		return every(ctx, interval, func() error {
			r := source.look(time.Now())
			text := r.Time.Format(time.DateTime) + "\n" + strings.Join(view.lines(r), "\n") + "\n\n"
			_, err := io.WriteString(a.stdout, text)
			return written(err)
		})
	}
	return a.drawStatus(ctx, source, interval)
}

func written(err error) error {
	if err != nil {
		return withCode(exitIO, fmt.Errorf("write the result: %w", err))
	}
	return nil
}

// drawStatus draws on a screen of its own, and gives the former one back.
func (a *app) drawStatus(ctx context.Context, source *statusSource, interval time.Duration) error {
	if _, err := io.WriteString(a.stdout, enterScreen); err != nil {
		return written(err)
	}
	defer io.WriteString(a.stdout, leaveScreen)
	view := a.statusView(len(source.names) == 1)
	var report *statusReport
	var width, height int
	glance := min(interval, resizeGlimpse)
	return every(ctx, glance, func() error {
		now := time.Now()
		w, h := screenSize(a.stdout)
		fresh := report == nil || now.Sub(report.Time) >= interval-glance/2
		if fresh {
			report = source.look(now)
		} else if w == width && h == height {
			return nil
		}
		width, height = w, h
		view.width = max(width-1, 1) // to erase the rest of a full line would erase its last column
		heading := fmt.Sprintf("%s  every %s  %s  Ctrl-C ends", now.Format(time.TimeOnly), interval, report.summary())
		return written(draw(a.stdout, view.screen(report, heading, height)))
	})
}

// draw writes a frame over the last one, in one piece: nothing is erased before it
// is drawn over.
func draw(w io.Writer, lines []string) error {
	var frame strings.Builder
	frame.WriteString(beginFrame)
	for i, line := range lines {
		if i > 0 {
			frame.WriteString("\r\n")
		}
		frame.WriteString(line + eraseLine)
	}
	frame.WriteString(endFrame)
	_, err := io.WriteString(w, frame.String())
	return err
}
