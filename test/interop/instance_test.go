package interop_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// limits are what a server is set to take. Zero: its own default. All take
// messages of maxSize.
type limits struct {
	connections int // at once
	messages    int // per connection
	recipients  int // per transaction
}

const maxSize = 20_000_000

// instance is a server that runs.
type instance struct {
	version  string
	plain    string // host:port; STARTTLS is offered there
	implicit string // host:port with TLS from the first octet
	mailbox  map[string]string
	spool    []string // folders that are empty when all is delivered
	trace    []string // fields the server adds on top, and no others
	lf       bool     // keeps mail with LF line ends
	knobs    knobs
	logs     []string // files
	stop     func(t *testing.T)
	root     string             // folder in which all its processes have their root; empty: they have the machine's
	again    func(t *testing.T) // starts it once more, on the same ports; nil if that was never needed
	// listenAlso has it serve a UNIX socket, too; nil if it cannot.
	listenAlso func(t *testing.T, socket string)
	// complaints are what the log must not have.
	complaints, pardoned string
}

// knobs are the limits a server has a setting for.
type knobs struct{ connections, messages bool }

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// arrived reads a mailbox.
func (in *instance) arrived(t *testing.T, who string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(in.mailbox[who], sub))
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		for _, e := range entries {
			name := filepath.Join(in.mailbox[who], sub, e.Name())
			content, err := os.ReadFile(name)
			if err != nil {
				t.Error(err)
			}
			files[name] = content
		}
	}
	return files
}

// count is cheaper than reading.
func (in *instance) count(who string) (n int) {
	for _, sub := range []string{"new", "cur"} {
		entries, _ := os.ReadDir(filepath.Join(in.mailbox[who], sub))
		n += len(entries)
	}
	return n
}

// idle reports that nothing waits to be delivered.
func (in *instance) idle() bool {
	for _, dir := range in.spool {
		err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil // it was delivered just now
			}
			if err == nil && e.Type().IsRegular() {
				return errWaiting
			}
			return err
		})
		if err != nil {
			return false
		}
	}
	return true
}

var errWaiting = fs.ErrExist

// collect waits until n messages have come for somebody and nothing more can,
// takes them out and returns them.
func (in *instance) collect(t *testing.T, who string, n int) [][]byte {
	t.Helper()
	enough := func() bool { return in.count(who) >= n && in.idle() }
	if !eventually(t, strconv.Itoa(n)+" messages for "+who, enough) {
		t.Logf("%d have come", in.count(who))
	}
	var letters [][]byte
	for name, content := range in.arrived(t, who) {
		letters = append(letters, content)
		must(t, os.Remove(name))
	}
	if len(letters) != n {
		t.Errorf("%d messages arrived for %s, not %d", len(letters), who, n)
	}
	return letters
}

// retire stops the server and looks at what it wrote about us.
func (in *instance) retire(t *testing.T) {
	t.Helper()
	in.stop(t)
	for _, line := range in.complained(t) {
		t.Error("the server's log:", line)
	}
}

func (in *instance) log(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, name := range in.logs {
		content, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		lines = append(lines, strings.Split(string(content), "\n")...)
	}
	return lines
}

// complained are the lines of the logs that say we did something wrong.
func (in *instance) complained(t *testing.T) (lines []string) {
	bad := regexp.MustCompile(in.complaints)
	for _, line := range in.log(t) {
		if in.complaints != "" && bad.MatchString(line) && !strings.Contains(line, in.pardoned) {
			lines = append(lines, line)
		}
	}
	return lines
}
