package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// failing lets system calls of the process that delivers fail now and then, while
// it queues and delivers. An error must be told with the words, no letter of which
// a receipt was given may be lost, and what failed is queued by another process
// afterwards.
func failing(injection, words string) func(*run) ([]string, error) {
	return func(r *run) (violations []string, err error) {
		trace := filepath.Join(r.dir, "trace")
		r.prefix = func() []string { return strace(trace, injection) }
		if violations, err = r.live(); err != nil || len(violations) > 0 {
			return violations, err
		}
		r.prefix = noPrefix
		said := r.ledger.complaints()
		if !regexp.MustCompile(words).MatchString(said) {
			violations = append(violations, fmt.Sprintf("no error says %q: %q", words, said))
		}
		injected, again, err := readTrace(trace)
		if err != nil {
			return violations, err
		}
		violations = append(violations, again...)
		if injected == 0 {
			violations = append(violations, "no system call was made to fail")
		}
		r.say("%d system calls failed, %d letters refused;", injected, r.ledger.forgive())
		more, err := r.live()
		return append(violations, more...), err
	}
}

// strace starts a program some of whose system calls go wrong.
func strace(trace, injection string) []string {
	calls, _, _ := strings.Cut(injection, ":")
	args := []string{"strace", "-f", "-qq", "-y", "-o", trace, "-e", "trace=openat,close," + calls, "-e", "inject=" + injection}
	if strings.Contains(injection, "error=") {
		args = append(args, "--seccomp-bpf") // faster, and does not know signals
	}
	return args
}

// lives is how often a process is killed at a write.
const lives = 15

// killedAtWrites kills the process that delivers when it is about to write to, or
// to synchronise, the queue's files: in the midst of commits, checkpoints and
// bodies.
func killedAtWrites(r *run) (violations []string, err error) {
	left := lives
	r.prefix = func() []string {
		if left == 0 {
			return nil
		}
		left--
		injection := fmt.Sprintf("pwrite64:signal=KILL:when=%d", 1+r.dice.IntN(60))
		if left%3 == 0 {
			injection = fmt.Sprintf("fsync,fdatasync,ftruncate,renameat,unlinkat:signal=KILL:when=%d", 1+r.dice.IntN(15))
		}
		return strace(filepath.Join(r.dir, "trace"), injection)
	}
	violations, err = r.live()
	r.say("killed %d times;", r.deaths)
	if r.deaths == 0 {
		violations = append(violations, "it was never killed")
	}
	return violations, err
}

func needsStrace() string {
	return needs("strace")
}

var call = regexp.MustCompile(`^\d+ +(\w+)\((\d+)<([^>]*)>`)

// readTrace counts the calls that were made to fail, and looks for a log that is
// synchronised again after that has failed: the kernel reports an error once, and
// has thrown the pages away. It must be closed first.
func readTrace(name string) (injected int, violations []string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	broken := map[string]bool{} // descriptors
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		failed := strings.Contains(line, "(INJECTED)")
		if failed {
			injected++
		}
		m := call.FindStringSubmatch(line)
		if m == nil || !strings.HasSuffix(m[3], "-wal") {
			continue
		}
		switch fd := m[2]; {
		case m[1] == "close":
			delete(broken, fd)
		case !strings.Contains(m[1], "sync"):
		case broken[fd]:
			violations = append(violations, "synchronised again after that had failed: "+line)
		default:
			broken[fd] = failed
		}
	}
	return injected, violations, nil
}
