package sendmail

import (
	"context"
	"os"
	"os/exec"
)

var defaultPaths []string

// maxArguments bounds the octets of recipients. A command line has at most 32,767
// characters.
const maxArguments = 16 << 10

// localLineEnds: the wire's are the local ones.
const localLineEnds = false

// isolate leaves it at killing the command itself.
func isolate(*exec.Cmd) {}

// endedItself: it was not killed, which looks like exit code 1.
func endedItself(ctx context.Context, state *os.ProcessState) bool {
	return state.Exited() && (state.ExitCode() != 1 || ctx.Err() == nil)
}
