//go:build unix

package sendmail_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/sendmail"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestSignals(t *testing.T) {
	t.Parallel()
	for deed, want := range map[string]smtp.Outcome{"signal": smtp.NotSent, "sip signal": smtp.NotSent, "read signal": smtp.Unknown} {
		r := handed(t, t.Context(), sendmail.New(commandOptions(t, deed)), &smtp.Transaction{Content: smtp.Bytes([]byte(large))})
		if r.Outcome != want || r.Err.Class != smtp.ClassConnect || !strings.Contains(r.Err.Error(), "killed") {
			t.Errorf("%s: %v %v", deed, r.Outcome, r.Err)
		}
	}
}

// faulty gives a text, waits until the command has begun, and then fails.
type faulty struct {
	text io.Reader
	wait func()
}

var errSource = errors.New("the disk is gone")

func (f *faulty) Read(p []byte) (int, error) {
	n, err := f.text.Read(p)
	if err == io.EOF {
		f.wait()
		return 0, errSource
	}
	return n, err
}

// awaited is the process id in a file, as soon as it is there.
func awaited(t *testing.T, file string) int {
	for range 1000 {
		text, err := os.ReadFile(file)
		if pid, perr := strconv.Atoi(string(text)); err == nil && perr == nil {
			return pid
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Error("nobody has begun:", file)
	return 0
}

// gone waits until a process is no more.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 1000 {
		if pid == 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Errorf("process %d lives", pid)
}

// zombie: killed, and waiting for whoever has inherited it.
func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// Half a message is never taken for a whole one: neither by the command nor by a
// process that it has started, both are killed before their input ends.
func TestHalfAMessageIsNotDelivered(t *testing.T) {
	t.Parallel()
	for _, deed := range []string{"begun FILE.pid deliver FILE", "child FILE"} {
		file := filepath.Join(t.TempDir(), "delivered")
		pid := 0
		content := &faulty{text: strings.NewReader(large[:200_000]), wait: func() { pid = awaited(t, file+".pid") }}
		o := commandOptions(t, strings.ReplaceAll(deed, "FILE", file))
		r := handed(t, t.Context(), sendmail.New(o), &smtp.Transaction{Content: smtp.Reader(content)})
		if r.Outcome != smtp.NotSent || !errors.Is(r.Err, errSource) {
			t.Errorf("%s: %v %v", deed, r.Outcome, r.Err)
		}
		gone(t, pid)
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s: half a message was delivered", deed)
		}
	}
}

// A caller who goes away takes the message back as long as that is possible.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	for deed, want := range map[string]smtp.Outcome{"begun FILE hang": smtp.NotSent, "read begun FILE hang": smtp.Unknown} {
		file := filepath.Join(t.TempDir(), "begun")
		ctx, cancel := context.WithCancel(t.Context())
		pid := 0
		go func() {
			pid = awaited(t, file)
			cancel()
		}()
		r := handed(t, ctx, sendmail.New(commandOptions(t, strings.ReplaceAll(deed, "FILE", file))), &smtp.Transaction{Content: smtp.Bytes([]byte(large))})
		<-ctx.Done()
		if r.Outcome != want || r.Err.Class != smtp.ClassCanceled {
			t.Errorf("%s: %v %v", deed, r.Outcome, r.Err)
		}
		gone(t, pid)
	}
}

// What a command leaves running in the background is neither waited for nor
// killed.
func TestBackgroundDelivery(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "begun")
	began := time.Now()
	r := handed(t, t.Context(), sendmail.New(commandOptions(t, "read background "+file)), &smtp.Transaction{})
	pid := awaited(t, file)
	if r.Outcome != smtp.Accepted || time.Since(began) > 30*time.Second {
		t.Error(r.Err, time.Since(began))
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error("it was killed:", err)
	}
}

// A command that has taken a half for the whole before the content broke off.
func TestHalfAMessageThatWasTaken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "begun")
	content := &faulty{text: strings.NewReader(large[:200_000]), wait: func() { gone(t, awaited(t, file)) }}
	r := handed(t, t.Context(), sendmail.New(commandOptions(t, "gulp begun "+file+" exit 0")), &smtp.Transaction{Content: smtp.Reader(content)})
	if r.Outcome != smtp.Unknown {
		t.Errorf("%v %v", r.Outcome, r.Err)
	}
}
