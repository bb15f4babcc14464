package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// exitUnknown is the program's exit code where it is unknown of some message
// whether it was sent.
const exitUnknown = 79

// rows is how many people the program writes to.
const rows = 300

// office is the program kaizen with folders and a server of its own.
type office struct {
	kaizen string
	dir    string
	server *smtptest.Server

	accepted atomic.Int64 // messages until the process that delivers is killed
	victim   atomic.Pointer[victim]

	mu      sync.Mutex
	arrived map[string]int // by recipient
}

type victim struct {
	cmd  *exec.Cmd
	dead chan struct{}
}

// killProgram queues a mail merge and single messages with the program, delivers
// with it, and kills it while it does either.
func killProgram(r *run) (violations []string, err error) {
	r.stocked = true
	o := &office{kaizen: r.programs.kaizen, dir: r.dir, arrived: map[string]int{}}
	if o.server, err = smtptest.Listen(smtptest.Config{Save: o.save}); err != nil {
		return nil, err
	}
	defer o.server.Close()
	if err := o.open(); err != nil {
		return nil, err
	}
	kills := 0
	for _, step := range []func() (int, error){o.merge, o.deliver} {
		n, err := step()
		if err != nil {
			return []string{err.Error()}, nil
		}
		kills += n
	}
	violations, err = o.settle()
	r.say("%d messages, killed %d times", rows+singles, kills)
	return violations, err
}

func (o *office) save(m *smtptest.Message) {
	o.mu.Lock()
	for _, to := range m.To {
		o.arrived[to.Address]++
	}
	o.mu.Unlock()
	if v := o.victim.Load(); v != nil && o.accepted.Add(-1) == 0 {
		_ = v.cmd.Process.Kill() // it may have ended by itself
		<-v.dead
	}
}

// command is the program, to be killed at a crash point if one is named.
func (o *office) command(point string, args ...string) *exec.Cmd {
	cmd := exec.Command(o.kaizen, args...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "KAIZEN_CONFIG_DIR="+filepath.Join(o.dir, "config"), "KAIZEN_STATE_DIR="+filepath.Join(o.dir, "state"), "KAIZEN_QUEUE_DIR=")
	if point != "" {
		cmd.Env = append(cmd.Env, "KAIZEN_CRASH="+point)
	}
	return cmd
}

// must runs the program to its end and returns what it prints.
func (o *office) must(args ...string) ([]byte, error) {
	cmd := o.command("", args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("kaizen %s: %w: %s%s", strings.Join(args, " "), err, said.String(), out.String())
	}
	return out.Bytes(), nil
}

func (o *office) open() error {
	var people strings.Builder
	people.WriteString("email,name\n")
	for i := range rows {
		fmt.Fprintf(&people, "p%d@example.org,Person %d\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(o.dir, "people.csv"), []byte(people.String()), 0o600); err != nil {
		return err
	}
	_, err := o.must("account", "add", "--name", "shop", "--address", "ann@example.com", "--server", "smtp://"+o.server.Addr()+"?tls=none", "--rate", "none", "--no-verify")
	return err
}

// merge queues a mail merge; the program is killed twice, and resumes.
func (o *office) merge() (kills int, err error) {
	args := []string{"bulk", "--queue", "--account", "shop", "--rows", "people.csv", "--subject", "To {{.name}}", "--text", "Dear {{.name}}"}
	for _, point := range []string{"put.after:100", "put.before:60"} {
		cmd := o.command(point, args...)
		said, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != -1 {
			return kills, fmt.Errorf("kaizen bulk --queue was not killed at %s: %w: %s", point, err, said)
		}
		kills++
		if args[len(args)-1] != "--resume" {
			args = append(args, "--resume")
		}
	}
	_, err = o.must(args...)
	return kills, err
}

// singles are messages that are queued while others are delivered.
const singles = 10

// deliver delivers; the program is killed again and again.
func (o *office) deliver() (kills int, err error) {
	queued := make(chan error, 1)
	go func() { queued <- o.queueSingles() }()
	for _, point := range []string{"", "claim.after:3", "settle.before:4", "final.before:30", ""} {
		if killed, err := o.run(point, 25); err != nil {
			return kills, err
		} else if killed {
			kills++
		}
	}
	if err := <-queued; err != nil {
		return kills, err
	}
	_, err = o.run("", 0)
	return kills, err
}

func (o *office) queueSingles() (err error) {
	for i := range singles {
		_, oneErr := o.must("send", "--queue", "--account", "shop", "--to", fmt.Sprintf("single%d@example.org", i), "--subject", "Single", "--text", "One.", "--unknown", "never")
		err = errors.Join(err, oneErr)
	}
	return err
}

// run delivers until the program is killed: at the point, and if there is none when
// the server has taken so many messages more.
func (o *office) run(point string, more int64) (killed bool, err error) {
	v := &victim{o.command(point, "queue", "run"), make(chan struct{})}
	var said bytes.Buffer
	v.cmd.Stdout, v.cmd.Stderr = &said, &said
	if err := v.cmd.Start(); err != nil {
		return false, err
	}
	if point == "" {
		o.accepted.Store(more)
		o.victim.Store(v)
		defer o.victim.Store(nil)
	}
	err = v.cmd.Wait()
	close(v.dead)
	if v.cmd.ProcessState.ExitCode() == -1 {
		return true, nil
	}
	if err != nil && v.cmd.ProcessState.ExitCode() != exitUnknown {
		return false, fmt.Errorf("kaizen queue run: %w: %s", err, said.String())
	}
	return false, nil
}

// settle compares what the program says with what has arrived.
func (o *office) settle() (violations []string, err error) {
	var list struct{ Jobs []queue.Job }
	if err := o.read(&list, "queue", "list", "--json", "--limit", "100000"); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := range list.Jobs {
		j := &list.Jobs[i]
		to := j.Recipients[0].Address
		if seen[to] {
			violations = append(violations, to+" is queued twice")
		}
		seen[to] = true
		more, err := o.judge(j, to)
		if err != nil {
			return violations, err
		}
		violations = append(violations, more...)
	}
	if len(seen) != rows+singles {
		violations = append(violations, fmt.Sprintf("%d jobs for %d messages", len(seen), rows+singles))
	}
	if _, err := o.must("queue", "check"); err != nil {
		violations = append(violations, err.Error())
	}
	return violations, nil
}

func (o *office) judge(j *queue.Job, to string) (violations []string, err error) {
	o.mu.Lock()
	n := o.arrived[to]
	o.mu.Unlock()
	if j.State == queue.Sent && n == 1 && !j.Doubt {
		return nil, nil
	}
	var shown queue.Details
	if err := o.read(&shown, "queue", "show", j.ID.String(), "--json"); err != nil {
		return nil, err
	}
	doubts := 0
	for _, e := range shown.History {
		if e.Kind == queue.Lost || e.Attempt != nil && isUnknown(e.Attempt) {
			doubts++
		}
	}
	switch {
	case j.State == queue.Sent && n >= 1 && n <= 1+doubts && (n == 1 || j.Unknown == queue.Retry):
	case j.State == queue.Failed && j.Unknown == queue.Never && doubts == 1 && n <= 1:
	default:
		violations = append(violations, fmt.Sprintf("%s got it %d times, the job is %s, %d outcomes are unknown", to, n, j.State, doubts))
	}
	return violations, nil
}

func (o *office) read(into any, args ...string) error {
	out, err := o.must(args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("kaizen %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
