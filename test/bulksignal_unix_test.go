//go:build unix

package test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// The first Ctrl-C lets what is on its way finish, writes the results, and
// leaves nobody in doubt.
func TestBulkDrainsWhenInterrupted(t *testing.T) {
	t.Parallel()
	const rows = 500
	a := assassin{signal: syscall.SIGINT}
	server, err := smtptest.Listen(smtptest.Config{Save: func(*smtptest.Message) { a.strike() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	table := filepath.Join(t.TempDir(), "people.csv")
	writePeople(t, table, rows)
	a.countdown.Store(rows / 2)
	if code := runBulk(t, &a, server, table, false, 130).ExitCode(); code != 130 {
		t.Errorf("interrupted: exit code %d", code)
	}
	if n := server.Stats().Accepted; n < rows/2 || n == rows {
		t.Errorf("%d of %d sent before the interruption", n, rows)
	}
	if _, err := os.Stat(table + ".results.csv"); err != nil {
		t.Error(err)
	}
	if code := runBulk(t, nil, server, table, true).ExitCode(); code != 0 {
		t.Errorf("resumed: exit code %d", code)
	}
	settle(t, server, table+".results.csv", rows)
}
