//go:build unix

package sendmail_test

import (
	"os"
	"os/exec"
	"syscall"
)

// localText is a content as the command reads it.
func localText(s string) string { return s }

// extraDeed is what only commands of this system do.
func extraDeed(word string, rest []string) (done bool) {
	switch word {
	case "signal":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "child": // a process that reads the same input and outlives this one, as postdrop might
		cmd := exec.Command(os.Args[0])
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = append(os.Environ(), deedVariable+"=begun "+rest[0]+".pid deliver "+rest[0])
		_ = cmd.Start()
		select {}
	case "background": // what delivers after the command has ended, and holds its output
		cmd := exec.Command(os.Args[0])
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.Env = append(os.Environ(), deedVariable+"=begun "+rest[0]+" sleep")
		return cmd.Start() != nil
	}
	return false
}
