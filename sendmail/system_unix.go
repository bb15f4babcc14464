//go:build unix

package sendmail

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
)

var defaultPaths = []string{"/usr/sbin/sendmail", "/usr/lib/sendmail"}

// maxArguments bounds the octets of recipients. POSIX systems take 128 KB or more
// of arguments and environment together.
const maxArguments = 64 << 10

// localLineEnds: what stands on the wire as CRLF is LF here.
const localLineEnds = true

// isolate gives the command a session of its own, so that all it starts can be
// killed with it.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		if err != nil { // one of the group has another owner
			return cmd.Process.Kill()
		}
		return nil
	}
}

// endedItself: it was not killed.
func endedItself(_ context.Context, state *os.ProcessState) bool { return state.Exited() }
