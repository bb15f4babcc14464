package interop_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// kaizen runs the program and returns what it said and ended with.
func (w *workshop) kaizen(t *testing.T, secret string, arguments ...string) (said string, code int) {
	t.Helper()
	if arguments[0] != "bench" { // which is for servers that need no certificate
		arguments = append(arguments, "--ca", w.caFile)
	}
	cmd := exec.Command(w.program, arguments...)
	cmd.Env = append(os.Environ(), "KAIZEN_PASSWORD="+secret, "KAIZEN_STATE_DIR=none")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("%v: %v", cmd, err)
	}
	if bytes.Contains(out, []byte(secret)) {
		t.Errorf("the program printed the password: %s", out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// accepts runs the program, which must send all.
func (w *workshop) accepts(t *testing.T, arguments ...string) {
	t.Helper()
	if said, code := w.kaizen(t, password, arguments...); code != 0 {
		t.Errorf("kaizen %q ended with %d:\n%s", arguments, code, said)
	}
}

// sendProgram sends each letter with a "kaizen send" of its own.
func sendProgram(t *testing.T, w *workshop, url string, offered smtp.Capabilities, all []*letter) (accepted []*letter) {
	t.Helper()
	dir := t.TempDir()
	for _, l := range all {
		file := filepath.Join(dir, l.copy)
		must(t, os.WriteFile(file, l.octets, 0o600))
		said, code := w.kaizen(t, password, "send", "--server", url, "--from", sender, "--to", l.to, "--raw", file)
		switch {
		case l.utf8 && !offered.SMTPUTF8:
			if code == 0 || !strings.Contains(said, "SMTPUTF8") {
				t.Errorf("%s: ended with %d, and the server does not offer SMTPUTF8:\n%s", l.name, code, said)
			}
			continue
		case code != 0:
			t.Errorf("%s: ended with %d:\n%s", l.name, code, said)
			continue
		}
		accepted = append(accepted, l)
	}
	return accepted
}

// checkComposed lets the program make a message of its flags, and reads it.
func checkComposed(t *testing.T, w *workshop, in *instance, url string) {
	t.Helper()
	attachment := make([]byte, 100_000)
	must(t, fill(attachment))
	file := filepath.Join(t.TempDir(), "random.bin")
	must(t, os.WriteFile(file, attachment, 0o600))
	const text, html = "Good morning, Zürich.\n.\n", "<p>Good morning, Zürich.</p>\n"
	w.accepts(t, "send", "--server", url, "--from", sender, "--to", "bob@"+domain, "--subject", "Grüße",
		"--text", text, "--html", html, "--attach", file)
	for _, got := range in.collect(t, "bob", 1) {
		p := open(t, got)
		if p.subject != "Grüße" || p.text != text || p.html != html || !bytes.Equal(p.attachment, attachment) {
			t.Errorf("arrived with subject %q, text %q, HTML %q, %d octets attached", p.subject, p.text, p.html, len(p.attachment))
		}
	}
}

// checkBulk sends a mail merge: each row arrives once, with what is its own.
func checkBulk(t *testing.T, w *workshop, in *instance, url string, rows int) {
	t.Helper()
	dir := t.TempDir()
	attachment := make([]byte, 3000)
	must(t, fill(attachment))
	table, results, file := filepath.Join(dir, "rows.csv"), filepath.Join(dir, "results.csv"), filepath.Join(dir, "all.bin")
	must(t, os.WriteFile(file, attachment, 0o600))
	var csv strings.Builder
	csv.WriteString("email,name\n")
	want := map[string]string{}
	for i := range rows {
		name := fmt.Sprintf("Zoë %d", i)
		fmt.Fprintf(&csv, "bob+row%d@%s,%s\n", i, domain, name)
		want["Hello "+name] = "Dear " + name + ",\n.\n..dots\n"
	}
	must(t, os.WriteFile(table, []byte(csv.String()), 0o600))
	w.accepts(t, "bulk", "--server", url, "--rows", table, "--from", sender, "--to", "{{.email}}", "--subject", "Hello {{.name}}",
		"--text", "Dear {{.name}},\n.\n..dots\n", "--attach", file, "--results", results)
	for _, got := range in.collect(t, "bob", rows) {
		p := open(t, got)
		if text, sent := want[p.subject]; !sent || p.text != text || !bytes.Equal(p.attachment, attachment) {
			t.Errorf("arrived with subject %q, text %q, %d octets attached", p.subject, p.text, len(p.attachment))
		}
		delete(want, p.subject)
	}
	if len(want) > 0 {
		t.Errorf("did not arrive: %q", slices.Sorted(maps.Keys(want)))
	}
	checkResults(t, results, rows)
}

func checkResults(t *testing.T, file string, rows int) {
	t.Helper()
	content, err := os.ReadFile(file)
	must(t, err)
	lines, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	must(t, err)
	accepted := 0
	for _, line := range lines[1:] {
		if slices.Contains(line, "accepted") {
			accepted++
		}
	}
	if accepted != rows || len(lines) != rows+1 {
		t.Errorf("%d of %d results say accepted, want %d:\n%.600s", accepted, len(lines)-1, rows, content)
	}
}
