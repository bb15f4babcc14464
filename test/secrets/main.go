// Command secrets runs tests and looks for their passwords in all that they write:
//
//	go run ./test/secrets go test -json ./...
//
// It prints what "go test" would: a line for each package, and the output of tests
// that failed. It fails if they do, or if a password of planted.txt is in the output
// of any test, in the clear or encoded. Its own tests plant secrets in the program
// and the library and search everything that comes out.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/kaizenmail/kaizen/test/leak"
)

//go:embed planted.txt
var planted string

// scripts are those of the tests of the program. Their lines are written to the
// log as they are run, passwords and all; nothing has leaked by that.
const scripts = "test/testdata/*.txt"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := watch(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "secrets:", err)
		os.Exit(1)
	}
}

// watch runs "go test -json" and reads what it writes.
func watch(ctx context.Context, out io.Writer, command []string) error {
	if len(command) == 0 {
		return errors.New("which tests? The arguments are a command like go test -json with packages")
	}
	harmless, err := linesOf(scripts)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s := &suite{out: out, finder: leak.New(passwords(planted), 0), harmless: harmless, output: map[string]*strings.Builder{}}
	read := s.read(events)
	_, _ = io.Copy(io.Discard, events) // so that the command can end
	if err := cmd.Wait(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", command[0], err), read, s.verdict())
	}
	return errors.Join(read, s.verdict())
}

// passwords reads a list with one on each line, and comments.
func passwords(list string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(list) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "#") {
			all[fmt.Sprintf("%.3s… (%d octets)", line, len(line))] = line
		}
	}
	return all
}

// linesOf are the lines of all files.
func linesOf(pattern string) (map[string]bool, error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	lines := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(content)) {
			lines[strings.TrimSpace(line)] = true
		}
	}
	return lines, nil
}
