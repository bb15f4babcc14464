package interop_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// process is a server of ours, with all that it starts.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{}
	log  string // file with what it writes
}

// spawn starts a program in a process group of its own; in a root folder of its
// own if root is given. It ends with this process, however that ends.
func spawn(t *testing.T, dir, root string, command ...string) *process {
	t.Helper()
	name := filepath.Join(dir, filepath.Base(command[0])+".out")
	out, err := os.Create(name)
	must(t, err)
	defer out.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM, Chroot: root}
	if root != "" {
		cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	}
	must(t, cmd.Start())
	p := &process{cmd: cmd, gone: make(chan struct{}), log: name}
	go func() {
		// How it ended does not matter: it is asked to.
		_ = cmd.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop asks the server to leave, and cuts what is left of its group.
func (p *process) stop(t *testing.T) {
	select {
	case <-p.gone:
	default:
		must(t, p.cmd.Process.Signal(syscall.SIGTERM))
		select {
		case <-p.gone:
		case <-time.After(15 * time.Second):
			t.Errorf("%s did not leave when asked", p.cmd.Path)
		}
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("end what %s has started: %v", p.cmd.Path, err)
	}
	<-p.gone
}

// eventually waits for something a server does in its own time.
func eventually(t *testing.T, what string, happened func() bool) bool {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(90 * time.Second)
	for !happened() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Errorf("waited 90 s in vain: %s", what)
			return false
		}
	}
	return true
}
