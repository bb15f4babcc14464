package interop_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// process is a server of ours, with all that it starts. A keeper, this program
// once more, stands between: when we end, however that comes about, its input
// ends, and it ends the server.
type process struct {
	keeper *exec.Cmd
	leash  io.Closer // the keeper's input
	gone   chan struct{}
	log    string // file with what it writes
}

const keeperRoot = "INTEROP_KEEPER_ROOT" // set for a keeper: the server's root folder

// TestMain runs the tests, or a keeper.
func TestMain(m *testing.M) {
	if root, is := os.LookupEnv(keeperRoot); is {
		keep(root, os.Args[1:])
		return
	}
	m.Run()
}

// keep runs a program in a process group of its own until its own input ends.
func keep(root string, command []string) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Chroot: root}
	if root != "" {
		cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	gone := make(chan struct{})
	go func() {
		// How it ended does not matter: it is asked to.
		_ = cmd.Wait()
		close(gone)
	}()
	// However the input ends, we are alone.
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-gone:
	case <-time.After(15 * time.Second):
		fmt.Fprintln(os.Stderr, command[0], "did not leave when asked")
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of its group
	<-gone
}

// spawn starts a program; in a root folder of its own if root is given.
func spawn(t *testing.T, dir, root string, command ...string) *process {
	t.Helper()
	name := filepath.Join(dir, filepath.Base(command[0])+".out")
	out, err := os.Create(name)
	must(t, err)
	defer out.Close()
	keeper := exec.Command(os.Args[0], command...)
	keeper.Env = append(os.Environ(), keeperRoot+"="+root)
	keeper.Stdout, keeper.Stderr = out, out
	keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us
	leash, err := keeper.StdinPipe()
	must(t, err)
	must(t, keeper.Start())
	p := &process{keeper: keeper, leash: leash, gone: make(chan struct{}), log: name}
	go func() {
		_ = keeper.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop ends the server and waits for that.
func (p *process) stop(*testing.T) {
	_ = p.leash.Close() // a second time, it is closed already
	<-p.gone
}

// eventually waits for something a server does in its own time.
func eventually(t *testing.T, what string, happened func() bool) bool {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute)
	for !happened() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Errorf("waited a minute in vain: %s", what)
			return false
		}
	}
	return true
}
