package maildrop_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/maildrop"
	"github.com/kaizenmail/kaizen/smtp"
)

// FuzzSubject: whatever stands in a message, its file lies in the folder, under a
// name that any system takes.
func FuzzSubject(f *testing.F) {
	for _, seed := range []string{text, "Subject: x", "subject:\n =?utf-8?q?=2E=2E=2F?=\n", "Subject: \xff\x00/..\\:*?\"<>|\n", "Subject", ":\n:\n", "\n\nSubject: no"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := filepath.Join(t.TempDir(), "mail")
		m := maildrop.New(dir, maildrop.Options{Format: maildrop.EML, NoSync: true})
		r := put(t, m, &smtp.Transaction{Content: smtp.Bytes(content), AllowLongLines: true})
		found, err := os.ReadDir(dir)
		if r.Err != nil || err != nil || len(found) != 1 {
			t.Fatal(r.Err, err, found)
		}
		name := found[0].Name()
		if !utf8.ValidString(name) || len(name) > 255 || strings.ContainsAny(name, `/\:*?"<>| `) || !strings.HasSuffix(name, ".eml") {
			t.Errorf("%q", name)
		}
	})
}
