package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// red marks text for the terminal that standard error goes to, if it does.
func (a *app) red(text string) string { return a.paint(a.stderr, "31", text) }

func (a *app) yellow(text string) string { return a.paint(a.stderr, "33", text) }

// paint wraps text in an ANSI colour, unless w is no terminal, the user set
// NO_COLOR (https://no-color.org), or the terminal knows no colours.
func (a *app) paint(w io.Writer, colour, text string) string {
	if v, _ := a.lookupEnv("NO_COLOR"); v != "" {
		return text
	}
	if v, _ := a.lookupEnv("TERM"); v == "dumb" {
		return text
	}
	if !isTerminal(w) {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// isTerminal reports whether a stream, in or out, is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
