package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// terminal is where a person can be asked. Questions do not go to standard
// output: that is for results.
type terminal struct {
	in  *os.File
	out io.Writer
}

var errInterrupted = withCode(exitInterrupted, errors.New("interrupted"))

// terminal finds the person, if there is one: standard input must be a terminal.
// Standard error may be a file; then the terminal is opened by its name.
func (a *app) terminal() (*terminal, bool) {
	in, ok := a.stdin.(*os.File)
	if !ok || !isTerminal(in) {
		return nil, false
	}
	if isTerminal(a.stderr) {
		return &terminal{in, a.stderr}, true
	}
	out, err := openTerminal()
	if err != nil {
		return nil, false
	}
	return &terminal{in, out}, true
}

func (t *terminal) say(format string, values ...any) { fmt.Fprintf(t.out, format+"\n", values...) }

// ask asks for a line. What is typed may be nothing.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(t.out, question)
	line, err := await(ctx, t.readLine)
	if ctx.Err() != nil {
		fmt.Fprintln(t.out)
		return "", err
	}
	if err != nil {
		fmt.Fprintln(t.out)
		return "", unanswered(err)
	}
	return strings.TrimSpace(string(line)), nil
}

// unanswered is the error for a question: Ctrl-D is meant as Ctrl-C is.
func unanswered(err error) error {
	if errors.Is(err, io.EOF) {
		return errInterrupted
	}
	return withCode(exitIO, fmt.Errorf("read the answer: %w", err))
}

// askOr asks for a line, of which nothing means standard.
func (t *terminal) askOr(ctx context.Context, question, standard string) (string, error) {
	if standard != "" {
		question += " [" + standard + "]"
	}
	answer, err := t.ask(ctx, question+": ")
	if answer == "" {
		answer = standard
	}
	return answer, err
}

// confirm asks a question until the answer is yes or no, or nothing, which
// means standard.
func (t *terminal) confirm(ctx context.Context, question string, standard bool) (bool, error) {
	choices := " [y/N] "
	if standard {
		choices = " [Y/n] "
	}
	for {
		answer, err := t.ask(ctx, question+choices)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "":
			return standard, nil
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
}

// readLine reads no octet beyond the line's end, which the next question may
// want in another way.
func (t *terminal) readLine() ([]byte, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := t.in.Read(one)
		if n == 1 && one[0] == '\n' {
			return line, nil
		}
		if n == 1 {
			line = append(line, one[0])
		}
		if err == io.EOF && len(line) > 0 {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// secret asks without showing what is typed, which may be nothing.
func (t *terminal) secret(ctx context.Context, question string) (string, error) {
	fd := int(t.in.Fd())
	shown, err := term.GetState(fd)
	if err != nil {
		return "", withCode(exitIO, fmt.Errorf("prepare the terminal: %w", err))
	}
	fmt.Fprint(t.out, question)
	typed, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	fmt.Fprintln(t.out)
	if ctx.Err() != nil {
		_ = term.Restore(fd, shown) // else the shell would not show what is typed
		return "", err
	}
	if err != nil {
		return "", unanswered(err)
	}
	return string(typed), nil
}

// await waits for a read that cannot be cancelled, or for ctx. The process ends
// soon after ctx does, and the read with it: nothing can end it sooner.
func await(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := read()
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		return nil, errInterrupted
	}
}
