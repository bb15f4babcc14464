package test

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const (
	killConnections = 4
	kills           = 10
	memoryBound     = 100 << 20 // octets; the race detector takes a multiple of it
)

// assassin kills the program while the server is at a message of its choice:
// when it is about to accept it, or has accepted it and not said so yet.
type assassin struct {
	signal    os.Signal // default: SIGKILL
	countdown atomic.Int64
	victim    atomic.Pointer[os.Process]
}

func (a *assassin) strike() {
	if a.countdown.Add(-1) != 0 {
		return
	}
	p := a.victim.Load()
	switch {
	case p == nil:
	case a.signal != nil:
		_ = p.Signal(a.signal) // it may have ended by itself
	default:
		_ = p.Kill()
	}
}

// TestBulkSurvivesBeingKilled kills kaizen bulk again and again. Every row is
// sent exactly once, but for those that are listed as unknown, and these are at
// most two for each connection and kill. Memory stays small. KAIZEN_BULK_ROWS sets how
// many rows there are.
func TestBulkSurvivesBeingKilled(t *testing.T) {
	t.Parallel()
	rows := 2000
	if text := os.Getenv("KAIZEN_BULK_ROWS"); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	var a assassin
	server, err := smtptest.Listen(smtptest.Config{
		Save: func(*smtptest.Message) { a.strike() },
		Reject: func(phase smtptest.Phase, _ string) *smtptest.Reply {
			if phase == smtptest.PhaseMAIL || phase == smtptest.PhaseFinal {
				a.strike()
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	table := filepath.Join(t.TempDir(), "people.csv")
	writePeople(t, table, rows)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))

	var peak int64
	for kill := range kills {
		a.countdown.Store(1 + dice.Int64N(int64(3*rows/kills*9/10)))
		peak = max(peak, peakMemory(runBulk(t, &a, server, table, kill > 0)))
	}
	a.countdown.Store(0)
	last := runBulk(t, nil, server, table, true)
	if peak = max(peak, peakMemory(last)); peak > memoryBound && !raceDetector() {
		t.Errorf("the program took %d octets of memory", peak)
	}
	t.Logf("at most %d MB of memory", peak>>20)
	if code := last.ExitCode(); code != 0 && code != 79 {
		t.Errorf("the last run exited with %d", code)
	}
	settle(t, server, table+".results.csv", rows)
}

func writePeople(t *testing.T, file string, rows int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("email,name\n")
	for i := range rows {
		fmt.Fprintf(&b, "p%d@example.org,Person %d\n", i, i)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runBulk runs the program to its end. That it was killed, or left somebody in
// doubt, is always permitted.
func runBulk(t *testing.T, a *assassin, server *smtptest.Server, table string, resume bool, permitted ...int) *os.ProcessState {
	t.Helper()
	args := []string{"bulk", "--rows", table, "--from", "shop@example.com", "--subject", "To {{.name}}", "--text", "Dear {{.name}}",
		"--server", fmt.Sprintf("smtp://%s?tls=none&rate=none&connections=%d", server.Addr(), killConnections)}
	if resume {
		args = append(args, "--resume")
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(programDir, "kaizen"), args...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if a != nil {
		a.victim.Store(cmd.Process)
	}
	_ = cmd.Wait() // that it was killed is the point
	if code := cmd.ProcessState.ExitCode(); code != -1 && code != 0 && code != 79 && !slices.Contains(permitted, code) {
		t.Errorf("exit code %d: %s", code, said.String())
	}
	return cmd.ProcessState
}

// settle compares what the program says with what the server has.
func settle(t *testing.T, server *smtptest.Server, results string, rows int) {
	t.Helper()
	file, err := os.Open(results)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	received := map[string]int{}
	for _, tally := range server.Accepted() {
		for _, r := range tally.Recipients {
			received[r]++
		}
	}
	unknown := 0
	for _, line := range lines[1:] {
		address, outcome := line[1], line[2]
		switch n := received[address]; {
		case outcome == "unknown" && n <= 1:
			unknown++
		case outcome != "accepted" || n != 1:
			t.Errorf("%s is %s and was received %d times", address, outcome, n)
		}
		delete(received, address)
	}
	if len(lines)-1 != rows || len(received) > 0 {
		t.Errorf("%d results for %d rows; received without a result: %v", len(lines)-1, rows, received)
	}
	if most := 2 * killConnections * kills; unknown > most {
		t.Errorf("%d unknown, more than %d", unknown, most)
	}
	t.Logf("%d rows, %d kills, %d unknown", rows, kills, unknown)
}
