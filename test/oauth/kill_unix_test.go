//go:build unix

package oauth_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/accounts"
)

// childVariable makes the test a process that renews a token again and again.
const childVariable = "KAIZEN_TEST_RENEW"

// TestChildRenews is the child of the next test. It tells of each token when it has
// been handed out.
func TestChildRenews(t *testing.T) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		return
	}
	s, err := accounts.Open(accounts.Options{Dir: dir})
	must(t, err)
	account, err := s.Account(t.Context(), "work")
	must(t, err)
	for range 1000 {
		began := time.Now()
		token, err := account.Auth.Token(context.Background())
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Printf("used %d %x\n", began.UnixNano(), sha256.Sum256([]byte(token)))
	}
}

// A process that is killed at any moment has kept every token that it used.
func TestKilledWhileRenewing(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.authority.library.lasting(ended)
	s := p.store(t)
	p.login(t, s)
	for range 15 {
		used := p.kill(t)
		kept, err := s.Token(t.Context(), "work")
		must(t, err)
		var began int64
		var sum string
		if _, err := fmt.Sscanf(used, "used %d %s", &began, &sum); err != nil {
			t.Fatalf("%q: %v", used, err)
		}
		if fmt.Sprintf("%x", sha256.Sum256([]byte(kept.Access))) != sum && kept.Renewed.UnixNano() < began {
			t.Errorf("a token was used that is not kept; the one that is, is of %v", kept.Renewed)
		}
		// The answer may have died with the process; then a person logs in again.
		account, err := s.Account(t.Context(), "work")
		must(t, err)
		if _, err := account.Auth.Token(t.Context()); err != nil {
			p.login(t, s)
		}
	}
}

// kill runs a child and kills it. It returns what the child said last of a token.
func (p *post) kill(t *testing.T) (used string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run", "^TestChildRenews$")
	child.Env = append(os.Environ(), childVariable+"="+p.dir)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewScanner(out)
	after := 1 + rand.N(5)
	var timer *time.Timer
	for n := 0; lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "used ") {
			used = lines.Text()
			n++
		}
		if n >= after && timer == nil {
			timer = time.AfterFunc(rand.N(20*time.Millisecond), func() { _ = child.Process.Signal(syscall.SIGKILL) })
		}
	}
	_ = child.Wait() // it was killed
	if timer != nil {
		timer.Stop()
	}
	return used
}
