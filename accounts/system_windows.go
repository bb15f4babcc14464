package accounts

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// tryLock locks a file until it is closed, or this process ends in whatever way.
func tryLock(f *os.File) (taken bool, err error) {
	var at windows.Overlapped
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return true, nil
	}
	return false, err
}

// syncDir: a directory cannot be synced here; NTFS keeps a journal of renames.
func syncDir(string) error { return nil }

// rename waits for those who are just reading the old file: while it is open it
// cannot be replaced here.
func rename(from, to string) (err error) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for range 100 {
		err = os.Rename(from, to)
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return err
		}
		<-again.C
	}
	return err
}

// checkPrivate: who can read a file in a profile is a matter of access lists
// that it inherits; its mode says nothing.
func checkPrivate(string, fs.FileInfo) error { return nil }

// shellCommand hands the line over as it is: cmd has quoting rules of its own.
func shellCommand(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /d /s /c "` + line + `"`}
	return cmd
}
