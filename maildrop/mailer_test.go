package maildrop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/maildrop"
	"github.com/kaizenmail/kaizen/smtp"
)

const text = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= /\n ../and more\nFrom: ann@example.com\n\n.\nFrom the start\n..two\nä\n"

var formats = map[string]maildrop.Format{"maildir": maildrop.Maildir, "eml": maildrop.EML}

func put(t *testing.T, m *maildrop.Mailer, tx *smtp.Transaction) *smtp.Result {
	t.Helper()
	if tx.Content == nil {
		tx.Content = smtp.Bytes([]byte(text))
	}
	if tx.Envelope.To == nil {
		tx.Envelope = smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net", "cid@example.net"), RequireTLS: true}
	}
	var r *smtp.Result
	tx.Done = func(result *smtp.Result) { r = result }
	_ = smtp.Carry(t.Context(), m.String(), tx, m.Mail)
	return r
}

// mails are the files of finished messages.
func mails(t *testing.T, dir string, f maildrop.Format) []string {
	t.Helper()
	pattern := filepath.Join(dir, "*.eml")
	if f == maildrop.Maildir {
		pattern = filepath.Join(dir, "new", "*")
	}
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// files are all files, finished or not.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

func TestMessages(t *testing.T) {
	t.Parallel()
	crlf := strings.ReplaceAll(text, "\n", "\r\n")
	const shown = "Return-Path: <ann@example.com>\r\nX-Envelope-To: <bob@example.net>\r\nX-Envelope-To: <cid@example.net>\r\n"
	for name, c := range map[string]struct {
		options maildrop.Options
		want    string
	}{
		"maildir":      {maildrop.Options{}, shown + crlf},
		"bare maildir": {maildrop.Options{Bare: true, NoSync: true}, crlf},
		"eml":          {maildrop.Options{Format: maildrop.EML}, shown + crlf},
		"bare eml":     {maildrop.Options{Format: maildrop.EML, Bare: true, NoSync: true}, crlf},
	} {
		dir := filepath.Join(t.TempDir(), "deeper", "mail")
		r := put(t, maildrop.New(dir, c.options), &smtp.Transaction{})
		found := mails(t, dir, c.options.Format)
		if r.Err != nil || len(found) != 1 || len(files(t, dir)) != 1 {
			t.Fatal(name, r.Err, files(t, dir))
		}
		if r.Final.String() != "250 2.0.0 saved as "+found[0] {
			t.Error(name, r.Final)
		}
		if c.options.Format == maildrop.Maildir && runtime.GOOS != "windows" {
			c.want = strings.ReplaceAll(c.want, "\r\n", "\n")
		}
		if got, err := os.ReadFile(found[0]); err != nil || string(got) != c.want {
			t.Errorf("%s: %v %q", name, err, got)
		}
		private(t, dir, 0o700)
		private(t, found[0], 0o600)
	}
}

func private(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	seen, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && seen.Mode().Perm() != want {
		t.Error(path, seen.Mode(), err)
	}
}

func TestNullSender(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, maildrop.New(dir, maildrop.Options{}), &smtp.Transaction{Envelope: smtp.Envelope{To: smtp.To("bob@example.net")}})
	if got, err := os.ReadFile(mails(t, dir, maildrop.Maildir)[0]); err != nil || !strings.HasPrefix(string(got), "Return-Path: <>") {
		t.Errorf("%v %s", err, got)
	}
}

