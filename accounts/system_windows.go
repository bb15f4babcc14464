package accounts

import (
	"context"
	"io/fs"
	"os/exec"
	"syscall"
)

// checkPrivate: who can read a file in a profile is a matter of access lists
// that it inherits; its mode says nothing.
func checkPrivate(string, fs.FileInfo) error { return nil }

// shellCommand hands the line over as it is: cmd has quoting rules of its own.
func shellCommand(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /d /s /c "` + line + `"`}
	return cmd
}
