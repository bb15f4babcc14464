package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/kaizenmail/kaizen/test/crash/task"
)

// programs are what was built.
type programs struct{ child, kaizen string }

// build makes the programs with their crash points.
func build(dir string) (programs, error) {
	b := programs{filepath.Join(dir, "child"), filepath.Join(dir, "kaizen")}
	for target, source := range map[string]string{b.child: "./test/crash/child", b.kaizen: "./cmd/kaizen"} {
		cmd := exec.Command("go", "build", "-tags", "crashpoints", "-o", target, source)
		if out, err := cmd.CombinedOutput(); err != nil {
			return b, fmt.Errorf("build %s: %w\n%s", source, err, out)
		}
	}
	return b, nil
}

// worker is a child process.
type worker struct {
	role   role
	kill   *kill
	cmd    *exec.Cmd
	said   strings.Builder // on stderr
	begun  chan struct{}   // closed when it says that it delivers
	exited chan struct{}   // closed when it has, and all that it said is noted

	hits atomic.Int64 // how often it came to its point at the server
	err  error        // of its end; after exited
}

// launch starts a child. prefix is a program that starts it, or nothing.
func launch(who role, k *kill, l *ledger, prefix []string, args ...string) (*worker, io.WriteCloser, error) {
	w := &worker{role: who, kill: k, begun: make(chan struct{}), exited: make(chan struct{})}
	args = append(prefix, args...)
	w.cmd = exec.Command(args[0], args[1:]...)
	w.cmd.Env = os.Environ()
	if k != nil && k.kind == inCode {
		w.cmd.Env = append(w.cmd.Env, "KAIZEN_CRASH="+k.String())
	}
	w.cmd.Stdout = &lines{each: func(line []byte) { w.hear(l, line) }}
	w.cmd.Stderr = &w.said
	in, err := w.cmd.StdinPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		return nil, nil, err
	}
	go func() {
		w.err = w.cmd.Wait()
		close(w.exited)
	}()
	return w, in, nil
}

func (w *worker) hear(l *ledger, line []byte) {
	var e task.Event
	if err := json.Unmarshal(line, &e); err != nil {
		fmt.Fprintf(os.Stderr, "crash: a child said %q: %v\n", line, err)
		return
	}
	if e.What == task.Resumed {
		close(w.begun)
	}
	l.note(e)
}

// strike kills it and returns when it is dead.
func (w *worker) strike() {
	_ = w.cmd.Process.Kill() // it may have ended by itself
	<-w.exited
}

// wasKilled tells a killed process from one that has ended by itself.
func (w *worker) wasKilled() bool { return w.cmd.ProcessState.ExitCode() == -1 }

// feed writes letters, and ends the input when the gate is open.
func feed(in io.WriteCloser, letters []task.Letter, gate <-chan struct{}, dead <-chan struct{}) {
	defer in.Close()
	for _, letter := range letters {
		line, err := json.Marshal(letter)
		if err != nil {
			panic(err)
		}
		if _, err := in.Write(append(line, '\n')); err != nil {
			return // it is dead
		}
	}
	select {
	case <-gate:
	case <-dead:
	}
}

// lines cuts what is written into lines.
type lines struct {
	each func(line []byte)
	rest []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.each(line)
		l.rest = rest
	}
}
