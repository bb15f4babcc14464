//go:build unix

package accounts

import (
	"context"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
)

// checkPrivate refuses a file that others can read or write.
func checkPrivate(path string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return &SecretError{File: path, Err: fmt.Errorf("%w: its mode is %04o", ErrPermissions, info.Mode().Perm()),
		Hint: "chmod 600 " + shellQuoted(path)}
}

func shellQuoted(path string) string {
	for _, r := range path {
		if !inName(r) && r != '/' {
			return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
		}
	}
	return path
}

func shellCommand(ctx context.Context, line string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", "-c", line)
}
