//go:build unix

package maildrop_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/maildrop"
	"github.com/kaizenmail/kaizen/smtp"
)

const childVariable = "KAIZEN_MAILDROP_TEST_CHILD"

// TestChild writes without end where the tests below start it; by itself it does
// nothing.
func TestChild(t *testing.T) {
	t.Parallel()
	kind, dir, asked := strings.Cut(os.Getenv(childVariable), "|")
	if !asked {
		return
	}
	content := []byte("Subject: x\n\n" + strings.Repeat("x\n", 100_000) + "end\n")
	m := maildrop.New(dir, maildrop.Options{Format: formats[kind], NoSync: true})
	if kind == "full" {
		// A file that may not grow is what a full disk looks like.
		limit := syscall.Rlimit{Cur: 4096, Max: 4096}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		r := put(t, m, &smtp.Transaction{Content: smtp.Bytes(content)})
		fmt.Println("result:", r.Outcome, r.Err)
		return
	}
	for range 100_000 {
		if r := put(t, m, &smtp.Transaction{Content: smtp.Bytes(content)}); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

func child(t *testing.T, kind, dir string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childVariable+"="+kind+"|"+dir)
	return cmd
}

// Whenever a writer is killed, every message in the folder is whole.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	for kind, f := range formats {
		dir := t.TempDir()
		for i := range 5 {
			cmd := child(t, kind, dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for before := len(mails(t, dir, f)); len(mails(t, dir, f)) == before; {
				<-time.After(time.Millisecond)
			}
			<-time.After(time.Duration(i) * 1700 * time.Microsecond) // anywhere in its work
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // killed
		}
		for _, file := range mails(t, dir, f) {
			content, err := os.ReadFile(file)
			if err != nil || !strings.HasSuffix(strings.ReplaceAll(string(content), "\r", ""), "x\nend\n") {
				t.Errorf("%s: half a message, %d octets, %v", kind, len(content), err)
			}
		}
	}
}

// A full disk is a refusal for now, and leaves nothing behind.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	said, err := child(t, "full", dir).CombinedOutput()
	if err != nil || !strings.Contains(string(said), "result: rejected") || !strings.Contains(string(said), "452 4.3.1 the disk is full") {
		t.Errorf("%v %s", err, said)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Error(left)
	}
}

// A folder that may not be written to is told of with what to do.
func TestNoPermission(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		return // root may write everywhere
	}
	err := maildrop.New(dir, maildrop.Options{}).Check(t.Context())
	if !errors.Is(err, smtp.ClassConnect) || !strings.Contains(err.Error(), "right to write") {
		t.Error(err)
	}
}
