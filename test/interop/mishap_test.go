package interop_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// shutDown stops the server as its own command does.
func (in *instance) shutDown(t *testing.T) { in.stop(t) }

func (in *instance) startAgain(t *testing.T) { in.again(t) }

// kill ends all processes of the server at once, as a broken machine would.
func (in *instance) kill(t *testing.T) {
	in.signal(t, syscall.SIGKILL)
	in.stop(t) // waits for the last
}

// freeze has all processes of the server stand still; the kernel goes on to take
// connections for them.
func (in *instance) freeze(t *testing.T) {
	in.signal(t, syscall.SIGSTOP)
	t.Cleanup(func() { in.signal(t, syscall.SIGCONT) }) // or they could not be stopped
}

func (in *instance) thaw(t *testing.T) { in.signal(t, syscall.SIGCONT) }

// signal reaches all processes of the server, and those they start meanwhile.
func (in *instance) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	reached := map[int]bool{}
	for again := true; again; {
		again = false
		for _, pid := range in.processes(t) {
			if !reached[pid] && syscall.Kill(pid, s) == nil {
				reached[pid], again = true, true
			}
		}
	}
	t.Logf("%v: %d processes", s, len(reached))
}

// processes are those with their root in the server's folder.
func (in *instance) processes(t *testing.T) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/root")
	must(t, err)
	for _, link := range links {
		root, err := os.Readlink(link)
		if err != nil || root != in.root && !strings.HasPrefix(root, in.root+"/") {
			continue // it has ended, or is none of this server's
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		must(t, err)
		pids = append(pids, pid)
	}
	return pids
}
