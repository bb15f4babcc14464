package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/test/leak"
)

// What is looked for in the suite's output has to be what tests use.
func TestScriptsPlantWhatIsLookedFor(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("planted.txt")
	if err != nil {
		t.Fatal(err)
	}
	planted := strings.Split(string(list), "\n")
	scripts, err := filepath.Glob("../testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts:", err)
	}
	for _, script := range scripts {
		content, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for word := range strings.FieldsSeq(string(content)) {
			login, found := strings.CutPrefix(word, "user=")
			if _, password, two := strings.Cut(login, ":"); found && two && !slices.Contains(planted, password) {
				t.Errorf("%s: the password of user=%s is not in planted.txt", script, login)
			}
		}
	}
}

// The command is run on the output of tests that tell a password, and that do not.
func TestSuite(t *testing.T) {
	t.Parallel()
	command := filepath.Join(t.TempDir(), "secrets")
	if out, err := exec.Command("go", "build", "-o", command, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	event := func(action, test, output string) string {
		line, err := json.Marshal(map[string]string{"Action": action, "Package": "example.com/p", "Test": test, "Output": output})
		if err != nil {
			t.Fatal(err)
		}
		return string(line) + "\n"
	}
	ended := event("output", "", "ok  \texample.com/p\t0.1s\n") + event("pass", "", "")
	script := event("output", "T", "        > exec kaizen verify --server smtp://ann:fish7@mx\n")
	for _, c := range []struct {
		name, events string
		works        bool
		says         string
	}{
		{"nothing", "", false, "no package was tested"},
		{"no JSON", "ok example.com/p\n", false, "read the output of the tests"},
		{"innocent", event("output", "T", "hello\n") + event("pass", "T", "") + ended, true, "1 packages"},
		{"told", event("output", "T", "Error: fish7\n") + event("pass", "T", "") + ended, false, "example.com/p T: secret"},
		{"told encoded", event("output", "T", "AUTH PLAIN AGFubgBmaXNoNw==\n") + event("pass", "T", "") + ended, false, "base64"},
		{"told in two events", event("output", "T", "Error: hunt") + event("output", "T", "er2\n") + event("pass", "T", "") + ended, false, "in the clear"},
		{"told by no test", event("output", "", "fish7\n") + ended, false, "example.com/p: secret"},
		{"told at the end of all", ended + event("output", "T", "fish7\n"), false, "in the clear"},
		{"a line of no script", script + event("pass", "T", "") + ended, false, "in the clear"},
		{"failed", event("output", "T", "reason\n") + event("fail", "T", "") + ended, true, "reason"}, // go test says that it failed
	} {
		file := filepath.Join(t.TempDir(), "events")
		if err := os.WriteFile(file, []byte(c.events), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		cmd := exec.Command(command, "go", "run", "./testdata/print", file)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); (err == nil) != c.works || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %v: %s", c.name, err, out.String())
		}
		if found := leak.New(map[string]string{"fish": "fish7", "hunter": "hunter2"}, 0).Find(out.Bytes()); len(found) > 0 && c.name != "a line of no script" {
			t.Errorf("%s: it tells the password itself: %s", c.name, out.String())
		}
	}
	if out, err := exec.Command(command, "no-such-program").CombinedOutput(); err == nil {
		t.Errorf("%s", out)
	}
	if out, err := exec.Command(command).CombinedOutput(); err == nil || !strings.Contains(string(out), "which tests?") {
		t.Errorf("%s", out)
	}
}