// Names of .eml files sort by time and tell the subject; they suit any file
// system.
func TestNamesOfEML(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]string{
		"Subject: Hello, World!\n":                                       "-hello-world",
		"To: x@example.net\nSUBJECT:\n folded\n\tand more\nX: y\n":       "-folded-and-more",
		"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= ../../etc/passwd\\a:b*?\n": "-grüße-etc-passwd-a-b",
		"Subject: =?utf-8?b?5pel5pys6Kqe?=\n":                            "-日本語",
		"Subject: " + strings.Repeat("long ", 50) + "\n":                 "-long-long-long-long-long-long-long-long",
		"Subject: \x01\x02 .. --\n":                                      "",
		"X-Subject: no\n":                                                "",
		"X: y\n\nSubject: of the body\n":                                 "",
		"":                                                               "",
		"Subject: =?no-such-charset?q?x?=\n":                             "-no-such-charset-q-x",
		"X: " + strings.Repeat("y", 900) + "\nSubject: behind\n":         "-behind",
		strings.Repeat("X: "+strings.Repeat("y", 900)+"\n", 10) + "Subject: too far behind\n": "",
	} {
		dir := t.TempDir()
		m := maildrop.New(dir, maildrop.Options{Format: maildrop.EML, NoSync: true})
		if r := put(t, m, &smtp.Transaction{Content: smtp.Bytes([]byte(subject))}); r.Err != nil {
			t.Fatal(r.Err)
		}
		found := mails(t, dir, maildrop.EML)
		form := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d{6}\.\d{6}Z` + want + `-[0-9a-f]{8}\.eml$`)
		if len(found) != 1 || !form.MatchString(filepath.Base(found[0])) {
			t.Errorf("%.40q: %q", subject, found)
		}
	}
}

func TestNamesOfMaildir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, maildrop.New(dir, maildrop.Options{}), &smtp.Transaction{})
	found := mails(t, dir, maildrop.Maildir)
	if len(found) != 1 || !regexp.MustCompile(`^\d+\.M\d+P\d+Q\d+R[0-9a-f]{8}\.[^/:]+$`).MatchString(filepath.Base(found[0])) {
		t.Error(found)
	}
}

type faulty struct{ text io.Reader }

var errSource = errors.New("the disk is gone")

func (f *faulty) Read(p []byte) (int, error) {
	n, err := f.text.Read(p)
	if err == io.EOF {
		err = errSource
	}
	return n, err
}

// Nothing is left of a message that could not be written to its end.
func TestNothingOfHalfAMessage(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		dir := t.TempDir()
		r := put(t, maildrop.New(dir, maildrop.Options{Format: f}), &smtp.Transaction{
			Content: smtp.Reader(&faulty{strings.NewReader(strings.Repeat("line\n", 50_000))})})
		if r.Outcome != smtp.NotSent || !errors.Is(r.Err, errSource) || r.Err.Class != smtp.ClassContent || len(files(t, dir)) > 0 {
			t.Error(name, r.Err, files(t, dir))
		}
	}
}

func TestTakenBack(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		dir := t.TempDir()
		tx := &smtp.Transaction{}
		tx.Commit = func() error { tx.Withdraw(); return nil }
		r := put(t, maildrop.New(dir, maildrop.Options{Format: f}), tx)
		if r.Outcome != smtp.NotSent || r.Err.Class != smtp.ClassCanceled || len(files(t, dir)) > 0 {
			t.Error(name, r.Err, files(t, dir))
		}
	}
}

// Many writers at once, in one process and with several mailers: every message is
// there, and whole.
func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		dir := t.TempDir()
		const writers, each = 8, 25
		var all sync.WaitGroup
		for w := range writers {
			m := maildrop.New(dir, maildrop.Options{Format: f, NoSync: w%2 == 0})
			all.Go(func() {
				for i := range each {
					body := fmt.Sprintf("Subject: same\n\n%d of %d\n%s", i, w, strings.Repeat("x\n", 5000))
					if r := put(t, m, &smtp.Transaction{Content: smtp.Bytes([]byte(body))}); r.Err != nil {
						t.Error(r.Err)
					}
				}
			})
		}
		all.Wait()
		seen := map[string]bool{}
		for _, file := range mails(t, dir, f) {
			content, err := os.ReadFile(file)
			_, body, _ := strings.Cut(strings.ReplaceAll(string(content), "\r", ""), "\n\n")
			line, rest, _ := strings.Cut(body, "\n")
			if err != nil || len(rest) != 10_000 {
				t.Fatal(name, err, len(rest))
			}
			seen[line] = true
		}
		if len(seen) != writers*each || len(files(t, dir)) != writers*each {
			t.Error(name, len(seen), len(files(t, dir)))
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		dir := filepath.Join(t.TempDir(), "new")
		m := maildrop.New(dir, maildrop.Options{Format: f})
		if err := m.Check(t.Context()); err != nil || len(files(t, dir)) > 0 {
			t.Error(name, err, files(t, dir))
		}
		// A file in the way.
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		m = maildrop.New(filepath.Join(file, "mail"), maildrop.Options{Format: f})
		if err := m.Check(t.Context()); !errors.Is(err, smtp.ClassConnect) {
			t.Error(name, err)
		}
		r := put(t, m, &smtp.Transaction{})
		if r.Outcome != smtp.NotSent || !r.Err.Temporary() || !strings.Contains(r.Err.Error(), file) {
			t.Error(name, r.Err)
		}
	}
}

// What killed processes have left is removed when it is old.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		dir := t.TempDir()
		m := maildrop.New(dir, maildrop.Options{Format: f})
		if err := m.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		draft, foreign := ".kaizen-0a1b2c3d.tmp", "notes.tmp"
		if f == maildrop.Maildir {
			draft, foreign = "tmp/1.M2P3Q4R0a1b2c3d.host", "tmp/notes"
		}
		old := time.Now().Add(-37 * time.Hour)
		for _, path := range []string{draft, foreign} {
			path = filepath.Join(dir, path)
			if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, old, old)); err != nil {
				t.Fatal(err)
			}
		}
		put(t, m, &smtp.Transaction{})
		if n := len(files(t, dir)); n != 3 {
			t.Error(name, "looked for leftovers with each message", n)
		}
		if err := m.Check(t.Context()); err != nil || len(files(t, dir)) != 2 {
			t.Error(name, err, files(t, dir))
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := maildrop.New(dir, maildrop.Options{}).String(); got != "maildir:"+filepath.ToSlash(dir) {
		t.Error(got)
	}
	if got := maildrop.New(dir, maildrop.Options{Format: maildrop.EML, Bare: true}).String(); got != "eml:"+filepath.ToSlash(dir)+"?bare=true" {
		t.Error(got)
	}
	if got := maildrop.New("relative", maildrop.Options{}).String(); !filepath.IsAbs(filepath.FromSlash(strings.TrimPrefix(got, "maildir:"))) {
		t.Error(got)
	}
}

// A folder that vanishes is made again.
func TestFolderVanishes(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		dir := filepath.Join(t.TempDir(), "mail")
		m := maildrop.New(dir, maildrop.Options{Format: f})
		for range 2 {
			if r := put(t, m, &smtp.Transaction{}); r.Err != nil || len(mails(t, dir, f)) != 1 {
				t.Error(name, r.Err)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A caller who goes away finds nothing.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := maildrop.New(dir, maildrop.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.Mail(ctx, &smtp.Submission{Content: strings.NewReader("x"), Envelope: smtp.Envelope{To: smtp.To("bob@example.net")}})
	if !errors.Is(err, context.Canceled) || len(files(t, dir)) > 0 {
		t.Error(err, files(t, dir))
	}
}
